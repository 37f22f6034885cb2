"""Forks in mod_init, in child_init and in the route, by hand and with multiprocessing; children leave in every way."""

import multiprocessing
import os
import sys
import time

import KSR

FORK = multiprocessing.get_context("fork")


def by_hand():
    """Forks a child that leaves as a program does: it collects garbage and clears what is left."""
    child = os.fork()
    if child == 0:
        import gc

        gc.collect()
        KSR.info("a child says this\n")
        sys.stderr.flush()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def with_multiprocessing():
    results = FORK.SimpleQueue()
    child = FORK.Process(target=results.put, args=("fine",))
    child.start()
    assert results.get() == "fine"
    child.join()
    # Another worker that starts a process meanwhile also collects those that have ended: `join` may return before it says so.
    until = time.monotonic() + 5
    while child.exitcode is None and time.monotonic() < until:
        time.sleep(0.01)
    assert child.exitcode == 0


def fork():
    by_hand()
    with_multiprocessing()


def mod_init():
    fork()
    return Forks()


class Forks:
    def child_init(self, rank):
        fork()
        return 0

    def ksr_request_route(self, msg):
        fork()
        KSR.sl.sl_send_reply(200, "OK")
        return 1
