"""KSR.permissions: addresses by group and trusted peers, with Kamailio's return codes.

The tables are in memory; they are read at the start, or when they are first asked if no `permissions.db_url` names a
database, and again by `permissions.addressReload` and `permissions.trustedReload`.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sipwright import log
from sipwright.control.rpc import FAILED, RpcError
from sipwright.kemi import inwork
from sipwright.kemi.calls import ksr
from sipwright.modules.permissions import AddressTable, Entry, Match, Peer, TrustedTable, parsed, read_address_file
from sipwright.settings.lookups import PermissionsSettings
from sipwright.storage.check import check_at_start
from sipwright.storage.errors import DatabaseError
from sipwright.storage.lookup import rows_of

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = [
    "allow_address",
    "allow_address_group",
    "allow_source_address",
    "allow_source_address_group",
    "allow_trusted",
]

# Tables that could not be read are tried again so often.
RETRY_S = 5.0


@dataclass
class _State:
    settings: PermissionsSettings = field(default_factory=PermissionsSettings)
    host: "Host | None" = None
    addresses: AddressTable | None = None
    trusted: TrustedTable | None = None
    reloaded_at: float = float("-inf")


_state = _State()
_loading = threading.Lock()
# Flags of `load_backends`.
_ADDRESSES, _TRUSTED = 1, 2
_EMPTY = AddressTable()
_NOBODY = TrustedTable()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on; reads the tables that they name, at the start of a server."""
    global _state
    settings = host.settings.permissions
    _state = _State(settings, host)
    host.rpc.add("permissions.addressReload", address_reload, blocking=True)
    host.rpc.add("permissions.addressDump", address_dump)
    host.rpc.add("permissions.subnetDump", subnet_dump)
    host.rpc.add("permissions.domainDump", domain_dump)
    host.rpc.add("permissions.trustedReload", trusted_reload, blocking=True)
    host.rpc.add("permissions.trustedDump", trusted_dump)
    host.rpc.add("permissions.testUri", uri_test)
    if host.engine is None:
        return
    if settings.db_url:
        tables = [(settings.trusted_table, 6)] if settings.load_backends & _TRUSTED else []
        if settings.load_backends & _ADDRESSES and not settings.address_file:
            tables.append((settings.address_table, 6))
        check_at_start(host, "permissions", settings.db_url, *tables)
    if settings.db_url or settings.address_file:
        _addresses()
        host.every(RETRY_S, _load_missing, blocking=True)


@ksr("permissions.allow_source_address")
def allow_source_address(group: int) -> int:
    """Whether the source of the request is in a group of addresses: 1, or -1. Its tag goes to `permissions.peer_tag_avp`."""
    source = inwork.message().source
    return _answer(_addresses().allows(group, source.ip, source.port))


@ksr("permissions.allow_address")
def allow_address(group: int, address: str, port: int) -> int:
    """Whether an address or domain name with a port is in a group: 1, or -1."""
    return _answer(_addresses().allows(group, address, port))


@ksr("permissions.allow_source_address_group")
def allow_source_address_group() -> int:
    """The group that the source of the request is in, or -1."""
    source = inwork.message().source
    return _group(_addresses().group_of(source.ip, source.port))


@ksr("permissions.allow_address_group")
def allow_address_group(address: str, port: int) -> int:
    """The group that an address or domain name with a port is in, or -1."""
    return _group(_addresses().group_of(address, port))


@ksr("permissions.allow_trusted")
def allow_trusted() -> int:
    """Whether the source of the request is a trusted peer, by transport, From and request-URI: 1, or -1."""
    source = inwork.message().source
    peer = _trusted().find(source.ip, source.proto, inwork.text("$fu"), inwork.text("$ru"))
    if peer is None:
        return -1
    _put_tag(peer.tag)
    return 1


# ---- control methods -----------------------------------------------------------------------------------------------


def address_reload() -> str:
    """Reads the addresses again; what was read before stays when that fails."""
    _reload(_load_addresses)
    return "Reload OK"


def trusted_reload() -> str:
    """Reads the trusted peers again; what was read before stays when that fails."""
    _reload(_load_trusted)
    return "Reload OK"


def address_dump() -> list[dict[str, Any]]:
    """The hosts of the table of addresses."""
    return [
        _row(entry) for entry in _addresses().entries if (a := parsed(entry.host)) and entry.mask >= a.max_prefixlen
    ]


def subnet_dump() -> list[dict[str, Any]]:
    """Its networks."""
    return [_row(entry) for entry in _addresses().entries if (a := parsed(entry.host)) and entry.mask < a.max_prefixlen]


def domain_dump() -> list[dict[str, Any]]:
    """Its domain names."""
    return [_row(entry) for entry in _addresses().entries if parsed(entry.host) is None]


def trusted_dump() -> list[dict[str, Any]]:
    """The trusted peers, in the order in which they are tried."""
    return [
        {
            "ip": peer.source,
            "proto": peer.proto,
            "pattern": peer.from_pattern or "",
            "ruri_pattern": peer.ruri_pattern or "",
            "tag": peer.tag or "",
            "priority": peer.priority,
        }
        for peer in _trusted().peers
    ]


def uri_test(group: int, address: str, port: int = 0) -> str:
    """Whether an address is in a group, for those who look for the reason of a refusal."""
    match = _addresses().allows(group, address, port)
    return "Not found" if match is None else f"Allowed{f', tag {match.tag}' if match.tag else ''}"


# ---- tables --------------------------------------------------------------------------------------------------------


def _addresses() -> AddressTable:
    if _state.addresses is None:
        _load_once("addresses", _load_addresses)
    return _state.addresses or _EMPTY


def _trusted() -> TrustedTable:
    if _state.trusted is None:
        _load_once("trusted peers", _load_trusted)
    return _state.trusted or _NOBODY


def _load_once(what: str, load: Any) -> None:
    with _loading:
        try:
            load()
        except (DatabaseError, OSError) as error:
            log.error(f"KSR.permissions: the {what} cannot be read, nobody is allowed: {error}")


def _load_missing() -> None:
    if _state.addresses is None:
        _addresses()
    if _state.trusted is None:
        _trusted()


def _reload(load: Any) -> None:
    now = time.monotonic()
    wait_s = _state.reloaded_at + _state.settings.reload_delta_s - now
    if wait_s > 0:
        raise RpcError(FAILED, f"the last reload was a moment ago; wait {wait_s:.1f} s")
    try:
        load()
    except (DatabaseError, OSError) as error:
        raise RpcError(FAILED, str(error)) from error
    _state.reloaded_at = now


def _load_addresses() -> None:
    settings = _state.settings
    if not settings.load_backends & _ADDRESSES:
        _state.addresses = _EMPTY
        return
    if settings.address_file is not None:
        entries, problems = read_address_file(settings.address_file.read_text(encoding="utf-8", errors="replace"))
        problems = [f"{settings.address_file}: {problem}" for problem in problems]
    else:
        names = (settings.grp_col, settings.ip_addr_col, settings.mask_col, settings.port_col, settings.tag_col)
        rows = _rows(settings.address_table, names)
        entries = [Entry(int(g), str(ip).strip(), int(mask), int(port or 0), tag) for g, ip, mask, port, tag in rows]
        problems = []
    made = AddressTable(entries)
    for problem in [*problems, *made.rejected]:
        log.error(f"permissions: left out: {problem}")
    _state.addresses = made


def _load_trusted() -> None:
    if not _state.settings.load_backends & _TRUSTED:
        _state.trusted = _NOBODY
        return
    s = _state.settings
    names = (s.source_col, s.proto_col, s.from_col, s.ruri_col, s.tag_col, s.priority_col)
    rows = _rows(s.trusted_table, names)
    made = TrustedTable(
        Peer(str(ip), str(proto), a, b, tag, int(priority or 0)) for ip, proto, a, b, tag, priority in rows
    )
    for problem in made.rejected:
        log.error(f"permissions: left out: {problem}")
    _state.trusted = made


def _rows(name: str, names: tuple[str, ...]) -> list[Any]:
    assert _state.host is not None
    return rows_of(_state.host.database(_state.settings.db_url), name, names)


def _row(entry: Entry) -> dict[str, Any]:
    return {"grp": entry.group, "ip": entry.host, "mask": entry.mask, "port": entry.port, "tag": entry.tag or ""}


def _answer(match: Match | None) -> int:
    if match is None:
        return -1
    _put_tag(match.tag)
    return 1


def _group(match: Match | None) -> int:
    return match.group if _answer(match) == 1 and match is not None else -1


def _put_tag(tag: str | None) -> None:
    if tag and _state.settings.peer_tag_avp:
        inwork.put(_state.settings.peer_tag_avp, tag)
