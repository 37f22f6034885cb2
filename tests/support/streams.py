"""A callee on TCP or TLS that answers every request with 200."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from support.certificates import Certificates
from support.messages import Sip
from support.peers import StreamPeer


@dataclass
class StreamCallee:
    """Its port, the requests that it got, and the server names that TLS asked for."""

    port: int = 0
    seen: list[Sip] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)


@contextlib.asynccontextmanager
async def stream_callee(tls: Certificates | None = None) -> AsyncIterator[StreamCallee]:
    """Runs one, with this certificate or by plain TCP."""
    callee = StreamCallee()
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        context.sni_callback = lambda _, name, __: callee.names.append(name)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        peer = StreamPeer(reader, writer)
        try:
            while True:
                message = await peer.receive(60)
                callee.seen.append(message)
                await peer.send(message.reply(200, "OK", "callee"))
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            tasks.discard(task)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with listener:
        callee.port = listener.sockets[0].getsockname()[1]
        try:
            yield callee
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks)
            # The transports close in the loop's next turn.
            await asyncio.sleep(0)
