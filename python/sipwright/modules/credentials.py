"""Users and their passwords in a database: the look-ups of auth_db."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sipwright.modules.digest import Credentials, ha1_of
from sipwright.settings.auth import AuthDbSettings, loaded_columns

if TYPE_CHECKING:
    from sipwright.storage.database import Database

TABLE: Final = "subscriber"
VERSION: Final = 7


@dataclass
class User:
    """What was found of a user: its HA1, or None when there is no such user, and the columns to load."""

    ha1: str | None = None
    loaded: list[tuple[str, Any]] = field(default_factory=list)


class Users:
    """The users of a database, as the settings say where they are."""

    def __init__(self, database: "Callable[[], Database]", settings: AuthDbSettings) -> None:
        self._database, self._settings = database, settings
        self._loaded = loaded_columns(settings.load_credentials)

    def find(self, table_name: str, credentials: Credentials, domain: str) -> User:
        """The user of credentials; `domain` is that of the realm. Raises DatabaseError."""
        settings = self._settings
        is_qualified = bool(credentials.domain)
        # HA1 of `alice@example.com` is another one than that of `alice`; a plain password serves both.
        secret = settings.password_column_2 if is_qualified and not settings.calculate_ha1 else settings.password_column
        row = self._row(table_name, credentials.user, credentials.domain or domain, secret, settings.use_domain)
        if row is None:
            # Takes as long as the user that is there.
            ha1_of(credentials, "")
            return User()
        value = "" if row[0] is None else str(row[0])
        calculated = ha1_of(credentials, value)
        return User(calculated if settings.calculate_ha1 else value, self._values(row))

    def lookup(self, table_name: str, user: str, domain: str, *, use_domain: bool) -> User | None:
        """A user by name, for its columns alone; None when there is none. Raises DatabaseError."""
        row = self._row(table_name, user, domain, self._settings.user_column, use_domain)
        return None if row is None else User(loaded=self._values(row))

    def _values(self, row: Sequence[Any]) -> list[tuple[str, Any]]:
        return [(variable, value) for (variable, _), value in zip(self._loaded, row[1:], strict=True)]

    def _row(self, table_name: str, user: str, domain: str, first: str, use_domain: bool) -> Sequence[Any] | None:
        settings = self._settings
        where = {settings.user_column: user}
        if use_domain:
            where[settings.domain_column] = domain
        rows = self._database().lookup(table_name, [first, *(name for _, name in self._loaded)], where, 1)
        return rows[0] if rows else None
