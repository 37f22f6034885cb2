"""Does what the request says: each X-Do header field is a Python expression over KSR, run in order, before t_relay.

What they returned goes along in X-Did. A request with X-Stop is not relayed.
"""

import KSR


def mod_init():
    return Steps()


class Steps:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        did = []
        for number in range(20):
            step = KSR.pv.get(f"$(hdr(X-Do)[{number}])")
            if step is None:
                break
            did.append(eval(step, {"KSR": KSR}))
        if KSR.hdr.is_present("X-Stop") > 0:
            return 1
        if did:
            KSR.hdr.append(f"X-Did: {did!r}\r\n")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
