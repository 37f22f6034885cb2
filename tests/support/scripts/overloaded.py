"""A proxy whose INVITEs take five milliseconds each, as a look-up in a slow database does."""

import time

import KSR

INVITE_S = 0.005


def mod_init():
    return Proxy()


class Proxy:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.siputils.has_totag() > 0:
            KSR.rr.loose_route()
        elif KSR.is_INVITE():
            time.sleep(INVITE_S)
            KSR.rr.record_route()
        KSR.tm.t_relay()
        return 1
