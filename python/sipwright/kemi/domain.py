"""KSR.domain: domains that are ours, kept in memory, with Kamailio's return codes."""

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sipwright import _engine, log
from sipwright.control.rpc import FAILED, RpcError
from sipwright.kemi import inwork
from sipwright.kemi.calls import ksr
from sipwright.settings.lookups import DomainSettings
from sipwright.storage.check import check_at_start
from sipwright.storage.errors import DatabaseError
from sipwright.storage.lookup import rows_of

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["is_domain_local", "is_from_local", "is_uri_host_local", "lookup_domain", "lookup_domain_prefix"]

Attributes = tuple[tuple[str, str | int], ...]
_IS_TEXT = 2
# How often domains that could not be read at the start are asked for, where nobody else asks.
_RETRY_S = 5.0


@dataclass
class _State:
    settings: DomainSettings = field(default_factory=DomainSettings)
    host: "Host | None" = None
    # By name in lower case: the id, and the attributes of the id. Replaced, never changed.
    domains: dict[str, tuple[str, Attributes]] | None = None


_state = _State()
_loading = threading.Lock()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on; reads the domains at the start of a server whose settings name a database."""
    global _state
    _state = _State(host.settings.domain, host)
    _engine.set_own_names([])
    host.rpc.add("domain.reload", reload, blocking=True)
    host.rpc.add("domain.dump", dump)
    settings = _state.settings
    if host.engine is not None and (settings.db_url or settings.register_myself):
        check_at_start(host, "domain", settings.db_url, (settings.domain_table, 2), (settings.domain_attrs_table, 1))
        _domains()
        if settings.register_myself:
            host.every(_RETRY_S, _load_late, blocking=True)


@ksr("domain.is_domain_local")
def is_domain_local(domain: str) -> int:
    """Whether a domain is ours: 1, or -1."""
    return 1 if domain.lower() in _domains() else -1


@ksr("domain.is_from_local")
def is_from_local() -> int:
    """Whether the host of From is a domain of ours: 1, or -1."""
    return int(is_domain_local(inwork.text("$fd")))


@ksr("domain.is_uri_host_local")
def is_uri_host_local() -> int:
    """Whether the host of the request-URI is a domain of ours: 1, or -1."""
    return int(is_domain_local(inwork.text("$rd")))


@ksr("domain.lookup_domain")
def lookup_domain(domain: str) -> int:
    """Whether a domain is ours: 1, or -1; its attributes go to the AVPs of their names, its id to `$avp(did)`."""
    return _lookup(domain, "")


@ksr("domain.lookup_domain_prefix")
def lookup_domain_prefix(domain: str, prefix: str) -> int:
    """As `lookup_domain`, with `prefix` in front of the names of the AVPs."""
    return _lookup(domain, prefix)


def reload() -> str:
    """Reads the domains again; those of before stay when that fails."""
    try:
        _load()
    except DatabaseError as error:
        raise RpcError(FAILED, str(error)) from error
    return "Ok. Domain tables reloaded."


def dump() -> list[dict[str, Any]]:
    """The domains with their attributes."""
    return [
        {"domain": name, "did": did, "attributes": dict(attributes)} for name, (did, attributes) in _domains().items()
    ]


def _lookup(domain: str, prefix: str) -> int:
    found = _domains().get(domain.lower())
    if found is None:
        return -1
    did, attributes = found
    for name, value in (("did", did), *attributes):
        inwork.put(f"$avp({prefix}{name})", value)
    return 1


def _domains() -> dict[str, tuple[str, Attributes]]:
    if _state.domains is None:
        with _loading:
            try:
                _load()
            except DatabaseError as error:
                log.error(f"KSR.domain: the domains cannot be read, none is ours: {error}")
    return _state.domains or {}


def _load_late() -> None:
    if _state.domains is None:
        _domains()


def _load() -> None:
    settings = _state.settings
    assert _state.host is not None
    database = _state.host.database(settings.db_url)
    attributes: dict[str, list[tuple[str, str | int]]] = {}
    columns = (
        settings.did_col,
        settings.name_col,
        settings.type_col,
        settings.value_col,
    )
    for did, name, kind, value in rows_of(database, settings.domain_attrs_table, columns):
        try:
            attributes.setdefault(did, []).append((name, str(value) if kind == _IS_TEXT else int(value)))
        except ValueError:
            log.error(f"domain: attribute {name} of {did} is left out: {value!r} is not a number")
    rows = rows_of(database, settings.domain_table, (settings.domain_col, settings.did_col))
    # A domain without an id has its own name for one.
    _state.domains = {
        str(name).lower(): (did or str(name), tuple(attributes.get(did or str(name), ()))) for name, did in rows
    }
    if settings.register_myself:
        _engine.set_own_names(list(_state.domains))
