"""KSR.registrar: `save`, `lookup` and their kin over the location tables, with Kamailio's return codes."""

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright._engine import Binding, RegistrarRules
from sipwright.kemi import usrloc
from sipwright.kemi.calls import ksr
from sipwright.modules import attributes, register_request, ulc
from sipwright.modules.location_events import Sockets
from sipwright.modules.lookup import FILTER_CONNECTION, FILTER_FLAGS, Destinations, Wanted, is_same_host, where
from sipwright.modules.registrar import NO_REPLY, PREPARE_REPLY, UPDATED, Outcome, register
from sipwright.modules.usrloc import FLOW_PARAMETER, Location, Tables, methods_mask
from sipwright.settings.model import Settings
from sipwright.settings.registrar import RegistrarSettings
from sipwright.storage.errors import DatabaseError

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = [
    "add_sock_hdr",
    "lookup_branches",
    "lookup_to_dset",
    "lookup_uri",
    "lookup_xavp",
    "reg_fetch_contacts",
    "reg_free_contacts",
    "reg_from_user",
    "reg_send_reply",
    "registered",
    "registered_action",
    "registered_flags",
    "registered_uri",
    "save",
    "save_uri",
    "set_q_override",
    "ulc_cget",
    "ulc_rget",
    "unregister",
    "unregister_ruid",
]

NOT_FOUND: Final = -1
METHOD_NOT_ALLOWED: Final = -2
FAILED: Final = -3

# Options of registered_flags and actions of registered_action.
MATCH_CALLID: Final = 1
MATCH_RECEIVED: Final = 2
MATCH_CONTACT: Final = 4
RESTORE_ATTRIBUTES: Final = 1
NO_RECORD: Final = 2

# Attributes of `xavp_rcd` with their bits in `xavp_rcd_mask`.
RECORD: Final = {"ruid": 1, "contact": 2, "expires": 4, "received": 8, "path": 16}


@dataclass
class _State:
    settings: Settings = field(default_factory=Settings)
    rules: RegistrarRules = field(default_factory=lambda: register_request.rules(Settings()))
    sockets: Sockets = field(default_factory=lambda: Sockets(None))
    engine: "_engine.Engine | None" = None
    is_plain: bool = False
    finds_plainly: bool = False
    accepted: int = 0
    rejected: int = 0

    @property
    def registrar(self) -> RegistrarSettings:
        return self.settings.registrar


_state = _State()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on."""
    global _state
    _state = _State(host.settings, register_request.rules(host.settings), Sockets(host.engine), host.engine)
    settings = host.settings.registrar
    # What the engine does not look at when it prolongs a binding by itself.
    _state.is_plain = not (
        settings.outbound_mode
        or settings.xavp_cfg
        or settings.expires_range
        or settings.default_expires_range
        or settings.sock_flag >= 0
        or settings.sock_mode
        or settings.regid_mode
        or host.settings.usrloc.xavp_contact
        or host.settings.usrloc.desc_time_order
    )
    # The same for destinations.
    _state.finds_plainly = not (
        settings.method_filtering
        or settings.lookup_filter_mode
        or settings.use_expired_contacts
        or settings.xavp_rcd
        or host.settings.usrloc.xavp_contact
    )
    _engine.forget_plain_tables()
    _engine.on_lookup(_lookup_in_general)
    host.variable("ulc", ulc.variable)
    host.count(_count)


def tables() -> Tables:
    """The location tables."""
    return usrloc.tables()


# ---- REGISTER ------------------------------------------------------------------------------------------------------


@ksr("registrar.save")
def save(table: str, flags: int) -> int:
    """Applies the REGISTER to its To URI and answers it. 1 inserted, 2 updated, 3 deleted, 4 fetched; -1 refused,
    -2 too many contacts. Flags: 1 never to a database, 2 no reply, 4 one contact for each address-of-record,
    8 no random expiry, 16 with 2: the reply's header fields are made ready.
    """
    location = usrloc.tables().get(table)
    if flags == 0 and _state.is_plain and location is not None and location.is_in_memory:
        avp = _state.registrar.received_avp
        received = None if not avp else register_request.variable(avp, _get) or _engine.current().received
        if _state.rules.refresh(location.table, received):
            _state.accepted += 1
            if location.sharing is not None and (aor := _state.rules.aor(_engine.current().to_uri)):
                location.refreshed(aor)
            return UPDATED
    return _save(location, flags, None)


@ksr("registrar.save_uri")
def save_uri(table: str, flags: int, uri: str) -> int:
    """As `save`, for the address-of-record `uri`."""
    return _save(usrloc.tables().get(table), flags, uri)


@ksr("registrar.reg_send_reply")
def reg_send_reply() -> int:
    """Sends the answer that `save` made ready with the flags 2 and 16, or a bare 200."""
    reply = _pending.pop(_engine.current().call_id, None) or Outcome(UPDATED)
    _add_headers(reply)
    return int(_part("sl").send_reply(reply.status, reply.reason))


@ksr("registrar.set_q_override")
def set_q_override(q: str) -> int:
    """The contacts of this REGISTER get that q, from 0 to 1, whatever they say: 1; -1 when it is no q."""
    from sipwright.modules.registrar import parse_q

    value = parse_q(q)
    if value is None or value < 0:
        log.error(f"KSR.registrar.set_q_override: {q!r} is no q")
        return -1
    name = _state.registrar.xavp_cfg
    if not name:
        log.error("KSR.registrar.set_q_override: it needs the setting registrar.xavp_cfg")
        return -1
    _part("pv").seti(f"$xavp({name}=>q)", value)
    return 1


@ksr("registrar.add_sock_hdr")
def add_sock_hdr(name: str) -> int:
    """Adds a header field `name` with the socket that the request came in on."""
    return int(_part("hdr").append(f"{name}: {_engine.current().source.socket_name}\r\n"))


# ---- look-ups ------------------------------------------------------------------------------------------------------


@ksr("registrar.lookup_uri")
def lookup_uri(table: str, uri: str) -> int:
    """As `lookup`, for the user of `uri`."""
    return _lookup(table, uri)


@ksr("registrar.lookup_to_dset")
def lookup_to_dset(table: str, uri: str) -> int:
    """Appends all contacts of the user of `uri` as branches, and leaves the request-URI as it is."""
    found = _contacts(table, uri or _uri())
    if isinstance(found, int):
        return found
    _tell(found[0])
    destinations = _destinations()
    for binding in found:
        destinations.append(binding)
    return 1


@ksr("registrar.lookup_branches")
def lookup_branches(table: str) -> int:
    """As `lookup`, and for each branch that is a bare URI, whose contacts take its place."""
    pv, bare = _part("pv"), []
    for index in reversed(range(pv.get("$branch(count)") or 0)):
        if all(pv.get(f"$(branch({key})[{index}])") in (None, 0, "") for key in ("dst_uri", "path", "flags")):
            uri = str(pv.get(f"$(branch(uri)[{index}])"))
            found = _contacts(table, uri)
            if not isinstance(found, int):
                pv.unset(f"$(branch(uri)[{index}])")
                bare.append(found)
    result = _lookup(table, _uri())
    destinations = _destinations()
    for found in reversed(bare):
        for binding in found:
            destinations.append(binding)
    return 1 if bare else result


@ksr("registrar.lookup_xavp")
def lookup_xavp(table: str, uri: str, record: str, contact: str) -> int:
    """Copies the contacts of the user of `uri` to `$xavp(record=>...)` and, one for each, `$xavp(contact=>...)`.

    The attributes are those of `$ulc`. 1 found; -1 no contact; -3 error.
    """
    found = _fetched(table, uri)
    if isinstance(found, int):
        return found
    for one in reversed(found.contacts):
        _set_fields(contact, {name: get(one) for name, get in ulc.CONTACT.items()})
    _set_fields(record, {name: get(found) for name, get in ulc.RECORD.items()})
    return 1


@ksr("registrar.reg_fetch_contacts")
def reg_fetch_contacts(table: str, uri: str, profile: str) -> int:
    """Copies the contacts of the user of `uri` to `$ulc(profile=>...)`: 1; -1 when there are none."""
    found = _fetched(table, uri)
    if isinstance(found, int):
        ulc.free(profile)
        return -1
    if not ulc.keep(profile, found):
        log.error(f"KSR.registrar.reg_fetch_contacts: there are {ulc.MAX_PROFILES} profiles already")
        return -1
    return 1


@ksr("registrar.reg_free_contacts")
def reg_free_contacts(profile: str) -> int:
    """Forgets what `reg_fetch_contacts` has copied: 1, even if there was nothing."""
    ulc.free(profile)
    return 1


@ksr("registrar.ulc_rget")
def ulc_rget(profile: str, attr: str) -> str | int | None:
    """An attribute of the record of a profile: aor, domain, aorhash or count."""
    return ulc.attribute(profile, attr) if attr in ulc.RECORD else None


@ksr("registrar.ulc_cget")
def ulc_cget(profile: str, attr: str, index: int) -> str | int | None:
    """An attribute of the contact of that index of a profile, as `$(ulc(profile=>attr)[index])`."""
    return ulc.attribute(profile, attr, index) if attr in ulc.CONTACT else None


# ---- questions -----------------------------------------------------------------------------------------------------


@ksr("registrar.registered")
def registered(table: str) -> int:
    """1 when the user of the request-URI, or of To in a response, has a contact, else -1."""
    uri = _engine.current().to_uri if _engine.current().Type == "SIP_REPLY" else _uri()
    return _registered(table, uri, 0, 0)


@ksr("registrar.registered_uri")
def registered_uri(table: str, uri: str) -> int:
    """1 when the user of `uri` has a contact, else -1."""
    return _registered(table, uri, 0, 0)


@ksr("registrar.registered_flags")
def registered_flags(table: str, uri: str, flags: int) -> int:
    """As `registered_uri`, for a contact that has the value of `$xavp(CFG=>match_callid)` (flag 1), `match_received` (2)
    and `match_contact` (4), where CFG is `registrar.xavp_cfg`.
    """
    return _registered(table, uri, flags, 0)


@ksr("registrar.registered_action")
def registered_action(table: str, uri: str, flags: int, actions: int) -> int:
    """As `registered_flags`; actions: 1 restores the values of the script kept with the contact, 2 leaves the XAVP of
    `registrar.xavp_rcd` as it is.
    """
    return _registered(table, uri, flags, actions)


@ksr("registrar.reg_from_user")
def reg_from_user(table: str, uri: str, mode: int) -> int:
    """1 when the message comes from where a contact of the user of `uri` is registered, else -1: by transport, address
    and port, or with mode 1 by the address alone.
    """
    place = _place(table, uri)
    if place is None:
        return -1
    source = _engine.current().source
    for binding in place[0].live(place[1], time.time()):
        proto, host, port = where(binding.received or binding.uri)
        if is_same_host(host, source.ip) and (mode == 1 or (proto, port) == (source.proto, source.port)):
            _tell(binding)
            return 1
    return -1


@ksr("registrar.unregister")
def unregister(table: str, uri: str) -> int:
    """Removes all contacts of the user of `uri`: 1; -1 when `uri` is none."""
    place = _place(table, uri)
    if place is None:
        return -1
    return 1 if _changed(place[0], place[1], lambda: place[0].remove_all(place[1])) is not None else -2


@ksr("registrar.unregister_ruid")
def unregister_ruid(table: str, uri: str, ruid: str) -> int:
    """Removes the contact with the record id `ruid` of the user of `uri`: 1; -1 when `uri` is none, -3 when there is
    no such contact.
    """
    place = _place(table, uri)
    if place is None:
        return -1
    found = next((one for one in place[0].bindings(place[1]) if one.ruid == ruid), None)
    if found is None:
        return -3
    return 1 if _changed(place[0], place[1], lambda: place[0].remove(found)) is not None else -2


# ---- how -----------------------------------------------------------------------------------------------------------

# Answers that `reg_send_reply` is to send, by Call-ID of their REGISTER; few, and never more than that.
_pending: dict[str, Outcome] = {}
_MAX_PENDING: Final = 10_000


def _save(table: Location | None, save_flags: int, uri: str | None) -> int:
    if table is None:
        log.error("KSR.registrar.save: no name of a table")
        return -1
    message = _engine.current()
    uri = uri or message.to_uri
    aor = _state.rules.aor(uri)
    if aor is None:
        outcome = Outcome(-1, 400, "Bad Request", ["P-Registrar-Error: Invalid address-of-record"])
    else:
        outcome = _apply(table, message, aor, uri, save_flags)
    _state.accepted += outcome.result > 0
    _state.rejected += outcome.result < 0
    if not save_flags & NO_REPLY:
        _add_headers(outcome)
        _part("sl").send_reply(outcome.status, outcome.reason)
    else:
        if save_flags & PREPARE_REPLY:
            _add_headers(outcome)
            outcome = Outcome(outcome.result, outcome.status, outcome.reason)
        if len(_pending) < _MAX_PENDING:
            _pending[message.call_id] = outcome
    return outcome.result


def _apply(table: Location, message: "Message", aor: str, uri: str, save_flags: int) -> Outcome:
    try:
        request = register_request.read(message, aor, uri, _state.settings, _get)
    except ValueError:
        # A Contact that is none, such as one of RFC 4475 section 3.1.2.13.
        return Outcome(-1, 400, "Bad Request", ["P-Registrar-Error: Contact parse error"])
    try:
        outcome = register(table, request, _state.registrar, _state.rules, int(time.time()), save_flags)
        table.saved(aor)
    except DatabaseError as error:
        log.error(f"KSR.registrar.save: {aor}: {error}")
        return Outcome(-1, 500, "Server Internal Error", ["P-Registrar-Error: Location table does not answer"])
    return outcome


def _add_headers(outcome: Outcome) -> None:
    for line in outcome.headers:
        _engine.append_reply_header(line + "\r\n")


def _lookup_in_general(table: str) -> int:
    """What the builtin `lookup` leaves to Python: the first time, and contacts that are not plain."""
    location = usrloc.tables().get(table)
    if _state.finds_plainly and location is not None and location.is_in_memory and location.sharing is None:
        _engine.look_up_plainly(table, location.table, _state.rules, not _state.registrar.append_branches)
    return _lookup(table, _uri())


def _lookup(table: str, uri: str) -> int:
    found = _contacts(table, uri)
    if isinstance(found, int):
        return found
    first, *others = found
    _tell(first)
    destinations = _destinations()
    destinations.set_main(first)
    attributes.restore(_state.settings.usrloc.xavp_contact, first.attributes)
    if _state.registrar.append_branches:
        for binding in others:
            destinations.append(binding)
    return 1


def _contacts(table_name: str, uri: str) -> list[Binding] | int:
    """The contacts to try, best first, or the code to return."""
    place = _place(table_name, uri)
    if place is None:
        return FAILED
    table, aor = place
    wanted = _wanted(uri)
    try:
        if wanted.ruid:
            aor = table.aor_of(wanted.ruid) or aor
        bindings = table.bindings(aor)
    except DatabaseError as error:
        log.error(f"KSR.registrar.lookup: {aor}: {error}")
        return FAILED
    if not bindings:
        return NOT_FOUND
    if table.sharing is not None and (flow := _parameter(uri, FLOW_PARAMETER)) is not None:
        # Another server asks for a contact that is ours.
        bindings = [one for one in bindings if one.ruid == flow and not table.is_elsewhere(one)]
    found, others = wanted.choose(bindings, _state.registrar, int(time.time()))
    if not found:
        return METHOD_NOT_ALLOWED if others else NOT_FOUND
    # An instance is called by its newest registration (RFC 5627 section 5.3).
    return [max(found, key=lambda one: one.modified_at)] if wanted.instance else found


def _wanted(uri: str) -> Wanted:
    settings = _state.registrar
    methods = flags = 0
    if settings.method_filtering and not _engine.current().to_tag:
        methods = methods_mask(str(_get("$rm")))
    if settings.lookup_filter_mode & FILTER_FLAGS and settings.xavp_cfg:
        value = _get(f"$xavp({settings.xavp_cfg}=>rlf_bflags)")
        flags = value if isinstance(value, int) else 0
    instance = ruid = ""
    if ";gr" in uri and settings.gruu_enabled:
        gruu = _parameter(uri, "gr")
        if gruu:
            instance = gruu
        elif gruu is not None:
            ruid = uri.partition(":")[2].partition("@")[0]
    connected = _is_connected if settings.lookup_filter_mode & FILTER_CONNECTION else None
    return Wanted(methods, instance, ruid, flags, connected)


def _parameter(uri: str, name: str) -> str | None:
    params = [param.partition("=") for param in uri.partition(";")[2].partition("?")[0].split(";")]
    return next((value for key, _, value in params if key.lower() == name), None)


def _is_connected(connection: int) -> bool:
    engine = _state.engine
    return engine is None or any(row[0] == connection for row in engine.connections())


def _registered(table: str, uri: str, flags: int, actions: int) -> int:
    place = _place(table, uri)
    if place is None:
        return -1
    settings = _state.registrar
    wanted = _matches(flags)
    try:
        bindings = place[0].live(place[1], time.time())
    except DatabaseError as error:
        log.error(f"KSR.registrar.registered: {place[1]}: {error}")
        return -1
    for binding in bindings:
        if all(getattr(binding, attribute) == value for attribute, value in wanted.items()):
            if not actions & NO_RECORD:
                _tell(binding)
            if actions & RESTORE_ATTRIBUTES:
                attributes.restore(_state.settings.usrloc.xavp_contact, binding.attributes)
            return 1
    if settings.reg_callid_avp and wanted:
        log.debug(f"KSR.registrar: no contact of {place[1]} is as the script wants it")
    return -1


def _matches(flags: int) -> dict[str, str]:
    """What a contact must have, by attribute of the binding."""
    settings = _state.registrar
    wanted = {}
    keys = (
        (MATCH_CALLID, "call_id", "match_callid"),
        (MATCH_RECEIVED, "received", "match_received"),
        (MATCH_CONTACT, "uri", "match_contact"),
    )
    if settings.xavp_cfg:
        for bit, attribute, key in keys:
            value = _get(f"$xavp({settings.xavp_cfg}=>{key})") if flags & bit else None
            if isinstance(value, str):
                wanted[attribute] = value
    if call_id := register_request.variable(settings.reg_callid_avp, _get):
        wanted["call_id"] = call_id
    return wanted


def _fetched(table_name: str, uri: str) -> ulc.Profile | int:
    place = _place(table_name, uri)
    if place is None:
        return FAILED
    try:
        bindings = place[0].live(place[1], time.time())
    except DatabaseError as error:
        log.error(f"KSR.registrar: {place[1]}: {error}")
        return FAILED
    return ulc.Profile(place[0].name, place[1], bindings) if bindings else NOT_FOUND


def _tell(binding: Binding) -> None:
    """Shows a contact to the script, as `registrar.xavp_rcd` asks."""
    name, mask = _state.registrar.xavp_rcd, _state.registrar.xavp_rcd_mask
    if name:
        values = {
            "ruid": binding.ruid,
            "contact": binding.uri,
            "expires": binding.expires_at - int(time.time()),
            "received": binding.received or None,
            "path": binding.path or None,
        }
        _set_fields(name, {key: value for key, value in values.items() if not mask & RECORD[key]})


def _set_fields(name: str, values: dict[str, Any]) -> None:
    """A new `$xavp(name)` with those fields, without the ones that are None."""
    pv, place = _part("pv"), f"$xavp({name}=>"
    for key, value in values.items():
        if value is not None:
            (pv.seti if isinstance(value, int) else pv.sets)(f"{place}{key})", value)
            place = f"$xavp({name}[0]=>"


def _changed(table: Location, aor: str, change: Any) -> object | None:
    """Does a change and writes it; None when the database of the table does not answer."""
    try:
        with table.changing(aor):
            result: object = change()
        table.saved(aor)
    except DatabaseError as error:
        log.error(f"KSR.registrar: {aor}: {error}")
        return None
    return result


def _place(table_name: str, uri: str) -> tuple[Location, str] | None:
    table, aor = usrloc.tables().get(table_name), _state.rules.aor(uri)
    if table is None or aor is None:
        log.error(f"KSR.registrar: {uri!r} is no SIP URI" if aor is None else f"KSR.registrar: no table {table_name!r}")
        return None
    return table, aor


def _destinations() -> Destinations:
    return Destinations(_state.registrar, _state.sockets.index, usrloc.way)


def _count() -> dict[str, int]:
    settings = _state.registrar
    return {
        "accepted_regs": _state.accepted,
        "rejected_regs": _state.rejected,
        "max_expires": settings.max_expires_s,
        "max_contacts": settings.max_contacts,
        "default_expire": settings.default_expires_s,
        "default_expires_range": settings.default_expires_range,
        "expires_range": settings.expires_range,
    }


def _uri() -> str:
    return str(_engine.pv_gete("$ru"))


def _get(name: str) -> Any:
    return _engine.pv_get(name)


def _part(name: str) -> Any:
    return getattr(sys.modules["KSR"], name)
