"""Relays every request statefully to its Request-URI, and nothing else."""

import KSR


def mod_init():
    return Relay()


class Relay:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    # Kamailio 5.6 looks for these at each reply and each send, and fails the next KSR call where one is missing.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
