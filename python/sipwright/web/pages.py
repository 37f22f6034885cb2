"""The routes of the page: its files, and server-sent events with what changes.

Whoever gets here was let through by the guard of the HTTP service. Nothing of the page comes from elsewhere and no text of
a message becomes markup; the headers below have the browser see to both.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from sipwright.control.rpc import RpcError
from sipwright.web.feed import SAMPLE_S, Feed

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from sipwright.control.http.mounts import HttpContext

FILES: Final = {
    "": ("index.html", "text/html; charset=utf-8"),
    "app.js": ("app.js", "text/javascript; charset=utf-8"),
    "ladder.js": ("ladder.js", "text/javascript; charset=utf-8"),
    "parts.js": ("parts.js", "text/javascript; charset=utf-8"),
    "style.css": ("style.css", "text/css; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
# Browsers that look at a time; each has one stream.
MOST_STREAMS: Final = 16
CALL_S: Final = 0.25


def make_routes(context: "HttpContext") -> "Iterable[BaseRoute]":
    """The routes, for `host.http.mount`."""
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route

    feed = Feed(context.call)
    streams = [0]

    def file(name: str) -> "Route":
        path, kind = FILES[name]
        content = resources.files("sipwright.web").joinpath("static", path).read_bytes()

        async def answer(_request: "Request") -> "Response":
            return Response(content, headers={**HEADERS, "content-type": kind})

        return Route(f"/{name}" if not name else f"/page/{name}", answer)

    async def live(request: "Request") -> "Response":
        if streams[0] >= MOST_STREAMS:
            return JSONResponse({"error": "too many pages are open"}, 503, headers=HEADERS)
        events = _counted(streams, _events(feed, request.query_params.get("call", "")))
        return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)

    async def call(request: "Request") -> "Response":
        found = await feed.ladder(request.query_params.get("id", ""))
        if found is None:
            return JSONResponse({"error": "this call is not recorded"}, 404, headers=HEADERS)
        return JSONResponse(found, headers=HEADERS)

    return [*map(file, FILES), Route("/page/live", live), Route("/page/call", call)]


async def _counted(streams: list[int], events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    streams[0] += 1
    try:
        async for event in events:
            yield event
    finally:
        streams[0] -= 1


async def _events(feed: Feed, call_id: str) -> AsyncIterator[bytes]:
    """`state` once a second, and `call` when there is something new of the call that is looked at."""
    seen = rows = -1
    while True:
        try:
            yield _event("state", await feed.state())
            for _ in range(round(SAMPLE_S / CALL_S)):
                if call_id and (number := await feed.last_number()) != seen:
                    seen, ladder = number, await feed.ladder(call_id)
                    if ladder is not None and len(ladder["rows"]) != rows:
                        rows = len(ladder["rows"])
                        yield _event("call", ladder)
                await asyncio.sleep(CALL_S)
        except RpcError as error:
            yield _event("problem", {"error": str(error)})
            await asyncio.sleep(SAMPLE_S)


def _event(name: str, value: Any) -> bytes:
    # JSON has no line breaks of its own, and escapes those of texts.
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()
