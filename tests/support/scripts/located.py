"""A registrar that tells all it knows of a user's contacts: for tests of the table `location`."""

import KSR

ATTRIBUTES = [
    "aor",
    "addr",
    "path",
    "received",
    "callid",
    "q",
    "cseq",
    "cflags",
    "user_agent",
    "methods",
    "instance",
    "regid",
]


def mod_init():
    return Registrar()


class Registrar:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_REGISTER():
            KSR.nathelper.fix_nated_register()
            KSR.setbflag(6)
            KSR.pv.sets("$xavp(ulattrs=>text)", "kept")
            KSR.pv.seti("$xavp(ulattrs[0]=>number)", 7)
            KSR.registrar.save("location", 0)
            return 1
        uri = KSR.pv.get("$ru")
        if KSR.registrar.reg_fetch_contacts("location", uri, "p") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return 1
        for index in range(KSR.pv.get("$ulc(p=>count)")):
            values = [str(KSR.pv.get(f"$(ulc(p=>{name})[{index}])")) for name in ATTRIBUTES]
            KSR.hdr.append_to_reply("X-Found: " + " | ".join(values) + "\r\n")
        KSR.registrar.lookup("location")
        KSR.hdr.append_to_reply(
            f"X-Kept: {KSR.pv.get('$xavp(ulattrs=>text)')} {KSR.pv.get('$xavp(ulattrs=>number)')}\r\n"
        )
        KSR.sl.send_reply(200, "OK")
        return 1

    # Kamailio 5.6 looks for it at each send, and fails the next KSR call where it is missing.
    def ksr_onsend_route(self, msg):
        return 1
