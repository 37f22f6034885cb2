"""Answers every request with 200."""

import KSR


def mod_init():
    return Answer()


class Answer:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.sl.sl_send_reply(200, "OK")
        return 1

    # Kamailio 5.6 looks for this at each send, and fails the next KSR call where it is missing.
    def ksr_onsend_route(self, msg):
        return 1
