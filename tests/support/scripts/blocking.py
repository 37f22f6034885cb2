"""Holds the interpreter lock for as long as the header X-Block says, in seconds; else answers 200."""

import os
import sys
import time

import KSR

# No other thread may get the lock in between.
sys.setswitchinterval(60)


def mod_init():
    return Blocking()


def note(text):
    out = os.open(os.environ["BLOCK_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(out, text)
    os.close(out)


class Blocking:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        seconds = KSR.pv.get("$hdr(X-Block)")
        if seconds:
            until = time.monotonic() + float(seconds)
            note(b"blocked\n")
            while time.monotonic() < until:
                pass
            note(b"free\n")
        KSR.sl.sl_send_reply(200, "OK")
        return 1
