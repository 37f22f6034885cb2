"""A stateless redirect server: each call is answered with 302 and the contact to try instead.

    sipwright run examples/redirect.py

With Kamailio: load this file by app_python3.
"""

import KSR

# Where the numbers of each prefix are served.
GATEWAYS = {"1": "gw1.example.com", "2": "gw2.example.com"}


def mod_init():
    return Redirector()


class Redirector:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_ACK():
            return 1
        if not KSR.is_INVITE():
            KSR.sl.sl_send_reply(405, "Method Not Allowed")
            return 1

        number = KSR.pv.gete("$rU")
        gateway = GATEWAYS.get(number[:1])
        if gateway is None:
            KSR.sl.sl_send_reply(404, "Not Found")
            return 1

        KSR.hdr.append_to_reply("Contact: <sip:" + number + "@" + gateway + ">\r\n")
        KSR.sl.sl_send_reply(302, "Moved Temporarily")
        return 1

    # Kamailio 5.6 looks for these at each reply and each send, and fails the next KSR call where one is missing.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
