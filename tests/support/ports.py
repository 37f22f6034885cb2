"""Free ports on loopback, for programs that cannot tell which port the system gave them."""

from __future__ import annotations

import itertools
import random
import socket
from pathlib import Path

# Ports that the system gives to outgoing connections are left alone: one of those may take, or may
# still hold in TIME_WAIT, what was free a moment ago.
FIRST = 10_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def _ports() -> list[int]:
    """All there are, from a place of this process's own on, so that two suites beside each other seldom meet."""
    end = int(EPHEMERAL.read_text("ascii").split()[0]) if EPHEMERAL.exists() else 32_768
    begin = random.randrange(FIRST, end)
    return [*range(begin, end), *range(FIRST, begin)]


_all = _ports()
_next = itertools.cycle(_all)


def free_port(host: str = "127.0.0.1") -> int:
    """A port free for UDP and TCP alike; this process gives it again only after all others."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in itertools.islice(_next, len(_all)):
        with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family, socket.SOCK_STREAM) as tcp:
            try:
                udp.bind((host, port))
                tcp.bind((host, port))
            except OSError:
                continue
        return port
    raise OSError(f"no free port on {host}")
