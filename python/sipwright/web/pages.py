"""The routes of the page: its files, and server-sent events with what changes.

Whoever gets here was let through by the guard of the HTTP service.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from sipwright.control.http import headers
from sipwright.control.rpc import RpcError
from sipwright.web.feed import SAMPLE_S, Feed

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from sipwright.control.http.mounts import HttpContext

_SCRIPT: Final = "text/javascript; charset=utf-8"
FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/app.js": ("app.js", _SCRIPT),
    "/page/calls.js": ("calls.js", _SCRIPT),
    "/page/ladder.js": ("ladder.js", _SCRIPT),
    "/page/parts.js": ("parts.js", _SCRIPT),
    "/page/sections.js": ("sections.js", _SCRIPT),
    "/page/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page/icon.svg": ("icon.svg", "image/svg+xml"),
}
# Browsers that look at a time; each has one stream.
MOST_STREAMS: Final = 16
# How often a call that somebody looks at is looked for.
CALL_S: Final = 0.25
RETRY_MS: Final = 2000


def make_routes(context: "HttpContext") -> "Iterable[BaseRoute]":
    """The routes, for `host.http.mount`."""
    from starlette.responses import JSONResponse, StreamingResponse
    from starlette.routing import Route

    streams = _Streams(context)

    async def live(request: "Request") -> "Response":
        if streams.are_too_many:
            return JSONResponse({"error": "too many pages are open"}, 503, headers=headers.PAGE)
        events = streams.open(request.query_params.get("call", ""))
        return StreamingResponse(events, media_type="text/event-stream", headers=headers.PAGE)

    return [*(_file(path, *FILES[path]) for path in FILES), Route("/page/live", live)]


def _file(path: str, name: str, kind: str) -> "BaseRoute":
    from starlette.responses import Response
    from starlette.routing import Route

    content = resources.files("sipwright.web").joinpath("static", name).read_bytes()

    async def answer(_request: "Request") -> "Response":
        return Response(content, headers={**headers.PAGE, "content-type": kind})

    return Route(path, answer)


class _Streams:
    """What open pages are told."""

    def __init__(self, context: "HttpContext") -> None:
        self._context = context
        self._feed = Feed(context.call)
        self._open = 0

    @property
    def are_too_many(self) -> bool:
        """Whether no more are taken."""
        return self._open >= MOST_STREAMS

    async def open(self, call_id: str) -> AsyncIterator[bytes]:
        """The events of one page until it goes away or the server ends: see `_events`."""
        self._open += 1
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            async for event in self._events(call_id):
                yield event
        finally:
            self._open -= 1

    async def _events(self, call_id: str) -> AsyncIterator[bytes]:
        """`history` once, `state` once a second with what has changed in it, `call` when there is something new of
        the call that is looked at, `problem` when the server does not say.
        """
        followed = self._feed.follow(call_id) if call_id else None
        shown: dict[str, Any] = {}
        yield _event("history", self._feed.history)
        while not self._context.is_closed():
            try:
                state = await self._feed.state()
                yield _event("state", {name: value for name, value in state.items() if shown.get(name) != value})
                shown = state
                for _ in range(round(SAMPLE_S / CALL_S)):
                    if followed is not None and (ladder := await followed.news()) is not None:
                        yield _event("call", ladder)
                    await asyncio.sleep(CALL_S)
            except RpcError as error:
                yield _event("problem", {"error": str(error)})
                await asyncio.sleep(SAMPLE_S)


def _event(name: str, value: Any) -> bytes:
    # JSON has no line breaks of its own, and escapes those of texts.
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()
