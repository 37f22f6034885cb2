"""Routes that come before others, and what settings of the core and of small modules do to messages.

The user of the request-URI says what to do; answers carry what was seen as `X-Seen`.
"""

import KSR


def mod_init():
    return Guarded()


class Guarded:
    def child_init(self, rank):
        return 0

    def received(self, msg):
        KSR.notice("received " + KSR.pv.gete("$rm") + str(KSR.pv.geti("$rs")) + " " + KSR.pv.gete("$rcv(srcip)") + "\n")
        if KSR.pv.get("$rU") == "unheard" or KSR.pv.get("$rs") == 183:
            KSR.set_drop()
        return 1

    def pre_routing(self, msg, event):
        KSR.pv.sets("$avp(event)", event)
        if KSR.pv.get("$rU") == "refused":
            KSR.sl.send_reply(403, "Refused Early")
            KSR.set_drop()
        return 1

    def ksr_request_route(self, msg):
        user = KSR.pv.gete("$rU")
        KSR.notice("route of " + user + "\n")
        if user == "raw":
            KSR.corex.send_data(KSR.pv.gete("$su"), "raw bytes")
            return KSR.corex.sendx(
                KSR.pv.gete("$su"), "udp:" + KSR.pv.gete("$Ri") + ":" + str(KSR.pv.geti("$Rp")), "more"
            )
        if user == "onward":
            KSR.corex.via_add_srvid(1)
            KSR.pv.sets("$du", KSR.hdr.get("X-Next"))
            return KSR.tm.t_relay()
        if user == "own":
            KSR.pv.sets("$uac_req(method)", "OPTIONS")
            for part in ("ruri", "furi", "turi"):
                KSR.pv.sets("$uac_req(" + part + ")", "sip:a@example.org")
            KSR.pv.sets("$uac_req(ouri)", KSR.pv.gete("$su"))
            KSR.uac.uac_req_send()
        if user == "" and KSR.siputils.options_reply() > 0:
            return 1
        if user == "checked" and KSR.sanity.sanity_check(256, 0) < 0:
            KSR.hdr.append_to_reply("X-Kept: back\r\n")
            return KSR.sanity.sanity_reply()
        for name in ("$avp(event)", "$shv(n)", "$var(gw)", "$avp(b)", "$sid", "$ltt(s)", "$ltt(t)"):
            if name == "$avp(b)":
                KSR.pv.sets("$avp(alias)", "by alias")
            KSR.hdr.append_to_reply("X-Seen: " + name + " " + str(KSR.pv.get(name)) + "\r\n")
        KSR.hdr.append_to_reply("X-Seen: mine " + str(KSR.is_myself_ruri()) + "\r\n")
        return KSR.sl.sl_send_reply(200, "OK")

    def ksr_onsend_route(self, msg):
        return 1
