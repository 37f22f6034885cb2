"""Does all that has crashed and hung servers with an embedded Python, then relays the request.

At every step (module scope, mod_init, child_init, routes): TLS with Python's ssl, threads, programs, databases and
forks. Of the requests some raise, sleep, or spin with the interpreter lock in hand, by chance.

Needs HTTPS_PORT and CA in the environment: a server on loopback that answers any GET.
"""

import faulthandler
import http.client
import multiprocessing
import os
import random
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import KSR

TLS = ssl.create_default_context(cafile=os.environ["CA"])
FORK = multiprocessing.get_context("fork")
CHANCE = random.Random(int(os.environ.get("SEED", "1")))
SPIN_S = 0.05


def fetch():
    connection = http.client.HTTPSConnection("localhost", int(os.environ["HTTPS_PORT"]), context=TLS, timeout=20)
    try:
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"fine"
    finally:
        connection.close()


def in_thread():
    thread = threading.Thread(target=fetch)
    thread.start()
    thread.join()


def run_program():
    assert subprocess.run(["/bin/echo", "fine"], capture_output=True, check=True).stdout == b"fine\n"


def query():
    with sqlite3.connect(":memory:") as database:
        assert database.execute("select 6 * 7").fetchone() == (42,)
    database.close()


def in_child(results, stacks):
    # Where it hangs, if it does.
    faulthandler.dump_traceback_later(15, file=stacks)
    # What a child does with the engine must come to nothing, and not hang.
    KSR.info("a child says this\n")
    KSR.pv.get("$rU")
    results.put("fine")


def fork():
    results = FORK.SimpleQueue()
    with tempfile.TemporaryFile("w+") as stacks:
        child = FORK.Process(target=in_child, args=(results, stacks))
        child.start()
        assert results.get() == "fine"
        child.join(20)
        stacks.seek(0)
        assert exit_status(child) == 0, (child.exitcode, state(child.pid), stacks.read())


def exit_status(child):
    """Waits for it: a thread that starts a process meanwhile also collects those that have ended, and `join` returns before it says so."""
    until = time.monotonic() + 5
    while child.exitcode is None and time.monotonic() < until:
        time.sleep(0.01)
    return child.exitcode


def state(pid):
    """What the kernel says of a child that has not ended."""
    try:
        with open(f"/proc/{pid}/status") as status, open(f"/proc/{pid}/wchan") as wchan:
            return status.read().partition("\nTgid")[0], wchan.read()
    except OSError as error:
        return str(error)


def spin():
    """Keeps the interpreter lock: no other thread gets it in between."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(10)
    until = time.monotonic() + SPIN_S
    while time.monotonic() < until:
        pass
    sys.setswitchinterval(before)


def do_everything():
    fetch()
    in_thread()
    run_program()
    query()
    fork()


do_everything()


def mod_init():
    do_everything()
    thread = threading.Thread(target=fetch)
    thread.start()
    return Everything()


class Everything:
    def child_init(self, rank):
        do_everything()
        return 0

    def ksr_request_route(self, msg):
        method = KSR.pv.get("$rm")
        chance = CHANCE.random()
        # An ACK has no answer that could tell its sender of an error.
        if chance < 0.02 and method != "ACK":
            raise ValueError("a script that raises")
        if chance < 0.04:
            time.sleep(CHANCE.random() / 2)
        elif chance < 0.07:
            spin()
        elif chance < 0.10:
            fetch()
        elif chance < 0.11:
            in_thread()
        elif chance < 0.12:
            run_program()
        elif chance < 0.14:
            query()
        elif chance < 0.145:
            fork()
        if method == "OPTIONS":
            KSR.sl.sl_send_reply(200, "OK")
            return 1
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1
