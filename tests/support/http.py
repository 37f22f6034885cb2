"""Requests to the HTTP service of a server."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from support.ports import free_port


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Web:
    """The HTTP service on a port of loopback; `token` goes with each request."""

    port: int
    token: str = ""

    @classmethod
    def chosen(cls, token: str = "") -> Web:
        return cls(free_port("127.0.0.1"), token)

    @property
    def settings(self) -> dict[str, object]:
        return {"http.listen": f"127.0.0.1:{self.port}"}

    def ask(self, method: str, path: str, body: bytes = b"", /, **headers: str) -> Answer:
        """One request on a connection of its own; names of headers with `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body or None, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def rpc(self, request: Any, **headers: str) -> Answer:
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        headers.setdefault("Content_Type", "application/json")
        return self.ask("POST", "/RPC", body, **headers)

    def call(self, method: str, *params: Any) -> Any:
        """The result of a control method."""
        answer = self.rpc({"jsonrpc": "2.0", "method": method, "params": list(params), "id": 1})
        assert answer.status == 200, answer
        assert "error" not in answer.json, answer.json
        return answer.json["result"]
