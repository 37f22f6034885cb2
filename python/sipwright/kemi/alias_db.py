"""KSR.alias_db: other names of users, by a table, with Kamailio's return codes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sipwright import _engine, log
from sipwright.kemi import inwork
from sipwright.kemi.calls import ksr
from sipwright.settings.lookups import AliasDbSettings
from sipwright.storage.check import check_at_start
from sipwright.storage.errors import DatabaseError
from sipwright.storage.lookup import rows_of

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["lookup", "lookup_ex"]


@dataclass
class _State:
    settings: AliasDbSettings = field(default_factory=AliasDbSettings)
    host: "Host | None" = None


_state = _State()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on."""
    _state.settings, _state.host = host.settings.alias_db, host
    if _state.settings.db_url:
        check_at_start(host, "alias_db", _state.settings.db_url, ("dbaliases", 1))


@ksr("alias_db.lookup")
def lookup(table: str) -> int:
    """Replaces the user of the request-URI by the one that it is an alias of: 1; -1 when it is no alias, or for an error."""
    return _lookup(table, use_domain=_state.settings.use_domain)


@ksr("alias_db.lookup_ex")
def lookup_ex(table: str, flags: str) -> int:
    """As `lookup`. Flags: `d` by name alone, `u` by name and domain, `r` from the user to its alias."""
    use_domain = "u" in flags or (_state.settings.use_domain and "d" not in flags)
    return _lookup(table, use_domain=use_domain, reverse="r" in flags)


def _lookup(table: str, *, use_domain: bool, reverse: bool = False) -> int:
    settings, user = _state.settings, inwork.text("$rU")
    if not user or _state.host is None:
        return -1
    names = (settings.user_column, settings.domain_column)
    keys = (settings.alias_user_column, settings.alias_domain_column)
    if reverse:
        names, keys = keys, names
    where = {keys[0]: user}
    if use_domain:
        where[keys[1]] = inwork.text("$rd").removeprefix(settings.domain_prefix)
    try:
        rows = rows_of(_state.host.database(settings.db_url), table, names, where)
    except DatabaseError as error:
        log.error(f"KSR.alias_db: {error}")
        return -1
    if not rows:
        return -1
    uris = [f"sip:{name}@{domain}" for name, domain in rows]
    if not inwork.put("$ru", uris[0]):
        return -1
    if settings.append_branches:
        for uri in uris[1:]:
            _engine.corex_append_branch_uri(uri)
    return 1
