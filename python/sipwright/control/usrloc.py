"""Control methods of the location tables, with the names and replies of Kamailio's module usrloc."""

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sipwright._engine import Binding
from sipwright.control.rpc import FAILED, INVALID_PARAMS, Rpc, RpcError
from sipwright.modules.ulc import signed
from sipwright.modules.usrloc import ALL_METHODS, NO_Q, Location, Tables, is_live, match, new_ruid

if TYPE_CHECKING:
    from sipwright.modules.location_db import Store

RPC_CALL_ID: Final = "dfjrewr12386fd6-343@kamailio.rpc"
RPC_USER_AGENT: Final = "sipwright RPC"
_STATES: Final = ("CS_NEW", "CS_SYNC", "CS_DIRTY")
# Rows of `ul.dump` at most, unless asked for more: its reply lies in memory as a whole.
DUMPED: Final = 10_000


def register(rpc: Rpc, tables: Tables, store: "Store | None") -> None:
    """Adds the methods; those about the database answer with an error where there is none."""
    rpc.add("ul.dump", partial(dump, tables), blocking=True)
    rpc.add("ul.lookup", partial(lookup, tables), blocking=True)
    rpc.add("ul.rm", partial(remove, tables), blocking=True)
    rpc.add("ul.rm_contact", partial(remove_contact, tables), blocking=True)
    rpc.add("ul.add", partial(add, tables), blocking=True)
    rpc.add("ul.flush", partial(flush, store), blocking=True)
    rpc.add("ul.db_users", lambda table: _database(store).users(table), blocking=True)
    rpc.add("ul.db_contacts", lambda table: _database(store).contacts(table), blocking=True)
    rpc.add("ul.db_expired_contacts", lambda table: _database(store).expired_contacts(table), blocking=True)


def dump(tables: Tables, mode: str = "", limit: int = DUMPED) -> dict[str, Any]:
    """The bindings of all tables, those of at most `limit` users; with the mode `brief` only the users."""
    now, domains = int(time.time()), []
    for table in tables.all():
        users: dict[str, list[Binding]] = {}
        for page in table.pages():
            for binding in page:
                if binding.aor in users or len(users) < int(limit):
                    users.setdefault(binding.aor, []).append(binding)
        rows: list[dict[str, Any]] = (
            [{"AoR": aor} for aor in users]
            if mode == "brief"
            else [{"Info": _record(aor, found, now)} for aor, found in users.items()]
        )
        stats = {"Records": table.users(), "Max-Slots": 1}
        domains.append({"Domain": {"Domain": table.name, "Size": table.users(), "AoRs": rows, "Stats": stats}})
    return {"Domains": domains}


def lookup(tables: Tables, table: str, aor: str) -> dict[str, Any]:
    """The bindings of one address-of-record."""
    now = int(time.time())
    found = _table(tables, table).live(aor, now)
    if not found:
        raise RpcError(FAILED, "AOR not found in location table")
    return {"AoR": aor, "Contacts": _contacts(found, now)}


def remove(tables: Tables, table: str, aor: str) -> None:
    """Removes all bindings of an address-of-record."""
    location = _table(tables, table)
    with location.changing(aor):
        location.remove_all(aor)
    location.saved(aor)


def remove_contact(tables: Tables, table: str, aor: str, contact: str) -> None:
    """Removes the bindings of an address-of-record to one contact."""
    location = _table(tables, table)
    with location.changing(aor):
        bindings = location.bindings(aor)
        if not bindings:
            raise RpcError(FAILED, "AOR not found")
        found = [one for one in bindings if one.uri == contact]
        if not found:
            raise RpcError(FAILED, "Contact not found")
        for one in found:
            location.remove(one)
    location.saved(aor)


def add(tables: Tables, *arguments: Any) -> None:
    """Adds a binding that never ends if `expires` is 0: table, AoR, contact, expires, q, path, flags, cflags, methods."""
    try:
        name, aor, contact, expires, q, path, flags, cflags, methods = arguments
        expires, flags, cflags, methods, q = int(expires), int(flags), int(cflags), int(methods), round(float(q) * 1000)
    except ValueError as error:
        raise RpcError(INVALID_PARAMS, "Not enough parameters or wrong format") from error
    location, now = _table(tables, str(name)), int(time.time())
    new = Binding(
        str(aor),
        str(contact),
        now + expires if expires else 0,
        q=q if 0 <= q <= 1000 else NO_Q,
        path="" if path in ("", "0") else str(path),
        flags=flags,
        cflags=cflags,
        methods=methods & ALL_METHODS,
        call_id=RPC_CALL_ID,
        cseq=1,
        user_agent=RPC_USER_AGENT,
        modified_at=now,
        seen_at=now,
    )
    with location.changing(new.aor):
        old = match(new, location.bindings(new.aor), location.settings.matching_mode)
        new.ruid = old.ruid if old else new_ruid("ulcx")
        location.put(new)
    location.saved(new.aor)


def flush(store: "Store | None") -> None:
    """Has all changes written to the database now."""
    if store is not None:
        store.flush()
        if not store.database.flush(10.0):
            raise RpcError(FAILED, "the database does not answer; the changes wait")


def _record(aor: str, bindings: list[Binding], now: int) -> dict[str, Any]:
    return {"AoR": aor, "HashID": 0, "Contacts": _contacts(bindings, now)}


def _contacts(bindings: list[Binding], now: int) -> list[dict[str, Any]]:
    return [{"Contact": _contact(one, now)} for one in bindings]


def _contact(one: Binding, now: int) -> dict[str, Any]:
    expires: str | int = one.expires_at - now
    if one.expires_at == 0:
        expires = "permanent"
    elif not is_live(one, now):
        expires = "expired"
    return {
        "Address": one.uri,
        "Expires": expires,
        "Q": -1 if one.q == NO_Q else one.q / 1000,
        "Call-ID": one.call_id,
        "CSeq": one.cseq,
        "User-Agent": one.user_agent or "[not set]",
        "Received": one.received or "[not set]",
        "Path": one.path or "[not set]",
        "State": _STATES[one.state],
        "Flags": one.flags,
        "CFlags": one.cflags,
        "Socket": one.socket or "[not set]",
        "Methods": signed(one.methods),
        "Ruid": one.ruid,
        "Instance": one.instance or "[not set]",
        "Reg-Id": one.reg_id,
        "Server-Id": one.server_id,
        "Tcpconn-Id": one.connection or -1,
        "Keepalive": 0,
        "Last-Keepalive": one.seen_at,
        "KA-Roundtrip": 0,
        "Last-Modified": one.modified_at,
    }


def _table(tables: Tables, name: str) -> Location:
    table = tables.known(name)
    if table is None:
        raise RpcError(FAILED, "Domain table not found")
    return table


def _database(store: "Store | None") -> "Store":
    if store is None:
        raise RpcError(FAILED, "Command is not supported in db_mode=0")
    return store
