"""A proxy and registrar that checks what it gets, forwards requests to the peer of TORTURE_PEER and keeps contacts."""

import os

import KSR


def mod_init():
    return Torture()


class Torture:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.maxfwd.process_maxfwd(10) < 0:
            KSR.sl.sl_send_reply(483, "Too Many Hops")
            return 1
        # 18407: all that Kamailio's default configuration checks, and Proxy-Require. It answers by itself what it refuses.
        if KSR.sanity.sanity_check(18407, 7) < 0:
            return 1
        if KSR.is_REGISTER():
            # It answers by itself, whatever it returns.
            KSR.registrar.save("location", 0)
            return 1
        KSR.setdsturi(os.environ["TORTURE_PEER"])
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
