"""KSR.group: groups of users, by a table, with Kamailio's return codes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sipwright import log
from sipwright.kemi.calls import ksr
from sipwright.modules.aor import user_and_host
from sipwright.settings.lookups import GroupSettings
from sipwright.storage.check import check_at_start
from sipwright.storage.errors import DatabaseError
from sipwright.storage.lookup import rows_of

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["is_user_in"]

NOT_IN_GROUP: Final = -6


@dataclass
class _State:
    settings: GroupSettings = field(default_factory=GroupSettings)
    host: "Host | None" = None


_state = _State()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on."""
    _state.settings, _state.host = host.settings.group, host
    if _state.settings.db_url:
        check_at_start(host, "group", _state.settings.db_url, (_state.settings.table, 2))


@ksr("group.is_user_in")
def is_user_in(uri: str, group: str) -> int:
    """Whether the user of a URI is in a group: 1; -6 when not, -1 for no URI, -5 when the database does not answer."""
    settings, parts = _state.settings, user_and_host(uri)
    if parts is None or not parts[0] or _state.host is None:
        log.error(f"KSR.group.is_user_in: {uri!r} is no SIP URI with a user")
        return -1
    where = {settings.user_column: parts[0], settings.group_column: group}
    if settings.use_domain:
        where[settings.domain_column] = parts[1]
    try:
        rows = rows_of(_state.host.database(settings.db_url), settings.table, (settings.group_column,), where, 1)
    except DatabaseError as error:
        log.error(f"KSR.group.is_user_in: {error}")
        return -5
    return 1 if rows else NOT_IN_GROUP
