"""`sipwright tls`: TLS of a running server."""

import click

from sipwright.cli.asking import Asker, asks


@click.group("tls")
def command() -> None:
    """Show TLS connections, and reload certificates and keys."""


@command.command("list")
@asks
def list_(server: Asker) -> None:
    """List the open TLS connections."""
    server.show(server.call("tls.list"))


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
