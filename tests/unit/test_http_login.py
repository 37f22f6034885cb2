"""Logging in at HTTP servers: Basic and Digest as libcurl's bits choose them."""

import base64
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from sipwright.modules import digest
from sipwright.modules.http import Options, Query, ask, parse_connection
from sipwright.settings.http_clients import HttpAsyncClientSettings, HttpClientSettings

OPTIONS = Options(user="ann", password="se:cret")
BASIC = "Basic " + base64.b64encode(b"ann:se:cret").decode()
ASKED: list[str] = []


class Guarded(BaseHTTPRequestHandler):
    """Wants credentials by the methods that the first part of its path names, and notes the Authorization it gets."""

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = self.headers.get("Authorization") or ""
        ASKED.append(given)
        if self.path.startswith("/moved"):
            self.answer(302, [("Location", "/digest/x")])
        elif self.is_right(given, body):
            self.answer(200, [])
        else:
            self.answer(401, [("WWW-Authenticate", value) for value in self.challenges()])

    do_GET = do_POST = handle_any

    def challenges(self) -> Iterator[str]:
        if "digest" in self.path:
            yield 'Digest realm="r", nonce="n1", qop="auth", algorithm=SHA-256'
        if "basic" in self.path:
            yield 'Basic realm="r"'

    def is_right(self, given: str, body: bytes) -> bool:
        if not given.startswith("Digest "):
            return given == BASIC and "basic" in self.path
        credentials = digest.parse(given)
        expected = digest.response(credentials, digest.ha1_of(credentials, "se:cret"), self.command, body)
        uri = self.path.partition("?")[0] if "ie" in self.path else self.path
        return (credentials.get("uri"), credentials.get("response")) == (uri, expected)

    def answer(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", "0")]:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    ASKED.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "auth", "schemes"),
    [
        # Several methods: the server is asked first, and the better one is taken.
        ("/digest", 3, ["", "Digest"]),
        ("/basic", 3, ["", "Basic"]),
        ("/digest/basic", 3, ["", "Digest"]),
        ("/digest/x?a=b&c=d", 2, ["", "Digest"]),
        ("/digest/ie?a=b", 16, ["", "Digest"]),
        ("/moved", 3, ["", "", "Digest"]),
        ("/free/basic", 1, ["Basic"]),
    ],
)
def test_who_is_let_in(web: str, path: str, auth: int, schemes: list[str]) -> None:
    assert ask(Query(web + path), replace(OPTIONS, auth=auth)).status == 200
    assert [given.partition(" ")[0] for given in ASKED] == schemes


def test_a_post_is_hashed_with_its_method(web: str) -> None:
    assert ask(Query(f"{web}/digest", "POST", b"body"), OPTIONS).status == 200


@pytest.mark.parametrize(("path", "auth"), [("/digest", 1), ("/basic", 2), ("/nothing", 3)])
def test_who_is_not(web: str, path: str, auth: int) -> None:
    assert ask(Query(web + path), replace(OPTIONS, auth=auth)).status == 401
    assert ask(Query(f"{web}/digest"), replace(OPTIONS, password="other")).status == 401


def test_a_header_field_of_the_query_is_left_alone(web: str) -> None:
    assert ask(Query(f"{web}/digest", headers=(("Authorization", "Mine x"),)), OPTIONS).status == 401
    assert ASKED == ["Mine x"]


def test_methods_of_the_settings() -> None:
    for settings in (HttpClientSettings, HttpAsyncClientSettings):
        assert settings(authmethod=2).authmethod == 2
        for bad in (0, 4, 12, 32):
            with pytest.raises(ValidationError, match="neither Basic"):
                settings(authmethod=bad)
    assert parse_connection("a=>http://h;authmethod=2", Options())[1].options.auth == 2
    with pytest.raises(ValueError, match="authmethod 8 has neither"):
        parse_connection("a=>http://h;authmethod=8", Options())
