"""Checks a request as production scripts begin, then answers 200."""

import KSR


def mod_init():
    return Checked()


class Checked:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.maxfwd.process_maxfwd(10) < 0:
            KSR.sl.sl_send_reply(483, "Too Many Hops")
            return 1
        # Answers by itself what it refuses.
        if KSR.sanity.sanity_check(17895, 7) < 0:
            return 1
        if not KSR.is_ACK():
            KSR.sl.sl_send_reply(200, "OK")
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
