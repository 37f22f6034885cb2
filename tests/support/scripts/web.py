"""HTTP and WebSocket beside SIP: a small web server, and an edge for WebSocket phones behind NAT."""

import os
import time

import KSR

NOTES = os.path.join(os.getcwd(), "notes")


def mod_init():
    return Web()


def note(text):
    with open(NOTES, "a") as notes:
        notes.write(text + "\n")


class Web:
    def child_init(self, rank):
        return 0

    def on_http(self, msg, event):
        uri = KSR.pv.get("$hu")
        if uri.startswith("/sip"):
            note(f"handshake {KSR.websocket.handle_handshake()}")
        elif uri == "/nothing":
            note("nothing")
        elif uri == "/raise":
            raise ValueError("of the script")
        elif uri == "/slow":
            time.sleep(0.2)
            KSR.xhttp.xhttp_reply(200, "OK", "text/plain", "slow")
        elif uri == "/twice":
            note(f"{KSR.xhttp.xhttp_reply(201, 'One', '', '')} {KSR.xhttp.xhttp_reply(202, 'Two', '', '')}")
        elif uri == "/breaks":
            results = [
                KSR.xhttp.xhttp_reply(200, "OK\r\nX: y", "", ""),
                KSR.xhttp.xhttp_reply(200, "OK", "a\nX: y", ""),
            ]
            note(" ".join(map(str, results)))
            KSR.xhttp.xhttp_reply(200, "OK", "", "")
        elif uri == "/close":
            KSR.hdr.append_to_reply("X-Last: yes\r\n")
            KSR.set_reply_close()
            KSR.xhttp.xhttp_reply(200, "OK", "text/plain", "bye")
        elif uri == "/functions":
            results = [KSR.tm.t_newtran(), KSR.tm.t_relay(), KSR.forward()]
            results += [KSR.siputils.is_http(), KSR.siputils.is_sip(), KSR.pv.get("$ci"), KSR.pv.get("$fu")]
            KSR.xhttp.xhttp_reply(200, "OK", "text/plain", " ".join(map(str, results)))
        elif uri == "/RPC":
            note(f"dispatch {KSR.jsonrpcs.dispatch()}")
        elif uri == "/exec":
            results = [KSR.jsonrpcs.exec(KSR.pv.get("$rb")), KSR.jsonrpcs.execx(KSR.pv.get("$rb"))]
            results += [KSR.pv.get("$jsonrpl(code)"), KSR.pv.get("$jsonrpl(text)"), KSR.pv.get("$jsonrpl(body)")]
            same = KSR.jsonrpcs.response() == results[-1]
            KSR.xhttp.xhttp_reply(200, "OK", "text/plain", "|".join(map(str, [same, *results])))
        elif uri == "/sl":
            KSR.sl.send_reply(202, "Fine")
        else:
            names = ["$rm", "$hu", "$rv", "$pr", "$rb", "$hdr(Host)", "$cT"]
            body = " ".join([event, KSR.xhttp.get_hu(), *(str(KSR.pv.get(name)) for name in names)])
            KSR.xhttp.xhttp_reply(200, "OK", "text/plain", body)

    def on_closed(self, msg, event):
        names = ["$si", "$sp", "$pr", "$ws_conid"]
        note(" ".join([event, *(str(KSR.pv.get(name)) for name in names)]))

    def ksr_request_route(self, msg):
        KSR.force_rport()
        if KSR.is_REGISTER():
            KSR.nathelper.fix_nated_register()
            if KSR.registrar.save("location", 0) < 0:
                KSR.sl.sl_reply_error()
            return 1
        if KSR.is_OPTIONS() and KSR.is_myself_ruri():
            return self.describe()
        if KSR.is_WSX():
            KSR.nathelper.add_contact_alias()
        if KSR.siputils.has_totag() > 0:
            if KSR.rr.loose_route() > 0:
                KSR.nathelper.handle_ruri_alias()
        elif KSR.is_INVITE():
            KSR.rr.record_route()
            KSR.tm.t_on_reply("onreply")
            if KSR.registrar.lookup("location") < 0:
                KSR.sl.send_reply(404, "Not Found")
                return 1
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    def describe(self):
        names = ["$pr", "$proto", "$ws_conid", "$Rp"]
        words = [KSR.is_WS(), KSR.is_WSS(), KSR.is_WSX(), KSR.is_TCPX(), KSR.is_proto("vw")]
        values = [str(value) for value in (*words, *map(KSR.pv.get, names))]
        KSR.hdr.append_to_reply("X-Seen: " + " ".join(values) + "\r\n")
        KSR.sl.sl_send_reply(200, "OK")
        if KSR.pv.get("$rU") == "close":
            note(f"close {KSR.websocket.close_reason(4000, 'enough')}")
        if KSR.pv.get("$rU") == "conid":
            note(f"conid {KSR.websocket.close_conid(1000, '', KSR.pv.get('$ws_conid'))}")
            note(f"conid {KSR.websocket.close_conid(1000, '', 999999)} {KSR.websocket.close_conid(1005, '', 1)}")
        return 1

    def onreply(self, msg):
        if KSR.is_WSX():
            KSR.nathelper.add_contact_alias()
        return 1

    def ksr_onsend_route(self, msg):
        if KSR.to_WSX():
            note(f"onsend {KSR.pv.get('$snd(sproto)')} {KSR.to_WS()} {KSR.to_WSS()}")
        return 1
