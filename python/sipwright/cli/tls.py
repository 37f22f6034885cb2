"""`sipwright tls`: TLS of a running server."""

from collections.abc import Iterator
from typing import Any

import click

from sipwright.cli.asking import Asker, asks


@click.group("tls")
def command() -> None:
    """Show TLS connections, and reload certificates and keys."""


@command.command("list")
@asks
def list_(server: Asker) -> None:
    """List the open TLS connections, with who the other sides are by their certificates."""
    rows = server.call("tls.list")
    server.show([_brief(row) for row in rows] if server.as_table else rows)


@command.command("show")
@click.argument("id", type=int)
@asks
def show(server: Asker, id: int) -> None:
    """Show the TLS connection with that id, with both certificates."""
    row = server.call("tls.show", id)
    server.show(dict(_flat(row)) if server.as_table else row)


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    peer = row.get("peer_certificate") or {}
    return {
        "id": row["id"],
        "peer": f"{row['src_ip']}:{row['src_port']}",
        "state": row["state"],
        "version": row.get("version", ""),
        "name": row.get("server_name"),
        "profile": row.get("profile", ""),
        "certificate": row.get("certificate", ""),
        "subject": peer.get("subject", ""),
        "validity": f"{peer['validity']}, {peer['not_after']}" if peer else "",
    }


def _flat(row: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")
        else:
            yield f"{before}{name}", ", ".join(value) if isinstance(value, list) else value


@command.command("info")
@asks
def info(server: Asker) -> None:
    """Show how many connections and handshakes there are and were."""
    server.show(server.call("tls.info"))


@command.command("reload")
@asks
def reload(server: Asker) -> None:
    """Read tls.cfg, certificates, keys and revocation lists again."""
    server.show(server.call("tls.reload"))


@command.command("kill")
@click.argument("id", type=int)
@asks
def kill(server: Asker, id: int) -> None:
    """Close the TLS connection with that id."""
    server.show(server.call("tls.kill", id))
