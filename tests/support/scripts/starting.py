"""Does what START_DO says when it comes to the step START_AT; answers every request with 200.

Steps: module, mod_init, child_init_0, child_init_1, child_init_2, request. Each step that is reached is noted in the
file START_LOG. What can be done: a signal's name, raise, exit, none, negative, block, thread (one that never ends).
"""

import os
import signal
import sys
import threading
import time

import KSR


def at(step):
    with open(os.environ["START_LOG"], "a") as log:
        log.write(step + "\n")
    what = os.environ.get("START_DO", "")
    if step != os.environ.get("START_AT"):
        return 0
    if what.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, what))
        # The interpreter handles a signal between two instructions of the main thread.
        time.sleep(0.05)
    if what == "raise":
        raise ValueError("broke at " + step)
    if what == "exit":
        sys.exit(3)
    if what == "block":
        time.sleep(3600)
    if what == "thread":
        threading.Thread(target=time.sleep, args=(3600,), name="never-ends").start()
    return {"negative": -1, "none": None}.get(what, 0)


at("module")


def mod_init():
    return Starting() if at("mod_init") is not None else None


class Starting:
    def child_init(self, rank):
        return at(f"child_init_{rank}")

    def ksr_request_route(self, msg):
        at("request")
        KSR.sl.sl_send_reply(200, "OK")
        return 1
