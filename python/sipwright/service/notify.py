"""What a service tells systemd by sd_notify(3): that it is ready, reloads, stops, and that it is alive."""

import os
import socket
import time
from collections.abc import MutableMapping
from typing import Final

from sipwright import log

# The most often that the watchdog of systemd is told something, whatever it asks for.
_SHORTEST_BEAT_S: Final = 0.1


class Notifier:
    """The way to the service manager. Without one (no `NOTIFY_SOCKET`) every call does nothing.

    The variables are taken out of `environ`, so that programs which a script starts do not speak for the server.
    """

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        address = environ.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._every_s = _watchdog_s(environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", ""))
        self._last_beat_s = -self._every_s

    def ready(self, status: str) -> None:
        """The server accepts messages, for the first time or again after `reloading`; `status` is one line for people."""
        self._tell(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """Script or settings are being read again; `ready` follows, whether that goes well or not."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, limit_s: float) -> None:
        """The server has been told to stop, which takes `limit_s` seconds at most."""
        self._tell(f"STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={int(limit_s * 1_000_000)}")

    def beat(self) -> None:
        """The server is alive; called as often as one likes, tells it twice in the time that the watchdog allows."""
        now = time.monotonic()
        if self._every_s and now - self._last_beat_s >= self._every_s:
            self._last_beat_s = now
            self._tell("WATCHDOG=1")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as way:
                way.sendto(state.encode(), self._address)
        except OSError as error:
            log.warning(f"the service manager cannot be told {state.partition('=')[0]}: {error}")


def _watchdog_s(limit_us: str, pid: str) -> float:
    """How often to beat: half of the time that systemd waits, 0 for never (sd_watchdog_enabled(3))."""
    if not limit_us.isdigit() or (pid and pid != str(os.getpid())):
        return 0.0
    return max(int(limit_us) / 2_000_000, _SHORTEST_BEAT_S) if int(limit_us) else 0.0
