"""The log to syslog: a child process takes what the server writes to standard error.

It is a process of its own, so that what the server said last is sent even when it crashes, and so that nothing in the
server waits for the system's logger. `python -m sipwright.syslog SOCKET FACILITY NAME PID` is that process.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sipwright.settings.model import LogSettings

FACILITIES: Final = {
    "kern": 0,
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "auth": 4,
    "syslog": 5,
    "lpr": 6,
    "news": 7,
    "uucp": 8,
    "cron": 9,
    "authpriv": 10,
    "ftp": 11,
    **{f"local{number}": 16 + number for number in range(8)},
}
_SEVERITIES: Final = {
    "ALERT": 1,
    "BUG": 2,
    "CRIT2": 2,
    "CRITICAL": 2,
    "CRIT": 2,
    "ERROR": 3,
    "WARNING": 4,
    "NOTICE": 5,
    "INFO": 6,
    "DEBUG": 7,
}
_INFO: Final = 6
_LINE: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z (\w+) +(.*)")
_JSON_LEVEL: Final = re.compile(r'\{.*"level":"(\w+)"')
# What syslog daemons take in one message at least; longer lines are cut.
_LONGEST_BYTES: Final = 8_000


class Syslog:
    """The process that takes the log, or none. Made once the sockets are bound: what fails before is told on the terminal."""

    def __init__(self, settings: "LogSettings") -> None:
        from sipwright import _engine, log

        self._child: subprocess.Popen[bytes] | None = None
        if settings.output != "syslog":
            return
        if not settings.syslog_socket.exists():
            log.warning(f"log.output: there is no {settings.syslog_socket}; the log stays on standard error")
            return
        _engine.flush_log(500)
        words = [str(settings.syslog_socket), settings.facility, settings.name, str(os.getpid())]
        # A session of its own: a Ctrl-C must not end it before the server.
        self._child = subprocess.Popen(
            [sys.executable, "-m", "sipwright.syslog", *words], stdin=subprocess.PIPE, start_new_session=True
        )
        assert self._child.stdin is not None
        self._terminal = os.dup(2)
        os.dup2(self._child.stdin.fileno(), 2)
        self._child.stdin.close()

    def close(self) -> None:
        """Waits until all is sent, and gives standard error back."""
        if self._child is not None:
            from sipwright import _engine

            _engine.flush_log(500)
            os.dup2(self._terminal, 2)
            os.close(self._terminal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(2)
            self._child = None


def messages(lines: Iterable[str], facility: str, name: str, pid: str) -> Iterable[bytes]:
    """The datagrams for lines of the log; further lines of one entry keep its severity."""
    severity = _INFO
    for line in lines:
        text = line.rstrip("\n")
        if found := _LINE.match(text):
            severity = _SEVERITIES.get(found[1], _INFO)
            text = f"{found[1]}: {found[2]}"
        elif found := _JSON_LEVEL.match(text):
            severity = _SEVERITIES.get(found[1], _INFO)
        if text:
            stamp = time.strftime("%b %e %H:%M:%S")
            head = f"<{FACILITIES[facility] * 8 + severity}>{stamp} {name}[{pid}]: "
            yield (head + text).encode("utf-8", "replace")[:_LONGEST_BYTES]


def main(path: str, facility: str, name: str, pid: str) -> None:
    """Sends what comes on standard input until its end; what cannot be sent is written to standard output."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        lines = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        for message in messages(lines, facility, name, pid):
            try:
                sender.sendto(message, path)
            except OSError:
                sys.stdout.write(message.decode("utf-8", "replace") + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
