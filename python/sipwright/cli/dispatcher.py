"""`sipwright dispatcher`: the destinations of the load balancer of a running server."""

import click

from sipwright.cli.asking import Asker, asks


@click.group("dispatcher")
def command() -> None:
    """Show the destinations of the load balancer, and switch them on and off."""


@command.command("list")
@asks
def list_(server: Asker) -> None:
    """List the destinations with their state: A active, T trying, I inactive, D disabled; P means that it is probed."""
    rows = []
    for group in server.call("dispatcher.list")["RECORDS"]:
        for target in group["SET"]["TARGETS"]:
            dest = target["DEST"]
            attributes = dest.get("ATTRS", {}).get("BODY", "")
            row = {"set": group["SET"]["ID"], "uri": dest["URI"], "state": dest["FLAGS"]}
            rows.append({**row, "priority": dest["PRIORITY"], "attributes": attributes})
    server.show(rows)


@command.command("reload")
@asks
def reload(server: Asker) -> None:
    """Read the list of destinations again."""
    server.show(server.call("dispatcher.reload"))


@command.command("state")
@click.argument("state")
@click.argument("set", type=int)
@click.argument("uri")
@asks
def state(server: Asker, state: str, set: int, uri: str) -> None:
    """Set the state of the destination URI of a set, or of `all`: a, t, i or d, with p to have it probed."""
    server.show(server.call("dispatcher.set_state", state, set, uri))
