"""Answers 200; of the MESSAGE requests the share BLOCKS takes BLOCK_S: INTERFERE says whether it sleeps or spins."""

import os
import random
import time

import KSR

KIND = os.environ.get("INTERFERE", "idle")
SHARE = float(os.environ.get("BLOCKS", "0.05"))
BLOCK_S = float(os.environ.get("BLOCK_S", "0.5"))
CHANCE = random.Random(1)


def mod_init():
    return Interfering()


class Interfering:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.pv.get("$rm") == "MESSAGE" and CHANCE.random() < SHARE:
            if KIND == "sleep":
                time.sleep(BLOCK_S)
            elif KIND == "spin":
                until = time.monotonic() + BLOCK_S
                while time.monotonic() < until:
                    pass
        KSR.sl.sl_send_reply(200, "OK")
        return 1
