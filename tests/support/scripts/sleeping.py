"""Sleeps for as long as the header X-Sleep says, in seconds, then answers 200."""

import time

import KSR


def mod_init():
    return Sleeping()


class Sleeping:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        nap(float(KSR.pv.get("$hdr(X-Sleep)") or 0))
        KSR.sl.sl_send_reply(200, "OK")
        return 1


def nap(seconds):
    time.sleep(seconds)
