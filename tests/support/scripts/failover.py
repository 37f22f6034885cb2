"""Relays with Record-Route; a header of the request switches failover off."""

import KSR


def mod_init():
    return Relay()


class Relay:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.hdr.is_present("X-No-Failover") > 0:
            KSR.tm.t_set_disable_failover(1)
        KSR.rr.record_route()
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1
