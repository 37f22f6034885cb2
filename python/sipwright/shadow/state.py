"""What a running server knows that its messages do not say: registrations and hash tables, for the candidate to begin with."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sipwright.testing.server import VirtualServer

Ask = Callable[..., Any]
MOST_USERS: Final = 1_000_000
_NOT_SET: Final = "[not set]"


def take_over(ask: Ask, server: "VirtualServer") -> tuple[int, int]:
    """Copies registrations and items of hash tables; how many there are. `ask(method, *params)` asks the server."""
    contacts = sum(1 for table, row in _contacts(ask) if _put(server, table, row))
    return contacts, _hash_tables(ask, server)


def _contacts(ask: Ask) -> Iterator[tuple[str, dict[str, Any]]]:
    for domain in ask("ul.dump", "", MOST_USERS)["Domains"]:
        name = domain["Domain"]["Domain"]
        for user in domain["Domain"]["AoRs"]:
            for contact in user["Info"]["Contacts"]:
                yield name, {"AoR": user["Info"]["AoR"], **contact["Contact"]}


def _put(server: "VirtualServer", name: str, row: dict[str, Any]) -> bool:
    from sipwright._engine import Binding
    from sipwright.kemi import usrloc
    from sipwright.modules.usrloc import ALL_METHODS

    if row["Expires"] == "expired":
        return False
    table = usrloc.tables().get(name)
    if table is None:
        return False
    now = int(server.wire.wall_us() / 1e6)
    texts = {
        field: "" if row[shown] == _NOT_SET else str(row[shown])
        for field, shown in {
            "call_id": "Call-ID",
            "user_agent": "User-Agent",
            "received": "Received",
            "path": "Path",
            "socket": "Socket",
            "instance": "Instance",
            "ruid": "Ruid",
        }.items()
    }
    numbers = {
        field: int(row[shown])
        for field, shown in {"cseq": "CSeq", "flags": "Flags", "cflags": "CFlags", "reg_id": "Reg-Id"}.items()
    }
    quality = {} if row["Q"] == -1 else {"q": round(float(row["Q"]) * 1000)}
    expires_at = 0 if row["Expires"] == "permanent" else now + int(row["Expires"])
    binding = Binding(
        row["AoR"],
        row["Address"],
        expires_at,
        **texts,
        **numbers,
        **quality,
        methods=int(row["Methods"]) & ALL_METHODS,
        modified_at=int(row["Last-Modified"]),
        seen_at=int(row["Last-Keepalive"]),
    )
    with table.changing(binding.aor):
        table.put(binding)
    return True


def _hash_tables(ask: Ask, server: "VirtualServer") -> int:
    from sipwright.kemi import htable

    there = {table.name: table for table in htable.tables()}
    count = 0
    for listed in ask("htable.listTables"):
        table = there.get(listed["name"])
        if table is None:
            continue
        for slot in ask("htable.dump", listed["name"]):
            for item in slot["slot"]:
                table.set(item["name"], item["value"], server.wire.now_us() / 1e6)
                count += 1
    return count
