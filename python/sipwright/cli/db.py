"""`sipwright db`: the tables of a database."""

from pathlib import Path
from typing import Any

import click

from sipwright.cli.common import Failure
from sipwright.cli.databases import database_options, opened, output_option, show


@click.group("db")
def command() -> None:
    """Make and check Kamailio's tables in a database."""


@command.command("create")
@click.argument("tables", nargs=-1)
@database_options
def create(tables: tuple[str, ...], url: str | None, config: Path | None, assignments: tuple[str, ...]) -> None:
    """Make TABLES, or all that are not there yet, with their versions. What is there is left as it is."""
    from sipwright.storage.tables import VERSIONS

    unknown = [name for name in tables if name not in VERSIONS]
    if unknown:
        raise Failure(f"there is no table {unknown[0]}; there are {', '.join(sorted(VERSIONS))}")
    with opened(url, config, assignments) as (database, _):
        made = database.create_tables(tables or None)
        click.echo(f"{database.name}: made {', '.join(made)}" if made else f"{database.name}: all tables are there")


@command.command("version")
@database_options
@output_option
def version(url: str | None, config: Path | None, assignments: tuple[str, ...], output: str) -> None:
    """Show the tables with their versions, and those that Sipwright uses."""
    from sipwright.storage.tables import VERSIONS

    with opened(url, config, assignments) as (database, _):
        have = database.table_columns()
        rows = [
            {"table": name, "version": database.table_version(name) if name in have else None, "needed": needed}
            for name, needed in sorted(VERSIONS.items())
        ]
    show(rows, ("table", "version", "needed"), output, empty="there are no tables")


@command.command("upgrade-check")
@database_options
@output_option
def upgrade_check(url: str | None, config: Path | None, assignments: tuple[str, ...], output: str) -> None:
    """Compare the tables with those that Sipwright uses, and say what differs: versions and columns. Changes nothing.

    The exit status is 1 when a table that is there does not fit.
    """
    with opened(url, config, assignments) as (database, _):
        rows = differences(database.table_columns(), database.table_version)
    show(rows, ("table", "problem", "remedy"), output, empty="every table that is there fits")
    if any(row["table"] for row in rows):
        raise click.exceptions.Exit(1)


def differences(have: dict[str, list[str]], version_of: Any) -> list[dict[str, str]]:
    """What keeps tables from being used, with what helps."""
    from sipwright.storage.tables import METADATA, VERSIONS

    rows: list[dict[str, str]] = []
    for name, needed in sorted(VERSIONS.items()):
        if name not in have:
            continue
        missing = [column.name for column in METADATA.tables[name].columns if column.name not in have[name]]
        found = version_of(name)
        if missing:
            remedy = f"add {'it' if len(missing) == 1 else 'them'}, or move the rows to a table that `db create` makes"
            rows.append({"table": name, "problem": f"no column {', '.join(missing)}", "remedy": remedy})
        if found != needed:
            value = "is not in the table version" if found is None else f"has version {found}"
            remedy = f"Kamailio's upgrade notes, then set its table_version to {needed}"
            rows.append({"table": name, "problem": f"{value}; {needed} is needed", "remedy": remedy})
    return rows
