"""Sends calls to the destinations of set 1 in turn, and to the next one when one fails: for measurements."""

import KSR

SET = 1
BY_TURN = 4


def mod_init():
    return Dispatcher()


class Dispatcher:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.siputils.has_totag() > 0:
            if KSR.rr.loose_route() > 0:
                KSR.tm.t_relay()
            return 1
        if KSR.is_INVITE():
            KSR.rr.record_route()
        if KSR.dispatcher.ds_select_dst(SET, BY_TURN) < 0:
            KSR.sl.send_reply(503, "Service Unavailable")
            return 1
        KSR.tm.t_on_failure("ksr_failure_next")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    def ksr_failure_next(self, msg):
        if KSR.tm.t_check_status("408|50[0-9]") > 0 and KSR.dispatcher.ds_next_dst() > 0:
            KSR.tm.t_relay()
        return 1

    # Kamailio 5.6 looks for these at each reply and each send, and fails the next KSR call where one is missing.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
