"""KSR.registrar: `save`, `lookup` and their kin over the location tables, with Kamailio's return codes."""

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.modules.aor import canonical_aor
from sipwright.modules.registrar import NO_REPLY, Outcome, Registration, contact_header, register
from sipwright.modules.usrloc import NO_Q, Binding, Table, Tables
from sipwright.settings.model import RegistrarSettings

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = [
    "add_sock_hdr",
    "lookup",
    "lookup_to_dset",
    "lookup_uri",
    "registered",
    "registered_uri",
    "save",
    "save_uri",
    "unregister",
    "unregister_ruid",
]

NOT_FOUND = -1
METHOD_NOT_ALLOWED = -2
FAILED = -3


@dataclass
class _State:
    settings: RegistrarSettings = field(default_factory=RegistrarSettings)
    tables: Tables = field(default_factory=lambda: Tables(RegistrarSettings().max_bindings))


_state = _State()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on, with empty tables."""
    settings = host.settings.registrar
    _state.settings = settings
    _state.tables = Tables(settings.max_bindings)
    host.every(settings.sweep_s, lambda: _state.tables.sweep(time.monotonic()))
    host.rpc.add("ul.dump", dump, blocking=True)
    host.count(lambda: {"location_bindings": sum(len(table) for table in _state.tables.all())})


def tables() -> Tables:
    """The location tables, for the control socket and the sweep."""
    return _state.tables


@ksr("registrar.save")
def save(table: str, flags: int) -> int:
    """Applies the REGISTER to its To URI and answers it. 1 inserted, 2 updated, 3 deleted, 4 fetched; -1 refused,
    -2 too many contacts. Flags: 2 no reply, 4 one contact for each address-of-record.
    """
    return _save(table, flags, None)


@ksr("registrar.save_uri")
def save_uri(table: str, flags: int, uri: str) -> int:
    """As `save`, for the address-of-record `uri`."""
    return _save(table, flags, uri)


@ksr("registrar.lookup")
def lookup(table: str) -> int:
    """Rewrites the request-URI to the best contact of its user and appends the others as branches.

    1 found; -1 no contact; -2 none that allows the method (with `registrar.method_filtering`); -3 error.
    """
    return _lookup(table, _uri())


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
    for binding in found:
        _append(binding)
    return 1


@ksr("registrar.registered")
def registered(table: str) -> int:
    """1 when the user of the request-URI has a contact, else -1."""
    return _registered(table, _uri())


@ksr("registrar.registered_uri")
def registered_uri(table: str, uri: str) -> int:
    """1 when the user of `uri` has a contact, else -1."""
    return _registered(table, uri)


@ksr("registrar.unregister")
def unregister(table: str, uri: str) -> int:
    """Removes all contacts of the user of `uri`: 1; -1 when `uri` is none."""
    place = _place(table, uri)
    if place is None:
        return -1
    place[0].remove_all(place[1])
    return 1


@ksr("registrar.unregister_ruid")
def unregister_ruid(table: str, uri: str, ruid: str) -> int:
    """Removes the contact with the record id `ruid` of the user of `uri`: 1; -1 when there is none."""
    place = _place(table, uri)
    if place is None:
        return -1
    found = [binding.uri for binding in place[0].live(place[1], time.monotonic()) if binding.ruid == ruid]
    return 1 if found and place[0].remove(place[1], found[0]) else -1


@ksr("registrar.add_sock_hdr")
def add_sock_hdr(name: str) -> int:
    """Adds a header field `name` with the socket that the request came in on."""
    message = _message()
    if message is None:
        return -1
    return int(_part("hdr").append(f"{name}: {message.source.socket_name}\r\n"))


def _save(table_name: str, save_flags: int, uri: str | None) -> int:
    message, table = _message(), _state.tables.get(table_name)
    if message is None or table is None:
        return -1
    aor = _aor(message.to_uri if uri is None else uri)
    if aor is None:
        outcome = Outcome(-1, 400, "Bad Request", ["P-Registrar-Error: Invalid address-of-record"])
    else:
        outcome = _apply(table, message, aor, save_flags)
    if not save_flags & NO_REPLY:
        _answer(outcome)
    return outcome.result


def _apply(table: Table, message: "Message", aor: str, save_flags: int) -> Outcome:
    try:
        registration = _registration(message, aor)
    except ValueError:
        # A Contact that is none, such as one of RFC 4475 section 3.1.2.13.
        return Outcome(-1, 400, "Bad Request", ["P-Registrar-Error: Invalid Contact"])
    return register(table, registration, _state.settings, time.monotonic(), save_flags)


def _registration(message: "Message", aor: str) -> Registration:
    allowed = ",".join(message.headers("Allow"))
    supported = ",".join(message.headers("Supported"))
    return Registration(
        aor=aor,
        contacts=message.contacts(),
        call_id=message.call_id,
        cseq=message.cseq,
        expires=message.header("Expires"),
        user_agent=message.header("User-Agent") or "",
        methods=frozenset(_words(allowed)) if allowed else None,
        path=",".join(message.headers("Path")),
        supported=frozenset(word.lower() for word in _words(supported)),
        received=message.received or _received_variable(),
        socket=message.source.socket,
        connection=message.source.conn,
        flags=_branch_flags(),
    )


def _answer(outcome: Outcome) -> None:
    for line in outcome.headers:
        _engine.append_reply_header(line + "\r\n")
    _part("sl").send_reply(outcome.status, outcome.reason)


def _lookup(table: str, uri: str) -> int:
    found = _contacts(table, uri)
    if isinstance(found, int):
        return found
    first, *others = found
    _engine.set_destination(first.uri, _next_hop(first), first.path or None, first.flags, first.socket, _q(first))
    _engine.set_binding(True, first.ruid, first.user_agent, first.instance, first.reg_id)
    if _state.settings.append_branches:
        for binding in others:
            _append(binding)
    return 1


def _append(binding: Binding) -> None:
    path = binding.path or None
    _engine.append_branch(binding.uri, _next_hop(binding), path, binding.flags, binding.socket, _q(binding))
    _engine.set_binding(False, binding.ruid, binding.user_agent, binding.instance, binding.reg_id)


def _contacts(table_name: str, uri: str) -> list[Binding] | int:
    """The contacts to try, best first, or the code to return."""
    place = _place(table_name, uri)
    if place is None:
        return FAILED
    bindings = place[0].live(place[1], time.monotonic())
    if not bindings:
        return NOT_FOUND
    if _state.settings.method_filtering:
        method = _part("pv").get("$rm")
        bindings = [binding for binding in bindings if binding.methods is None or method in binding.methods]
    return bindings or METHOD_NOT_ALLOWED


def _next_hop(binding: Binding) -> str | None:
    """Where to send instead of to the contact: the first proxy of its path, or the NAT that it is behind."""
    if binding.path:
        return binding.path.partition("<")[2].partition(">")[0] or None
    return binding.received or None


def _q(binding: Binding) -> int | None:
    return None if binding.q == NO_Q else binding.q


def _registered(table: str, uri: str) -> int:
    place = _place(table, uri)
    return 1 if place is not None and place[0].live(place[1], time.monotonic()) else -1


def _place(table_name: str, uri: str) -> tuple[Table, str] | None:
    table, aor = _state.tables.get(table_name), _aor(uri)
    if table is None or aor is None:
        log.error(f"KSR.registrar: {uri!r} is no SIP URI" if aor is None else f"KSR.registrar: no table {table_name!r}")
        return None
    return table, aor


def _aor(uri: str) -> str | None:
    return canonical_aor(uri, _state.settings.use_domain, _state.settings.case_sensitive)


def _message() -> "Message | None":
    return _engine.current()


def _uri() -> str:
    return str(_engine.pv_gete("$ru"))


def _received_variable() -> str:
    variable = _state.settings.received_avp
    value = _part("pv").get(variable) if variable else None
    return value if isinstance(value, str) else ""


def _branch_flags() -> int:
    value = _part("pv").get("$bf")
    return value if isinstance(value, int) else 0


def _part(name: str) -> Any:
    return getattr(sys.modules["KSR"], name)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def dump(limit: int = 10_000) -> list[dict[str, Any]]:
    """The live bindings of all tables as plain data, at most `limit`, for the control socket."""
    now = time.monotonic()
    rows: list[dict[str, Any]] = []
    for table in _state.tables.all():
        for binding in table.all():
            if binding.expires_at > now and len(rows) < limit:
                rows.append(
                    {
                        "table": table.name,
                        "aor": binding.aor,
                        "contact": contact_header([binding], now).removeprefix("Contact: "),
                        "user_agent": binding.user_agent,
                        "call_id": binding.call_id,
                        "cseq": binding.cseq,
                        "path": binding.path,
                        "ruid": binding.ruid,
                    }
                )
    return rows
