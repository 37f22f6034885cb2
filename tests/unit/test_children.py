"""Children that are forked while another thread of the parent holds the lock of a stream."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import BinaryIO

import pytest

# Its arguments are the write ends of two pipes. A thread fills the first one, and then waits in a write, with the lock of
# the stream; a child that is forked then logs. Into the second one go a line once it is forked, and one when it has ended.
PROGRAM = """
import fcntl, logging, os, sys, termios, threading, time

from sipwright import children

filled, told = map(int, sys.argv[1:])
stream = {stream}


def fill():
    while True:
        stream.write("x" * 1000 + "\\n")


def waiting():
    return int.from_bytes(fcntl.ioctl(filled, termios.FIONREAD, bytes(4)), sys.byteorder)


children.keep_streams_usable()
logging.basicConfig(stream=stream, format="%(message)s")
target = logging.StreamHandler(stream)
other = logging.getLogger("other")
other.addHandler(target)
other.propagate = False
threading.Thread(target=fill, daemon=True).start()
before = -1
while (now := waiting()) != before or not now:
    before = now
    time.sleep(0.05)
child = os.fork()
if child == 0:
    logging.warning("a child says this")
    other.warning("and this")
    os._exit(5)
os.write(told, b"forked\\n")
os.write(told, b"ended with %d\\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
os._exit(0)
"""
FILE = "open(f'/proc/self/fd/{filled}', 'w')"


@pytest.mark.parametrize("stream", ["sys.stderr", "sys.stdout", FILE])
def test_handlers_of_logging_write_to_streams_of_the_child(stream: str) -> None:
    filled, filling = os.pipe()
    told, telling = os.pipe()
    program = PROGRAM.format(stream=stream)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    argv = [sys.executable, "-c", program, str(filling), str(telling)]
    with os.fdopen(filled, "rb") as output, os.fdopen(told, "rb") as words:
        process = subprocess.Popen(
            argv, pass_fds=(filling, telling), stdout=filling, stderr=filling, env=buffered, start_new_session=True
        )
        try:
            os.close(filling)
            os.close(telling)
            assert words.readline() == b"forked\n"
            # Only now is there room for what the child writes.
            lines = until(output, b"and this\n")
            # What the parent has written may end within a line.
            assert any(line.endswith(b"a child says this\n") for line in lines)
            assert words.readline() == b"ended with 5\n"
            assert process.wait(30) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(output: BinaryIO, last: bytes) -> list[bytes]:
    lines: list[bytes] = []
    while not lines or not lines[-1].endswith(last):
        lines.append(output.readline())
        assert lines[-1], "the child said nothing"
    return lines
