"""A registrar that tells whom it finds: for tests of location tables."""

import KSR


def mod_init():
    return Registrar()


class Registrar:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_REGISTER():
            KSR.registrar.save("location", 0)
        elif KSR.registrar.lookup("location") > 0:
            KSR.hdr.append_to_reply("X-Found: " + KSR.pv.get("$ru") + "\r\n")
            KSR.sl.send_reply(200, "OK")
        else:
            KSR.sl.send_reply(404, "Not Found")
        return 1

    def ended(self, msg, event):
        KSR.info(f"ended {event} {KSR.pv.get('$ulc(exp=>aor)')} {KSR.pv.get('$ulc(exp=>addr)')}\n")
        return 1
