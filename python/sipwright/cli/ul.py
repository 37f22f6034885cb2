"""`sipwright ul`: who is registered."""

from collections.abc import Iterator
from typing import Any

import click

from sipwright.cli.asking import Asker, asks

_table = click.option("--table", default="location", show_default=True, help="Location table.")
_SHOWN = {
    "Address": "contact",
    "Expires": "expires",
    "Q": "q",
    "Socket": "socket",
    "Received": "received",
    "User-Agent": "user_agent",
}


@click.group("ul")
def command() -> None:
    """Show and remove registered contacts."""


@command.command("list")
@click.option("--brief", is_flag=True, help="Only the users.")
@asks
def list_(server: Asker, brief: bool) -> None:
    """List the contacts of all location tables."""
    domains = [one["Domain"] for one in server.call("ul.dump", *(["brief"] if brief else []))["Domains"]]
    if brief:
        server.show([{"table": one["Domain"], "aor": row["AoR"]} for one in domains for row in one["AoRs"]])
    else:
        server.show([row for one in domains for info in one["AoRs"] for row in _rows(one["Domain"], info["Info"])])


@command.command("show")
@click.argument("aor")
@_table
@asks
def show(server: Asker, aor: str, table: str) -> None:
    """Show the contacts of one address-of-record: USER, or USER@DOMAIN with usrloc.use_domain."""
    server.show(list(_rows(table, server.call("ul.lookup", table, aor))))


@command.command("rm")
@click.argument("aor")
@click.argument("contact", required=False)
@_table
@asks
def rm(server: Asker, aor: str, contact: str | None, table: str) -> None:
    """Remove all contacts of an address-of-record, or one of them."""
    if contact is None:
        server.call("ul.lookup", table, aor)
        server.call("ul.rm", table, aor)
    else:
        server.call("ul.rm_contact", table, aor, contact)
    click.echo(f"removed {contact or f'all contacts of {aor}'}")


def _rows(table: str, info: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in info["Contacts"]:
        contact = one["Contact"]
        values = {name: contact[key] for key, name in _SHOWN.items()}
        yield {"table": table, "aor": info["AoR"]} | {
            name: "" if value == "[not set]" or (name == "q" and value == -1) else value
            for name, value in values.items()
        }
