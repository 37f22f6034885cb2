"""Bindings as rows of Kamailio's table `location`, version 9, and of `location_attrs`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, ColumnElement, MetaData, Table, and_, or_, select

from sipwright._engine import Binding
from sipwright.modules import attributes
from sipwright.modules.usrloc import ALL_METHODS, NO_Q
from sipwright.settings.usrloc import UsrlocSettings
from sipwright.storage import tables
from sipwright.storage.writes import Value, Write

if TYPE_CHECKING:
    from sipwright.storage.database import Database

LAYOUT: Final = "location"
VERSION: Final = 9
# `Binding.state` of what is in the database as it is here.
SYNC: Final = 1
# Types of Kamailio's values in `location_attrs`.
_INTEGER: Final = 1
_TEXT: Final = 0
_MAX_INT: Final = 2**31 - 1


class Rows:
    """The rows of one location table."""

    def __init__(self, name: str, database: "Database", settings: UsrlocSettings, server_id: int) -> None:
        self.name = name
        self.database = database
        self.settings = settings
        self.server_id = server_id
        layout = tables.METADATA.tables[LAYOUT]
        self.table = layout if name == LAYOUT else Table(name, MetaData(), *(Column(c.name, c.type) for c in layout.c))

    def check(self) -> None:
        """That the table is there with the right version. Raises TableVersionError or DatabaseAway."""
        self.database.check_table(self.name, VERSION, layout=LAYOUT)

    def writes(self, binding: Binding) -> list[Write]:
        """What makes the row of a binding what the binding is."""
        user, domain = self._user_and_domain(binding.aor)
        bflag = self.settings.nat_bflag
        values: dict[str, Value] = {
            "username": user,
            "domain": domain,
            "contact": binding.uri,
            "received": binding.received or None,
            "path": binding.path or None,
            "expires": binding.expires_at,
            "q": -1.0 if binding.q == NO_Q else binding.q / 1000,
            "callid": binding.call_id,
            "cseq": min(binding.cseq, _MAX_INT),
            "last_modified": binding.modified_at,
            "flags": binding.flags,
            "cflags": binding.cflags,
            "user_agent": binding.user_agent[:255],
            "socket": binding.socket or None,
            "methods": None if binding.methods == ALL_METHODS else binding.methods,
            "instance": binding.instance or None,
            "reg_id": binding.reg_id,
            "server_id": binding.server_id,
            "connection_id": min(binding.connection, _MAX_INT) if binding.connection else -1,
            "keepalive": int(bflag >= 0 and bool(binding.cflags >> bflag & 1)),
            "partition": 0,
        }
        found = [Write("replace", self.name, values, {"ruid": binding.ruid}, LAYOUT)]
        if self.settings.xavp_contact:
            found += self._attribute_writes(binding, user, domain)
        return found

    def removals(self, binding: Binding) -> list[Write]:
        """What removes the row of a binding."""
        found = [Write("delete", self.name, {}, {"ruid": binding.ruid}, LAYOUT)]
        if self.settings.xavp_contact:
            found.append(Write("delete", "location_attrs", {}, {"ruid": binding.ruid}))
        return found

    def of_aor(self, aor: str) -> ColumnElement[bool]:
        """The condition for the rows of an address-of-record."""
        user, domain = self._user_and_domain(aor)
        columns = self.table.c
        if self.settings.use_domain:
            return and_(columns.username == user, columns.domain == domain)
        return columns.username == user

    def ended(self, now: int) -> ColumnElement[bool]:
        """The condition for rows of bindings that have ended."""
        columns = self.table.c
        # 1970 is how drivers store a time of 0, which never comes.
        condition = and_(columns.expires <= now, columns.expires > 86_400)
        return self.of_this_server(condition)

    def live(self, now: int) -> ColumnElement[bool]:
        """The condition for rows of bindings that have not ended."""
        columns = self.table.c
        return or_(columns.expires > now, columns.expires <= 86_400)

    def of_this_server(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """With `server_id_filter` the condition for rows of this server only."""
        if self.settings.server_id_filter:
            return and_(condition, self.table.c.server_id == self.server_id)
        return condition

    def read(self, condition: ColumnElement[bool]) -> list[Binding]:
        """The bindings of the rows that fulfil a condition, in the order in which they were made."""
        return self._bindings(self.database.query(select(self.table).where(condition).order_by(self.table.c.id)))

    def page(self, after_id: int, condition: ColumnElement[bool] | None = None) -> tuple[list[Binding], int]:
        """The next bindings after the row with that `id`, and the `id` of the last one, 0 after the end."""
        wanted = self.table.c.id > after_id
        wanted = wanted if condition is None else and_(wanted, condition)
        statement = select(self.table).where(wanted).order_by(self.table.c.id).limit(self.settings.fetch_rows)
        rows = self.database.query(statement)
        return self._bindings(rows), int(rows[-1]._mapping["id"]) if rows else 0

    def _bindings(self, rows: Sequence[Any]) -> list[Binding]:
        found = [self._binding(row._mapping) for row in rows]
        if self.settings.xavp_contact and found:
            self._read_attributes(found)
        return found

    def _binding(self, row: Mapping[str, Any]) -> Binding:
        domain, q = row["domain"], float(row["q"])
        modified_at = int(row["last_modified"] or 0)
        expires_at = round(row["expires"] or 0)
        return Binding(
            f"{row['username']}@{domain}" if self.settings.use_domain and domain else str(row["username"]),
            str(row["contact"]),
            expires_at if expires_at > 86_400 else 0,
            q=round(q * 1000) if q >= 0 else NO_Q,
            call_id=str(row["callid"]),
            cseq=max(0, int(row["cseq"])),
            user_agent=str(row["user_agent"]),
            received=row["received"] or "",
            path=row["path"] or "",
            socket=row["socket"] or "",
            connection=max(0, int(row["connection_id"] or 0)),
            flags=max(0, int(row["flags"])),
            cflags=max(0, int(row["cflags"])),
            methods=ALL_METHODS if row["methods"] is None else int(row["methods"]) & ALL_METHODS,
            instance=row["instance"] or "",
            reg_id=max(0, int(row["reg_id"])),
            server_id=max(0, int(row["server_id"])),
            ruid=str(row["ruid"]),
            modified_at=modified_at,
            seen_at=modified_at,
            state=SYNC,
        )

    def _user_and_domain(self, aor: str) -> tuple[str, str | None]:
        if not self.settings.use_domain:
            return aor, None
        user, at, domain = aor.rpartition("@")
        return (user, domain) if at else ("", domain)

    def _attribute_writes(self, binding: Binding, user: str, domain: str | None) -> list[Write]:
        key: dict[str, Value] = {"ruid": binding.ruid}
        writes = [Write("delete", "location_attrs", {}, key)]
        # The one that was set last first, as Kamailio writes them.
        for name, value in reversed(attributes.fields(binding.attributes)):
            row: dict[str, Value] = {
                "username": user,
                "domain": domain,
                "aname": name,
                "atype": _INTEGER if isinstance(value, int) else _TEXT,
                "avalue": str(value),
                "last_modified": binding.modified_at,
            }
            writes.append(Write("insert", "location_attrs", {**row, **key}))
        return writes

    def _read_attributes(self, found: list[Binding]) -> None:
        table = tables.METADATA.tables["location_attrs"]
        by_ruid = {binding.ruid: binding for binding in found}
        pairs: dict[str, list[tuple[str, str | int]]] = {}
        statement = select(table.c.ruid, table.c.aname, table.c.atype, table.c.avalue)
        for row in self.database.query(statement.where(table.c.ruid.in_(list(by_ruid))).order_by(table.c.id)):
            value: str | int = int(row.avalue) if row.atype == _INTEGER else str(row.avalue)
            pairs.setdefault(str(row.ruid), []).append((str(row.aname), value))
        for ruid, values in pairs.items():
            by_ruid[ruid].attributes = attributes.to_text(values[::-1])
