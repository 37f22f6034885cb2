"""KSR.log_systemd: lines for the journal of systemd, by its own protocol."""

import os
import socket
import struct
from typing import Final

from sipwright import log
from sipwright.kemi.calls import ksr

__all__ = ["sd_journal_print"]

_SOCKET: Final = "/run/systemd/journal/socket"
# Kamailio's names, as priorities of syslog.
_PRIORITIES: Final = {
    "ALERT": 1,
    "BUG": 2,
    "CRIT": 2,
    "ERR": 3,
    "ERROR": 3,
    "WARN": 4,
    "WARNING": 4,
    "NOTICE": 5,
    "INFO": 6,
    "DBG": 7,
    "DEBUG": 7,
}


@ksr("log_systemd.sd_journal_print")
def sd_journal_print(level: str, text: str) -> int:
    """Writes a line into the journal, at a level such as `LOG_INFO` or `err`: 1, or -1 when there is no journal."""
    name = level.strip().upper().removeprefix("LOG_").removeprefix("L_")
    fields = {
        "PRIORITY": str(_PRIORITIES.get(name, 6)),
        "SYSLOG_IDENTIFIER": "sipwright",
        "SYSLOG_PID": str(os.getpid()),
        "MESSAGE": text,
    }
    return 1 if _send(fields, _SOCKET) else -1


def entry(fields: dict[str, str]) -> bytes:
    """Fields in the journal's native form: those with line feeds carry their length."""
    lines = []
    for name, value in fields.items():
        data = value.encode("utf-8", "surrogateescape")
        if b"\n" in data:
            lines.append(name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            lines.append(name.encode() + b"=" + data + b"\n")
    return b"".join(lines)


def _send(fields: dict[str, str], path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(1)
            sender.sendto(entry(fields), path)
    except OSError as error:
        log.error(f"KSR.log_systemd: the journal at {path} does not take it: {error.strerror or error}")
        return False
    return True
