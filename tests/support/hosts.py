"""A server's modules without a server."""

from __future__ import annotations

from sipwright.control import ctl
from sipwright.control.methods import register
from sipwright.host import Host
from sipwright.settings import Settings


def configured_host() -> Host:
    """A host with default settings and all modules."""
    host = Host(Settings())
    host.configure()
    return host


def rpc_methods() -> list[str]:
    """Every method of the control socket."""
    host = configured_host()
    register(host.rpc, None)  # type: ignore[arg-type]
    ctl.configure(host)
    return host.rpc.names()
