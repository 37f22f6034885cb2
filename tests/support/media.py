"""Media proxies of the tests: rtpengine itself, and peers that speak the control protocols."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sipwright.modules import bencode
from support.ports import free_port
from support.process import Child, wait_until
from support.tools import tool

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n"
    b"a=rtpmap:0 PCMU/8000\r\n"
)
SDP_TYPE = ("Content-Type", "application/sdp")
Answer = Callable[[bytes], bytes | None]


class ControlPeer:
    """A UDP socket that answers commands; what came is kept, without cookies."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.commands: list[bytes] = []
        self.port = free_port("127.0.0.1")
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"udp:127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[ControlPeer]:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", self.port))
        thread = threading.Thread(target=self._serve, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            # Wakes the thread, which ends on an empty datagram.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", ("127.0.0.1", self.port))
            thread.join(5)
            self._socket.close()

    def _serve(self) -> None:
        assert self._socket is not None
        while True:
            data, source = self._socket.recvfrom(65_536)
            if not data:
                return
            command = self.took(data)
            self.commands.append(command)
            answer = self.answer(command)
            if answer is not None:
                self._socket.sendto(data[: len(data) - len(command)] + answer, source)

    def took(self, data: bytes) -> bytes:
        """The command, without its cookie."""
        return data.partition(b" ")[2]


class CapturePeer(ControlPeer):
    """A UDP socket that keeps what it is sent, whole, and answers nothing."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)

    def took(self, data: bytes) -> bytes:
        return data


def rtpengine_peer(answers: Callable[[dict[str, Any]], dict[str, Any] | bytes | None]) -> ControlPeer:
    """A peer that speaks NG: pings are answered, other commands by the function."""

    def answer(command: bytes) -> bytes | None:
        made = bencode.decode(command)
        if made["command"] == "ping":
            return bencode.encode({"result": "pong"})
        found = answers(made)
        return bencode.encode(found) if isinstance(found, dict) else found

    return ControlPeer(answer)


def rtpproxy_peer(media: bytes = b"35000 127.0.0.9\n") -> ControlPeer:
    """A peer that speaks RTPProxy's protocol and has `media` for every offer and answer."""

    def answer(command: bytes) -> bytes:
        if command == b"V":
            return b"20040107\n"
        if command.startswith(b"VF"):
            return b"1\n"
        return media if command[:1] in (b"U", b"L") else b"0\n"

    return ControlPeer(answer)


@contextlib.contextmanager
def rtpengine(directory: Path) -> Iterator[str]:
    """Debian's rtpengine in user space, with its socket as `rtpengine_sock` has it."""
    port = free_port("127.0.0.1")
    low = free_port("127.0.0.1") & ~1
    argv = [tool("rtpengine"), "--foreground", "--table=-1", "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{port}"]
    argv += [f"--port-min={low}", f"--port-max={low + 40}", "--log-stderr", "--log-level=6", "--num-threads=1"]
    argv += [f"--pidfile={directory / 'rtpengine.pid'}", "--config-file=none"]
    child = Child(argv, directory / "rtpengine.log", cwd=directory)
    try:
        wait_until(lambda: answers_ping(port) or not child.running(), 10, "rtpengine answers")
        assert child.running(), child.output()
        yield f"udp:127.0.0.1:{port}"
    finally:
        child.stop(5)


def answers_ping(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", port))
        try:
            sock.send(b"1 d7:command4:pinge")
            return b"pong" in sock.recv(1_000)
        except OSError:
            return False
