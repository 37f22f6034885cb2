"""Calls the control socket of a running server."""

import json
import socket
from pathlib import Path
from typing import Any

from sipwright.control.server import SOCKET_NAME


class ControlError(Exception):
    """No server answers, or it answered with an error; the text says which."""


def call(data_dir: Path, method: str, params: Any = None, timeout_s: float = 10.0) -> Any:
    """Calls `method` of the server whose data directory is given and returns its result; raises ControlError."""
    path = data_dir / SOCKET_NAME
    request = {"jsonrpc": "2.0", "method": method, "params": [] if params is None else params, "id": 1}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError(f"no server is running with data directory {data_dir}") from None
    except TimeoutError:
        raise ControlError(f"the server at {path} did not answer within {timeout_s:g} s") from None
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror or error}") from None
    if not line:
        raise ControlError(f"the server at {path} closed the connection")
    return _result(json.loads(line))


def call_http(url: str, token: str, method: str, params: list[Any], timeout_s: float = 10.0) -> Any:
    """Calls `method` of the server whose HTTP address is given and returns its result; raises ControlError."""
    # Imported here: they take time that the commands on the control socket need not spend.
    import http.client
    import urllib.error
    import urllib.request

    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).encode()
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/RPC", body, headers)
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            return _result(json.load(response))
    except urllib.error.HTTPError as error:
        raise ControlError(f"{url}: {error.code}: {_reason(error.read())}") from None
    except urllib.error.URLError as error:
        raise ControlError(f"no server answers at {url}: {error.reason}") from None
    except TimeoutError:
        raise ControlError(f"the server at {url} did not answer within {timeout_s:g} s") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ControlError(f"{url}: {error}") from None


def _result(answer: Any) -> Any:
    if "error" in answer:
        raise ControlError(answer["error"]["message"])
    return answer["result"]


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace").strip()[:200]
