"""The registrar and proxy of authentication.py for phones in browsers too, such as JsSIP, which speak SIP over WebSocket.

    sipwright user add alice@example.com
    sipwright run examples/websocket.py --listen udp:192.0.2.10:5060 --listen tls:192.0.2.10:443 \\
        --set xhttp.event_callback=ksr_xhttp_event

Pages of other origins than those in ORIGINS are refused. With Kamailio: load xhttp, websocket and nathelper too, and set
xhttp's `event_callback`.
"""

import os

import KSR
from authentication import Guarded

# Separated by spaces.
ORIGINS = os.environ.get("ORIGINS", "https://phone.example.com").split()


def mod_init():
    return WithBrowsers()


class WithBrowsers(Guarded):
    def ksr_xhttp_event(self, msg, event):
        if KSR.hdr.get("Upgrade") != "websocket":
            KSR.xhttp.xhttp_reply(404, "Not Found", "text/plain", "This is a SIP server.\n")
        elif KSR.hdr.get("Origin") not in ORIGINS:
            KSR.xhttp.xhttp_reply(403, "Forbidden", "text/plain", "")
        else:
            KSR.websocket.handle_handshake()
        return 1

    def ksr_request_route(self, msg):
        self.remember_connection()
        if KSR.siputils.has_totag() > 0:
            return self.within_dialog()
        if KSR.is_INVITE():
            KSR.tm.t_on_reply("ksr_onreply_browser")
        return super().ksr_request_route(msg)

    def remember_connection(self):
        # A browser's Contact names a host that nobody can find: it is reached over its connection alone.
        if not KSR.is_WSX():
            return
        KSR.force_rport()
        if KSR.is_REGISTER():
            KSR.nathelper.fix_nated_register()
        else:
            KSR.nathelper.add_contact_alias()

    def within_dialog(self):
        if KSR.maxfwd.process_maxfwd(10) < 0:
            KSR.sl.send_reply(483, "Too Many Hops")
        elif KSR.rr.loose_route() > 0 or KSR.is_ACK():
            KSR.nathelper.handle_ruri_alias()
            KSR.tm.t_relay()
        else:
            KSR.sl.send_reply(404, "Not Found")
        return 1

    def ksr_onreply_browser(self, msg):
        if KSR.is_WSX():
            KSR.nathelper.add_contact_alias()
        return 1
