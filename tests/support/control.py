"""The control socket of a server that has just started."""

from __future__ import annotations

from pathlib import Path

from sipwright.control.client import ControlError, call
from support.process import wait_until
from support.servers import Server


def data_of(server: Server) -> Path:
    """The data directory, once the control socket answers."""
    data = server.directory / "data"
    wait_until(lambda: answers(data), 10, "the control socket answers")
    return data


def answers(data: Path) -> bool:
    """Whether the control socket answers."""
    try:
        call(data, "core.info")
    except ControlError:
        return False
    return True
