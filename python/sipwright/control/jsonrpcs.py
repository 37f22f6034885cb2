"""JSON-RPC over a FIFO and over datagrams, in the control loop, as Kamailio's jsonrpcs offers it.

A request that comes by the FIFO names with `reply_name` another FIFO, in `jsonrpcs.fifo_reply_dir`, that its answer goes to.
A datagram is answered to where it came from. Requests of one transport are answered one after another.
"""

import asyncio
import contextlib
import errno
import json
import os
import select
import socket
import stat
import time
from pathlib import Path
from typing import Final

from sipwright import log
from sipwright.control.background import in_thread
from sipwright.control.places import bound_unix, make_way, own
from sipwright.control.rpc import Rpc
from sipwright.modules.jsonrpcs import MAX_DOCUMENT_BYTES, Documents, reply_name, shown
from sipwright.settings.jsonrpcs import JsonrpcsSettings, udp_address

# Within this time the reader of a reply FIFO has to be there, and to take the answer.
REPLY_TIMEOUT_S: Final = 2.0
RETRY_S: Final = 0.02


class FifoServer:
    """A FIFO that requests come by; made at once, served from `serve` on, removed by `close`. OSError."""

    def __init__(self, rpc: Rpc, path: Path, settings: JsonrpcsSettings) -> None:
        self._rpc, self.path, self._settings = rpc, path, settings
        make_way(path, stat.S_ISFIFO)
        os.mkfifo(path, 0o600)
        own(path, settings.fifo_mode, settings.fifo_user, settings.fifo_group)
        # Open for writing too: otherwise each writer that goes would be the end of the stream.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    async def serve(self) -> None:
        """Answers requests until it is cancelled."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MAX_DOCUMENT_BYTES)
        pipe = os.fdopen(os.dup(self._fd), "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        documents = Documents()
        try:
            while data := await reader.read(MAX_DOCUMENT_BYTES):
                for request in documents.feed(data, time.monotonic()):
                    await self._answer(request)
        finally:
            transport.close()

    async def _answer(self, request: bytes) -> None:
        answer = await _answered(self._rpc, request, self._settings.pretty_format)
        name = reply_name(request)
        if answer is None or name is None:
            return
        try:
            await in_thread(write_reply, self._settings.fifo_reply_dir / name, answer.encode() + b"\n")
        except OSError as error:
            log.warning(f"jsonrpcs: the answer for {name} was not taken: {error.strerror or error}")

    def close(self) -> None:
        """Removes the FIFO."""
        os.close(self._fd)
        self.path.unlink(missing_ok=True)


class DatagramServer:
    """A datagram socket that requests come by; made at once, served from `serve` on, removed by `close`. OSError."""

    def __init__(self, rpc: Rpc, place: Path | tuple[str, int], settings: JsonrpcsSettings) -> None:
        self._rpc, self._settings = rpc, settings
        self.path = place if isinstance(place, Path) else None
        if isinstance(place, Path):
            make_way(place, stat.S_ISSOCK)
            self._socket = bound_unix(place, socket.SOCK_DGRAM)
            own(place, settings.dgram_mode, settings.dgram_user, settings.dgram_group)
        else:
            self._socket = socket.socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.bind(place)
        self._socket.setblocking(False)

    async def serve(self) -> None:
        """Answers requests until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            request, sender = await loop.sock_recvfrom(self._socket, MAX_DOCUMENT_BYTES)
            answer = await _answered(self._rpc, request, self._settings.pretty_format)
            if answer is None or not sender:
                continue
            try:
                async with asyncio.timeout(self._settings.dgram_timeout_ms / 1000):
                    await loop.sock_sendto(self._socket, answer.encode(), sender)
            except (OSError, TimeoutError) as error:
                log.warning(f"jsonrpcs: an answer to {sender!r} was not taken: {error}")

    def close(self) -> None:
        """Closes the socket and removes it."""
        self._socket.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def datagram_place(text: str, data_dir: Path) -> Path | tuple[str, int]:
    """Where `jsonrpcs.dgram_socket` is: a path, or an address of loopback."""
    return udp_address(text) or data_dir / text


async def _answered(rpc: Rpc, request: bytes, pretty: bool) -> str | None:
    answer = await rpc.handle(request)
    return answer if answer is None or not pretty else shown(json.loads(answer), pretty)


def write_reply(path: Path, data: bytes) -> None:
    """Writes to a FIFO that somebody reads. OSError when it is none, nobody reads it, or not everything in time."""
    deadline = time.monotonic() + REPLY_TIMEOUT_S
    fd = _open_reply(path, deadline)
    try:
        # A file or a device that somebody put there, or a link, is not written to.
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a FIFO")
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        while data:
            if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
                raise TimeoutError(errno.ETIMEDOUT, "nobody reads it")
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(fd, data) :]
    finally:
        os.close(fd)


def _open_reply(path: Path, deadline: float) -> int:
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            # The client makes it and sends the request before it begins to read.
            if error.errno not in (errno.ENXIO, errno.ENOENT) or time.monotonic() >= deadline:
                raise
        time.sleep(RETRY_S)
