"""`sipwright service`: the server as a service of systemd."""

import grp
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sipwright.cli.common import Failure, UsageFailure, reporting
from sipwright.settings.sources import DEFAULT_FILE

if TYPE_CHECKING:
    from sipwright.settings import Settings

UNITS: Final = Path("/etc/systemd/system")
_MARK: Final = "# Made by `sipwright service install`; made anew by it, so change what it was called with."
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_STATE: Final = Path("/var/lib")


@click.group("service")
def command() -> None:
    """Run the server as a service of systemd, with no more rights than it needs."""


def _unit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.argument("arguments", nargs=-1, type=click.UNPROCESSED),
        click.option(
            "--group",
            "groups",
            multiple=True,
            metavar="GROUP",
            help="A further group, such as ssl-cert. May be repeated.",
        ),
        click.option(
            "--user", metavar="USER", default="", help="Whom it runs as; without it a user that systemd makes up."
        ),
        _name_option,
    ):
        function = option(function)
    return function


_name_option = click.option("--name", default="sipwright", show_default=True, help="Name of the service.")
_directory_option = click.option(
    "--unit-dir",
    type=click.Path(path_type=Path),
    default=UNITS,
    show_default=True,
    help="Where units are.",
)
_FORWARDS: Final = {"ignore_unknown_options": True}


@command.command("show", context_settings=_FORWARDS)
@_unit_options
def show(name: str, user: str, groups: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    """Print the unit for `sipwright run ARGUMENTS`, and install nothing. Write `--` before the arguments."""
    click.echo(_unit(name, user, groups, arguments), nl=False)


@command.command("install", context_settings=_FORWARDS)
@_directory_option
@click.option("--now", is_flag=True, help="Start it too, now and at each start of the system.")
@_unit_options
def install(
    unit_dir: Path, now: bool, name: str, user: str, groups: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    """Install a unit for `sipwright run ARGUMENTS`, once its settings are found to be right. Write `--` before the
    arguments:

    sipwright service install --now -- -f /etc/kamailio/kamailio.cfg
    """
    text = _unit(name, user, groups, arguments)
    file = _file(unit_dir, name)
    existed = file.exists()
    if existed and not _is_ours(file):
        raise Failure(f"{file} is there already and not made by this command; choose another --name")
    with reporting():
        partial = file.with_name(f".{file.name}.new")
        partial.write_text(text, encoding="utf-8")
        partial.replace(file)
    click.echo(f"{'renewed' if existed else 'wrote'} {file}")
    commands = [["systemctl", "daemon-reload"], ["systemctl", "enable", name], ["systemctl", "restart", name]]
    if now:
        for one in commands:
            _run(one)
        click.echo(f"{name} runs; its log: journalctl --unit {name} --follow")
    else:
        click.echo("Start it, now and at each start of the system:")
        click.echo("\n".join(f"  {' '.join(one)}" for one in commands))


@command.command("remove")
@_directory_option
@_name_option
def remove(unit_dir: Path, name: str) -> None:
    """Stop the service and remove its unit. What it has stored stays."""
    file = _file(unit_dir, name)
    if not file.exists():
        raise Failure(f"there is no {file}")
    if not _is_ours(file):
        raise Failure(f"{file} is not made by this command")
    is_live = unit_dir == UNITS and Path("/run/systemd/system").is_dir()
    if is_live:
        _run(["systemctl", "disable", "--now", name])
    with reporting():
        file.unlink()
    if is_live:
        _run(["systemctl", "daemon-reload"])
    click.echo(f"removed {file}; its data is still in {_STATE / name}")


def _unit(name: str, user: str, groups: tuple[str, ...], arguments: Sequence[str]) -> str:
    from sipwright.cli.run import reader_of
    from sipwright.service.files import read_by, unreadable, written_to
    from sipwright.service.unit import Service

    if not _NAME.fullmatch(name):
        raise UsageFailure(f"--name {name}: letters, digits, '-', '_' and '.' only")
    _must_exist(user, groups)
    words = [_absolute(word) for word in arguments]
    if not any(word.startswith(("-f", "-c", "--config")) for word in words) and Path(DEFAULT_FILE).is_file():
        words += ["--config", str(Path(DEFAULT_FILE).absolute())]
    with reporting():
        settings: Settings = reader_of(words)()
    if settings.data_dir is None:
        words += ["--data-dir", str(_STATE / name)]
    program = _program()
    closed = unreadable([Path(program[0]), *read_by(settings)], user, groups)
    for path in closed:
        whom = user or "a user that systemd makes up"
        click.echo(f"sipwright: {path} cannot be read by {whom}; see --user and --group", err=True)
    service = Service(
        name,
        (*program, "run", *words),
        user,
        groups,
        tuple(written_to(settings)),
        tuple(address.port or 0 for address in settings.listen),
        settings.limits.drain_ms / 1000,
        settings.process.workdir,
    )
    return f"{_MARK}\n{service.text()}"


def _must_exist(user: str, groups: tuple[str, ...]) -> None:
    try:
        if user:
            pwd.getpwnam(user)
    except KeyError:
        raise UsageFailure(
            f"--user {user}: there is no such user; `adduser --system --group {user}` makes it"
        ) from None
    for group in groups:
        try:
            grp.getgrnam(group)
        except KeyError:
            raise UsageFailure(f"--group {group}: there is no such group") from None


def _absolute(word: str) -> str:
    """Names of files that are there as the service needs them, which starts in another directory."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if value.startswith("-") or not value or not Path(value).exists():
        return word
    return f"{option}{equals}{Path(value).absolute()}"


def _program() -> tuple[str, ...]:
    """How this program is run again."""
    own = Path(sys.argv[0]).absolute()
    if own.name == "sipwright" and os.access(own, os.X_OK):
        return (str(own),)
    return (sys.executable, "-m", "sipwright")


def _file(unit_dir: Path, name: str) -> Path:
    return unit_dir / f"{name}.service"


def _is_ours(file: Path) -> bool:
    with reporting():
        return file.read_text(encoding="utf-8", errors="replace").startswith(_MARK)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, check=False)
    except FileNotFoundError:
        raise Failure(f"{command[0]} is missing: this system has no systemd") from None
    if done.returncode:
        raise Failure(f"`{' '.join(command)}` ended with {done.returncode}")
