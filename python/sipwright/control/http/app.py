"""The routes of the control plane: `/RPC`, `/metrics`, `/health`, `/ready`, `/login`, and what modules mount."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sipwright.control import status
from sipwright.control.http import headers
from sipwright.control.http.guard import COOKIE, App, Guard
from sipwright.control.http.mounts import HttpContext
from sipwright.control.http.tokens import Tokens

if TYPE_CHECKING:
    from sipwright.server import Server

_JSON_TYPES: Final = ("application/json", "application/json-rpc")
_LOGIN: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sipwright: log in</title>
<link rel="stylesheet" href="/page/style.css">
</head>
<body class="login">
<main>
<h1>Sipwright</h1>
<form method="post">
<label for="token">Token of this server (http.token_file)</label>
<input id="token" type="password" name="token" autofocus required autocomplete="current-password">
<p class="problem" role="alert">{problem}</p>
<button>Log in</button>
</form>
</main>
</body>
</html>
"""


def make_app(server: "Server", tokens: Tokens, loop: asyncio.AbstractEventLoop, is_closed: Callable[[], bool]) -> App:
    """The application; `loop` is the control loop, which carries out what is asked."""
    settings = server.settings.http

    async def call(method: str, params: Any) -> Any:
        return await _in_control(loop, server.host.rpc.call(method, params))

    pages = _Pages(server, tokens, loop)
    routes = [
        Route("/RPC", pages.rpc, methods=["POST"]),
        Route("/metrics", pages.metrics),
        Route("/health", pages.health),
        Route("/ready", pages.ready),
        Route("/login", pages.login, methods=["GET", "POST"]),
        *server.host.http.routes(HttpContext(server.host, call, is_closed)),
    ]
    return Guard(Starlette(routes=routes), tokens, settings.hosts, settings.max_body_bytes)


class _Pages:
    """The handlers."""

    def __init__(self, server: "Server", tokens: Tokens, loop: asyncio.AbstractEventLoop) -> None:
        self._server, self._tokens, self._loop = server, tokens, loop

    async def rpc(self, request: Request) -> Response:
        """JSON-RPC 2.0: one request or an array of them."""
        # A form of a stranger's page could send any other type without being asked first.
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _JSON_TYPES:
            return JSONResponse({"error": "Content-Type must be application/json"}, 415)
        answer = await _in_control(self._loop, self._server.host.rpc.handle(await request.body()))
        if answer is None:
            return Response(status_code=204)
        return Response(answer, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """What Prometheus reads."""
        from sipwright.control.http.metrics import exposition, snapshot

        taken = await _in_control(self._loop, snapshot(self._server))
        text, kind = exposition(taken, request.headers.get("accept", ""))
        return Response(text, headers={"content-type": kind})

    async def health(self, _request: Request) -> Response:
        """200 while script workers turn, 503 otherwise."""
        return _state("ok", "degraded", status.unhealthy(self._server))

    async def ready(self, _request: Request) -> Response:
        """200 while new work may be sent here, 503 otherwise."""
        return _state("ready", "not ready", status.unready(self._server))

    async def login(self, request: Request) -> Response:
        """Takes a token for a browser and keeps it in a cookie that no script of a page can read."""
        if request.method == "GET":
            return HTMLResponse(_LOGIN.format(problem=""), headers=headers.FORM)
        token = parse_qs((await request.body()).decode("latin-1")).get("token", [""])[0]
        if not self._tokens.accepts(token):
            page = _LOGIN.format(problem="That is not a token of this server.")
            return HTMLResponse(page, 401, headers=headers.FORM)
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
        return response


async def _in_control(loop: asyncio.AbstractEventLoop, work: Any) -> Any:
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


def _state(good: str, bad: str, problems: list[str]) -> Response:
    body = {"status": bad if problems else good, "problems": problems}
    return JSONResponse(body, 503 if problems else 200, headers={"cache-control": "no-store"})
