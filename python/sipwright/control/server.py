"""The control socket: JSON-RPC 2.0 on a Unix stream socket, one request and one answer a line.

Only the user that runs the server may connect (mode 0600). Connections, the length of a request and idle time are
bounded.
"""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Final

from sipwright.control.rpc import Rpc

SOCKET_NAME: Final = "control.sock"
MAX_CONNECTIONS: Final = 16
MAX_REQUEST_BYTES: Final = 65_536
IDLE_S: Final = 300.0
# struct sockaddr_un has room for that many bytes of a path.
_MAX_PATH_BYTES: Final = 107


class ControlServer:
    """Serves an `Rpc` on `path` from `start` to `close`."""

    def __init__(self, rpc: Rpc, path: Path) -> None:
        self.path = path
        self._rpc = rpc
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Makes the socket; a stale one is replaced, which the lock of the data directory makes safe. OSError."""
        if len(os.fsencode(self.path)) > _MAX_PATH_BYTES:
            raise OSError(f"{self.path}: too long for a Unix socket; choose a shorter data_dir")
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self.path, limit=MAX_REQUEST_BYTES)
        finally:
            os.umask(mask)

    async def close(self) -> None:
        """Stops listening, ends all connections and removes the socket."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._tasks.add(task)
        try:
            await self._answer_all(reader, writer)
        except (ConnectionError, asyncio.CancelledError, TimeoutError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readline()
            except ValueError:  # longer than MAX_REQUEST_BYTES
                return
            if not line:
                return
            if answer := await self._rpc.handle(line):
                writer.write(answer.encode() + b"\n")
                async with asyncio.timeout(IDLE_S):
                    await writer.drain()
