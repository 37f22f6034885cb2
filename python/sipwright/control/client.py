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
    answer = json.loads(line)
    if "error" in answer:
        raise ControlError(answer["error"]["message"])
    return answer["result"]
