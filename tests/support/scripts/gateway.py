"""examples/websocket.py for browsers and plain phones that call each other: rtpengine stands between their media."""

import os
import sys

import KSR

sys.path.insert(0, os.environ["EXAMPLES"])
from websocket import WithBrowsers

# rtpengine begins DTLS itself, with the offer. DTLS=passive in the answer alone would turn the roles round when that is under way.
TO_BROWSER = "UDP/TLS/RTP/SAVPF ICE=force SDES-off rtcp-mux-offer generate-mid replace-origin"
TO_PHONE = "RTP/AVP ICE=remove rtcp-mux-demux replace-origin"


def mod_init():
    return Gateway()


class Gateway(WithBrowsers):
    def ksr_request_route(self, msg):
        if KSR.is_BYE():
            KSR.rtpengine.rtpengine_delete("")
        elif KSR.is_INVITE() and KSR.siputils.has_totag() < 0:
            KSR.tm.t_on_branch("ksr_branch_media")
        return super().ksr_request_route(msg)

    def ksr_branch_media(self, msg):
        KSR.rtpengine.rtpengine_offer(TO_BROWSER if "transport=ws" in KSR.pv.get("$ru") else TO_PHONE)
        return 1

    def ksr_onreply_browser(self, msg):
        if KSR.textops.has_body() > 0:
            # From a browser, so to a phone, or the other way round.
            KSR.rtpengine.rtpengine_answer(TO_PHONE if KSR.is_WSX() else TO_BROWSER)
        return super().ksr_onreply_browser(msg)
