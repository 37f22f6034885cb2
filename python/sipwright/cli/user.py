"""`sipwright user`: users and their passwords."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sipwright.cli.common import Failure, UsageFailure
from sipwright.cli.databases import database_options, opened, output_option, show

if TYPE_CHECKING:
    from sipwright.settings import Settings
    from sipwright.storage.database import Database

_algorithm = click.option(
    "--algorithm",
    type=click.Choice(["MD5", "SHA-256", "SHA-512-256"]),
    default="MD5",
    show_default=True,
    help="What ha1 and ha1b are made by; the algorithm of challenges (`auth.algorithm`) must be the same.",
)
_realm = click.option("--realm", help="Realm of challenges; without it the domain.")
_plain = click.option("--plain", is_flag=True, help="Keep the password itself too, for `auth_db.calculate_ha1`.")
_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input, its first line.")
_table = click.option("--table", default="subscriber", show_default=True, help="Table of the users.")


@click.group("user")
def command() -> None:
    """Add, change and show users with passwords."""


@command.command("add")
@click.argument("aor", metavar="USER@DOMAIN")
@_stdin
@_realm
@_plain
@_algorithm
@_table
@database_options
def add(aor: str, url: str | None, config: Path | None, assignments: tuple[str, ...], **options: Any) -> None:
    """Add a user. The password is asked for, or read with --password-stdin."""
    user, secrets = _User.parse(aor), _Secrets(**options)
    with opened(url, config, assignments, users=True) as (database, settings):
        users = _Rows(database, settings, secrets.table)
        if users.find(user):
            raise Failure(f"{aor} is there already; `sipwright user passwd` changes the password")
        users.put(user, secrets.columns(user), new=True)
    click.echo(f"added {aor}")


@command.command("passwd")
@click.argument("aor", metavar="USER@DOMAIN")
@_stdin
@_realm
@_plain
@_algorithm
@_table
@database_options
def passwd(aor: str, url: str | None, config: Path | None, assignments: tuple[str, ...], **options: Any) -> None:
    """Change a user's password. A plain one that was kept is removed unless --plain is given."""
    user, secrets = _User.parse(aor), _Secrets(**options)
    with opened(url, config, assignments, users=True) as (database, settings):
        users = _Rows(database, settings, secrets.table)
        if not users.find(user):
            raise Failure(f"there is no user {aor}")
        users.put(user, secrets.columns(user), new=False)
    click.echo(f"changed the password of {aor}")


@command.command("rm")
@click.argument("aor", metavar="USER@DOMAIN")
@_table
@database_options
def rm(aor: str, table: str, url: str | None, config: Path | None, assignments: tuple[str, ...]) -> None:
    """Remove a user."""
    user = _User.parse(aor)
    with opened(url, config, assignments, users=True) as (database, settings):
        if not _Rows(database, settings, table).remove(user):
            raise Failure(f"there is no user {aor}")
    click.echo(f"removed {aor}")


@command.command("list")
@click.option("--domain", help="Only users of this domain.")
@_table
@database_options
@output_option
def list_users(
    domain: str | None, table: str, url: str | None, config: Path | None, assignments: tuple[str, ...], output: str
) -> None:
    """List the users."""
    with opened(url, config, assignments, users=True) as (database, settings):
        rows = _Rows(database, settings, table).all(domain)
    show(rows, ("username", "domain", "ha1", "plain"), output, empty="there are no users")


@command.command("show")
@click.argument("aor", metavar="USER@DOMAIN")
@_table
@database_options
@output_option
def show_user(
    aor: str, table: str, url: str | None, config: Path | None, assignments: tuple[str, ...], output: str
) -> None:
    """Show a user: what is stored, but no secret."""
    user = _User.parse(aor)
    with opened(url, config, assignments, users=True) as (database, settings):
        rows = _Rows(database, settings, table).find(user)
    if not rows:
        raise Failure(f"there is no user {aor}")
    show(rows, ("username", "domain", "ha1", "plain"), output, empty="")


@dataclass(frozen=True)
class _User:
    name: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> "_User":
        name, at, domain = text.removeprefix("sip:").rpartition("@")
        if not at or not name or not domain or any(char in text for char in ' \t\r\n"<>:;'):
            raise UsageFailure(f"{text!r}: a user is written alice@example.com")
        if len(name) > 64 or len(domain) > 64:
            raise UsageFailure(f"{text!r}: name and domain may have 64 characters each")
        return cls(name, domain)


@dataclass(frozen=True)
class _Secrets:
    """What the options say about a password."""

    password_stdin: bool
    realm: str | None
    plain: bool
    algorithm: str
    table: str

    def columns(self, user: _User) -> dict[str, str]:
        """The columns of a user; asks for the password."""
        from sipwright.modules.digest import ha1

        password, realm = self._password(), self.realm or user.domain
        return {
            "ha1": ha1(self.algorithm, user.name, realm, password),
            "ha1b": ha1(self.algorithm, f"{user.name}@{user.domain}", realm, password),
            "password": password if self.plain else "",
        }

    def _password(self) -> str:
        if self.password_stdin:
            password = sys.stdin.readline().rstrip("\r\n")
        else:
            password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        if not password:
            raise Failure("the password is empty")
        if self.plain and len(password) > 64:
            raise Failure("a plain password may have 64 characters")
        return str(password)


class _Rows:
    """The table of users, with the column names of the settings."""

    def __init__(self, database: "Database", settings: "Settings", table_name: str) -> None:
        self._database, self._name = database, table_name
        self._columns = settings.auth_db
        database.check_table(table_name, 7, layout="subscriber")

    def find(self, user: _User) -> list[dict[str, str]]:
        """The user's row, if it is there."""
        return [row for row in self.all(user.domain) if row["username"] == user.name]

    def all(self, domain: str | None) -> list[dict[str, str]]:
        """The users with what is stored of them, of one domain if it is named."""
        from sqlalchemy import column, select, table

        name, of_domain = self._columns.user_column, self._columns.domain_column
        users = table(self._name, *map(column, (name, of_domain, "ha1", "password")))
        statement = select(*users.c).order_by(users.c[of_domain], users.c[name])
        if domain is not None:
            statement = statement.where(users.c[of_domain] == domain)
        return [
            {"username": username, "domain": place, "ha1": _kind(ha1), "plain": "yes" if password else "no"}
            for username, place, ha1, password in map(tuple, self._database.query(statement))
        ]

    def put(self, user: _User, columns: dict[str, str], *, new: bool) -> None:
        """Adds or changes a user."""
        from sipwright.storage.writes import Write

        key = self._key(user)
        write = Write("insert", self._name, {**key, **columns}) if new else Write("update", self._name, columns, key)
        self._database.apply([write])

    def remove(self, user: _User) -> bool:
        """Removes a user; whether it was there."""
        from sipwright.storage.writes import Write

        return self._database.apply([Write("delete", self._name, where=self._key(user))]) > 0

    def _key(self, user: _User) -> dict[str, str]:
        return {self._columns.user_column: user.name, self._columns.domain_column: user.domain}


def _kind(ha1: str | None) -> str:
    return {0: "none", 32: "MD5", 64: "SHA-256 or SHA-512-256"}.get(len(ha1 or ""), "of an unknown kind")
