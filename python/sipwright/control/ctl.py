"""Kamailio's binary RPC on sockets, so that kamcmd and exporters work (Kamailio's module ctl)."""

import asyncio
import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sipwright import log
from sipwright.control.places import bound_unix, is_served, make_way, own
from sipwright.control.rpc import FAILED, INVALID_PARAMS, METHOD_NOT_FOUND, Rpc, RpcError
from sipwright.modules.binrpc import (
    MAX_BODY_BYTES,
    REQUEST,
    BinrpcError,
    Packet,
    fault,
    packet_of,
    packets,
    reply,
)
from sipwright.settings.ctl import RUN_DIR, SOCKET_NAME, CtlAddress, CtlSettings
from sipwright.settings.errors import SettingsError

if TYPE_CHECKING:
    from sipwright.host import Host

MAX_CONNECTIONS: Final = 64
IDLE_S: Final = 3600.0
_READ: Final = 65_536
# What Kamailio says of a method's errors that have no number of their own.
_CODES: Final = {FAILED: 500, INVALID_PARAMS: 400}
_SHOWN_AS: Final = {"unixs": "unix_stream", "unixd": "unix_dgram"}


def configure(host: "Host") -> None:
    """Opens the sockets of the settings. SettingsError or OSError."""
    server = CtlServer(host.rpc, host.settings.ctl)
    host.rpc.add("ctl.listen", server.listening)
    host.rpc.add("ctl.who", server.who)
    host.rpc.add("ctl.connections", server.count)
    data_dir = host.settings.data_dir
    if host.engine is None or data_dir is None:
        return
    addresses = host.settings.ctl.binrpc
    if not addresses and "ctl" in (host.settings.modules or ()):
        addresses = [CtlAddress("unixs", str(_default_path(data_dir)), 0)]
    host.at_stop(server.close)
    for address in addresses:
        server.open(address, data_dir)
    host.serve(server.serve)


def _default_path(data_dir: Path) -> Path:
    path = RUN_DIR / SOCKET_NAME
    if os.access(RUN_DIR, os.W_OK) and not is_served(path):
        return path
    other = data_dir / SOCKET_NAME
    log.notice(f"ctl: {path} cannot be used; kamcmd -s unixs:{other}")
    return other


class CtlServer:
    """The sockets; `connections` are what came by streams: where to, and from where."""

    def __init__(self, rpc: Rpc, settings: CtlSettings) -> None:
        self._rpc, self._settings = rpc, settings
        self._sockets: list[tuple[CtlAddress, socket.socket]] = []
        self.connections: dict[asyncio.Task[None], tuple[CtlAddress, Any]] = {}

    def open(self, address: CtlAddress, data_dir: Path) -> None:
        """Binds one. SettingsError or OSError."""
        if address.kind.startswith("unix"):
            made = self._open_unix(data_dir / address.host, address.kind)
            address = address._replace(host=str(data_dir / address.host))
        else:
            kind = socket.SOCK_STREAM if address.kind == "tcp" else socket.SOCK_DGRAM
            made = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, kind)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(address.kind == "tcp"))
            try:
                made.bind((address.host, address.port))
            except OSError as error:
                made.close()
                raise OSError(error.errno, f"{error.strerror} (ctl.binrpc)", str(address)) from None
        if made.type == socket.SOCK_STREAM:
            made.listen()
        made.setblocking(False)
        self._sockets.append((address, made))

    def _open_unix(self, path: Path, kind: str) -> socket.socket:
        if is_served(path):
            raise SettingsError(f"ctl.binrpc: {path}: another process listens on it")
        make_way(path, stat.S_ISSOCK)
        made = bound_unix(path, socket.SOCK_STREAM if kind == "unixs" else socket.SOCK_DGRAM)
        try:
            own(path, self._settings.mode, self._settings.user, self._settings.group)
        except (KeyError, OSError) as error:
            made.close()
            raise SettingsError(f"ctl.user, ctl.group, ctl.mode: {path}: {error}") from None
        return made

    async def serve(self) -> None:
        """Answers until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for address, made in self._sockets:
                    serve = self._accept if made.type == socket.SOCK_STREAM else self._datagrams
                    group.create_task(serve(address, made))
        finally:
            for task in list(self.connections):
                task.cancel()

    def close(self) -> None:
        """Closes and removes the sockets."""
        for address, made in self._sockets:
            made.close()
            if address.kind.startswith("unix"):
                Path(address.host).unlink(missing_ok=True)
        self._sockets.clear()

    async def _accept(self, address: CtlAddress, made: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(made)
            except OSError as error:
                log.error(f"ctl: {address}: {error.strerror}")
                await asyncio.sleep(1)
                continue
            connection.setblocking(False)
            if len(self.connections) >= MAX_CONNECTIONS:
                connection.close()
                continue
            task = loop.create_task(self._serve(connection))
            self.connections[task] = address, peer
            task.add_done_callback(lambda done: self.connections.pop(done, None))

    async def _serve(self, connection: socket.socket) -> None:
        loop, buffer = asyncio.get_running_loop(), bytearray()
        with connection, contextlib.suppress(ConnectionError, TimeoutError, BinrpcError, asyncio.CancelledError):
            while True:
                async with asyncio.timeout(IDLE_S):
                    data = await loop.sock_recv(connection, _READ)
                if not data:
                    return
                buffer += data
                for packet in packets(buffer):
                    async with asyncio.timeout(IDLE_S):
                        await loop.sock_sendall(connection, await self._answer(packet))

    async def _datagrams(self, address: CtlAddress, made: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data, sender = await loop.sock_recvfrom(made, MAX_BODY_BYTES)
            try:
                answer = await self._answer(packet_of(data))
                if sender:
                    async with asyncio.timeout(1):
                        await loop.sock_sendto(made, answer, sender)
            except BinrpcError as error:
                log.info(f"ctl: {address}: {error}")
            except (OSError, TimeoutError) as error:
                log.warning(f"ctl: an answer to {sender!r} was not taken: {error}")

    async def _answer(self, packet: Packet) -> bytes:
        if packet.kind != REQUEST or not packet.values or not isinstance(packet.values[0], str):
            return fault(packet.cookie, 400, "the request names no method")
        method, *params = packet.values
        try:
            return reply(packet.cookie, await self._rpc.call(method, params))
        except RpcError as error:
            if error.code == METHOD_NOT_FOUND:
                return fault(packet.cookie, 500, f"command {method} not found")
            return fault(packet.cookie, error.code if error.code > 0 else _CODES.get(error.code, 500), str(error))

    def listening(self) -> list[str]:
        """The sockets of kamcmd: protocol, transport, and what it is bound to, for each."""
        return [text for address, _ in self._sockets for text in ("binrpc", *_shown(address))]

    def count(self) -> int:
        """How many connections to these sockets there are."""
        return len(self.connections)

    def who(self) -> list[str]:
        """Connections to these sockets: protocol, transport, the other side, and the socket, for each."""
        rows: list[str] = []
        for address, peer in self.connections.values():
            transport, *here = _shown(address)
            there = [str(peer[0]), str(peer[1])] if peer else ["<anonymous unix socket>", ""]
            rows += ["binrpc", transport, *there, *here]
        return rows


def _shown(address: CtlAddress) -> tuple[str, str, str]:
    is_unix = address.kind.startswith("unix")
    return _SHOWN_AS.get(address.kind, address.kind), address.host, "" if is_unix else str(address.port)
