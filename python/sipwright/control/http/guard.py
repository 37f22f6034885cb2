"""Who may use the HTTP service: ASGI middleware in front of every route.

- The Host header must be a numeric address, `localhost` or a name of `http.hosts`: a page of a stranger whose name was
  made to point here (DNS rebinding) says its own name.
- An Origin header, which browsers send with what pages do, must be of that same host; there are no CORS headers.
- With `http.token_file`, a token is needed: `Authorization: Bearer TOKEN`, or the cookie that `POST /login` sets for
  browsers. `/health`, `/ready` and `/login` need none. Who opens a page in a browser without one is sent to `/login`.
- A body is at most `http.max_body_bytes` long.
"""

import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from sipwright.control.http.tokens import Tokens

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LENGTH: Final = re.compile("[0-9]{1,12}")
COOKIE: Final = "sipwright_token"
# The style sheet is that of the form too.
OPEN_PATHS: Final = frozenset({"/health", "/ready", "/login", "/page/style.css"})
# RFC 6455 section 7.4.1: the request breaks a rule of ours.
_POLICY_VIOLATION: Final = 1008


class Guard:
    """Lets requests through to `app`, or refuses them."""

    def __init__(self, app: App, tokens: Tokens, hosts: list[str], max_body_bytes: int) -> None:
        self._app, self._tokens, self._max_body_bytes = app, tokens, max_body_bytes
        self._hosts = {"localhost", *hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refusal(scope, headers)
        if refused is not None and refused[0] == 401 and _wants_a_page(scope, headers):
            await _to_login(send)
        elif refused is not None:
            await _refuse(scope, send, *refused)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._bounded(scope, headers, receive, send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_known(host):
            return 421, "the Host is not one of http.hosts"
        origin = headers.get("origin")
        if origin is not None and _place(origin).lower() != host.lower():
            return 403, "requests of other sites are refused"
        if self._tokens.needed and scope["path"] not in OPEN_PATHS and not self._tokens.accepts(token_of(headers)):
            return 401, "a token is needed: Authorization: Bearer TOKEN"
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    async def _bounded(self, scope: Scope, headers: dict[str, str], receive: Receive, send: Send) -> None:
        length = headers.get("content-length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > self._max_body_bytes:
            await _refuse(scope, send, 413, "the body is too long")
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_body_bytes:
                raise HTTPException(413, "the body is too long")
            return message

        await self._app(scope, counted, send)


def _place(origin: str) -> str:
    """Host and port of an Origin; empty when it is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def token_of(headers: dict[str, str]) -> str:
    """The token that a request brings; empty without one."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value


def _wants_a_page(scope: Scope, headers: dict[str, str]) -> bool:
    return scope.get("method") == "GET" and "text/html" in headers.get("accept", "")


async def _to_login(send: Send) -> None:
    headers = [(b"location", b"/login"), (b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Scope, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        # Before it is accepted, this is answered with 403.
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": text})
        return
    body = json.dumps({"error": text}).encode() + b"\n"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="sipwright"'))
    # What is left of a body that nobody reads must not be taken for the next request.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
