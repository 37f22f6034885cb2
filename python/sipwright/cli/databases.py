"""What the commands that use a database share: which one, and how rows are shown."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sipwright.cli.common import read_settings, reporting, settings_options

if TYPE_CHECKING:
    from sipwright.settings import Settings
    from sipwright.storage.database import Database

Command = TypeVar("Command", bound=Callable[..., Any])


def database_options(command: Command) -> Command:
    """Adds `--url` and the options of settings, which `opened` takes."""
    command = click.option(
        "--url",
        metavar="URL",
        envvar="SIPWRIGHT_DB_URL",
        help="The database; without it that of the settings: `sqlite:///path`, `postgres://...` or `mysql://...`.",
    )(command)
    return settings_options(command)


def output_option(command: Command) -> Command:
    """Adds `--output`."""
    return click.option(
        "--output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How rows are shown."
    )(command)


@contextmanager
def opened(
    url: str | None, config: Path | None, assignments: tuple[str, ...], *, users: bool = False
) -> Iterator[tuple["Database", "Settings"]]:
    """The database of `--url`, else of the settings (of `auth_db` if `users`), and the settings. Errors end the command."""
    from sipwright.host import Host

    settings = read_settings(config, assignments)
    wanted = url or (settings.auth_db.db_url if users else "")
    with reporting():
        if settings.data_dir is not None:
            settings = settings.model_copy(update={"data_dir": settings.data_dir.expanduser()})
        host = Host(settings)
        if not wanted and not settings.database.url:
            _make_data_dir(settings)
        try:
            yield host.database(wanted), settings
        finally:
            host.close()


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], output: str, *, empty: str) -> None:
    """Writes rows as a table or as JSON."""
    if output == "json":
        click.echo(json.dumps([dict(row) for row in rows], indent=2))
        return
    if not rows:
        click.echo(empty, err=True)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
    Console(soft_wrap=True, highlight=False, markup=False).print(table)


def _make_data_dir(settings: "Settings") -> None:
    from sipwright.settings.effective import default_data_dir

    (settings.data_dir or default_data_dir()).mkdir(mode=0o700, parents=True, exist_ok=True)
