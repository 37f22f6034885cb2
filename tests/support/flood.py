"""Bounded UDP load from a thread of the test process."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from types import TracebackType

from support.messages import request

BURST = 50


class Flood:
    """Sends datagrams in bursts for at most `seconds`, and throws the answers away.

    `rate` is in datagrams a second; without it, as fast as a thread can.
    """

    def __init__(
        self, server: tuple[str, int], datagrams: Iterator[bytes], seconds: float = 10.0, rate: float | None = None
    ) -> None:
        self.sent = self.received = 0
        self._datagrams, self._seconds, self._rate = datagrams, seconds, rate
        self._stop = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((server[0], 0))
        self._socket.connect(server)
        self._socket.setblocking(False)
        self._thread = threading.Thread(target=self._run)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()
        return host, port

    def _run(self) -> None:
        begin = time.monotonic()
        deadline = begin + self._seconds
        while not self._stop.is_set() and time.monotonic() < deadline:
            for _ in range(BURST):
                datagram = next(self._datagrams, None)
                if datagram is None:
                    return
                # A server that has ended answers with ICMP; the buffer may be full.
                with contextlib.suppress(ConnectionRefusedError, BlockingIOError):
                    self._socket.send(datagram)
                    self.sent += 1
            self._drain()
            if self._rate:
                self._stop.wait(max(0.0, begin + self.sent / self._rate - time.monotonic()))

    def _drain(self) -> None:
        with contextlib.suppress(ConnectionRefusedError, BlockingIOError):
            while self._socket.recv(65536):
                self.received += 1

    def __enter__(self) -> Flood:
        self._thread.start()
        return self

    def wait(self) -> None:
        """Until everything is sent, or the time is over."""
        self._thread.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()


def options_flood(server: tuple[str, int], seconds: float = 10.0, rate: float | None = None) -> Flood:
    """OPTIONS for the server, each a new request."""

    def datagrams() -> Iterator[bytes]:
        template = request("OPTIONS", f"sip:{server[0]}:{server[1]}", flood.address, call_id="@@").encode()
        branch = template.split(b"branch=")[1].split(b"\r\n")[0]
        number = 0
        while True:
            number += 1
            yield template.replace(branch, b"z9hG4bKflood%d" % number).replace(b"@@", b"flood%d" % number)

    flood = Flood(server, datagrams(), seconds, rate)
    return flood
