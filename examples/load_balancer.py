"""A load balancer: calls go to the backends in turn, and to the next one if a backend fails.

    BACKENDS=10.0.0.1:5060,10.0.0.2:5060 sipwright run examples/load_balancer.py

With Kamailio: load this file by app_python3. There each process takes turns on its own.
"""

import itertools
import os

import KSR

BACKENDS = ["sip:" + address for address in os.environ.get("BACKENDS", "127.0.0.1:5080,127.0.0.1:5090").split(",")]


def mod_init():
    return Balancer()


class Balancer:
    def __init__(self):
        # next() of itertools.count is atomic: all workers may use it.
        self.turns = itertools.count()

    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.maxfwd.process_maxfwd(10) < 0:
            KSR.sl.send_reply(483, "Too Many Hops")
            return 1

        if KSR.is_CANCEL():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
            return 1

        # The rest of a dialog goes to the backend that has it.
        if KSR.siputils.has_totag() > 0:
            if KSR.rr.loose_route() > 0 or KSR.is_ACK():
                KSR.tm.t_relay()
            else:
                KSR.sl.send_reply(404, "Not Found")
            return 1

        if KSR.is_INVITE():
            KSR.rr.record_route()
        turn = next(self.turns)
        KSR.pv.seti("$avp(turn)", turn)
        KSR.pv.seti("$avp(tries)", 1)
        KSR.setdsturi(BACKENDS[turn % len(BACKENDS)])
        return self.relay()

    def relay(self):
        KSR.tm.t_on_failure("ksr_failure_backend")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    def ksr_failure_backend(self, msg):
        """The backend answered with an error of its own (5xx), or not at all (408)."""
        if KSR.tm.t_is_canceled() > 0 or KSR.tm.t_check_status("408|5[0-9][0-9]") < 0:
            return 1
        tries = KSR.pv.get("$avp(tries)")
        if tries < len(BACKENDS):
            KSR.pv.seti("$avp(tries)", tries + 1)
            KSR.setdsturi(BACKENDS[(KSR.pv.get("$avp(turn)") + tries) % len(BACKENDS)])
            # In a failure route nothing is relayed but new branches.
            KSR.corex.append_branch()
            self.relay()
        return 1

    # Kamailio 5.6 looks for these at each reply and each send, and fails the next KSR call where one is missing.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
