"""KSR.speeddial: short numbers of users, by a table, with Kamailio's return codes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sipwright import log
from sipwright.kemi import inwork
from sipwright.kemi.calls import ksr
from sipwright.modules.aor import user_and_host
from sipwright.settings.lookups import SpeeddialSettings
from sipwright.storage.errors import DatabaseError
from sipwright.storage.lookup import rows_of

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["lookup", "lookup_owner"]


@dataclass
class _State:
    settings: SpeeddialSettings = field(default_factory=SpeeddialSettings)
    host: "Host | None" = None


_state = _State()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on."""
    _state.settings, _state.host = host.settings.speeddial, host


@ksr("speeddial.lookup")
def lookup(table: str) -> int:
    """Replaces the request-URI by what the user of From has under it as a short number: 1, or -1."""
    return _lookup(table, inwork.text("$fu"))


@ksr("speeddial.lookup_owner")
def lookup_owner(table: str, owner: str) -> int:
    """As `lookup`, for the short numbers of the user `owner`, a URI."""
    return _lookup(table, owner)


def _lookup(table: str, owner: str) -> int:
    settings, parts, number = _state.settings, user_and_host(owner), inwork.text("$rU")
    if parts is None or not parts[0] or not number or _state.host is None:
        return -1
    where = {settings.user_column: parts[0], settings.sd_user_column: number}
    if settings.use_domain:
        where[settings.domain_column] = parts[1].removeprefix(settings.domain_prefix)
        where[settings.sd_domain_column] = inwork.text("$rd").removeprefix(settings.domain_prefix)
    try:
        rows = rows_of(_state.host.database(settings.db_url), table, (settings.new_uri_column,), where, 1)
    except DatabaseError as error:
        log.error(f"KSR.speeddial: {error}")
        return -1
    return 1 if rows and inwork.put("$ru", str(rows[0][0])) else -1
