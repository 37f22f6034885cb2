"""Dialogs as rows of Kamailio's tables `dialog`, version 7, and `dialog_vars`, version 1."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, and_, column, delete, select, table

from sipwright import log
from sipwright.modules.dialog import Dialog, Leg
from sipwright.modules.dialog_requests import values_of
from sipwright.modules.steady import SteadyClock
from sipwright.settings.dialog import DialogSettings
from sipwright.storage.writes import Value, Write

if TYPE_CHECKING:
    from sipwright.storage.database import Database

LAYOUT: Final = "dialog"
VERSION: Final = 7
VARS_LAYOUT: Final = "dialog_vars"
VARS_VERSION: Final = 1
_ALL: Final = 1 << 31


class Rows:
    """The rows of one database. What reads them raises DatabaseError."""

    def __init__(self, database: "Database", settings: DialogSettings, clock: SteadyClock) -> None:
        s = settings
        self.database = database
        self._clock = clock
        self._settings = s
        self._names = {
            "call_id": s.call_id_column,
            "from_uri": s.from_uri_column,
            "from_tag": s.from_tag_column,
            "to_uri": s.to_uri_column,
            "to_tag": s.to_tag_column,
            "from_cseq": s.from_cseq_column,
            "to_cseq": s.to_cseq_column,
            "from_routes": s.from_route_column,
            "to_routes": s.to_route_column,
            "from_contact": s.from_contact_column,
            "to_contact": s.to_contact_column,
            "from_socket": s.from_sock_column,
            "to_socket": s.to_sock_column,
            "state": s.state_column,
            "start_ts": s.start_time_column,
            "deadline": s.timeout_column,
            "sflags": s.sflags_column,
            "toroute": s.toroute_name_column,
            "iflags": "iflags",
            "req_uri": "req_uri",
            "xdata": "xdata",
        }
        columns = "id", s.h_entry_column, s.h_id_column, *self._names.values()
        self._table = table(s.table_name, *map(column, columns))
        self._vars = table(
            s.vars_table_name,
            *map(column, ("id", s.vars_h_entry_column, s.vars_h_id_column, s.vars_key_column, s.vars_value_column)),
        )

    def check(self) -> None:
        """That the tables are there with the right versions. Raises TableVersionError or DatabaseAway."""
        self.database.check_table(self._settings.table_name, VERSION, layout=LAYOUT)
        self.database.check_table(self._settings.vars_table_name, VARS_VERSION, layout=VARS_LAYOUT)

    # ---- writing ---------------------------------------------------------------------------------------------------

    def row(self, dialog: Dialog) -> Write:
        """What makes the row of a dialog what the dialog is."""
        caller, callee = dialog.caller, dialog.callee
        values: dict[str, Value] = {
            "call_id": dialog.call_id,
            "from_uri": dialog.from_uri,
            "from_tag": caller.tag,
            "to_uri": dialog.to_uri,
            "to_tag": callee.tag,
            "from_cseq": str(caller.cseq),
            "to_cseq": str(callee.cseq),
            "from_routes": ",".join(caller.routes) or None,
            "to_routes": ",".join(callee.routes) or None,
            "from_contact": caller.contact,
            "to_contact": callee.contact,
            "from_socket": caller.socket,
            "to_socket": callee.socket,
            "state": dialog.state,
            "start_ts": self._clock.shown(dialog.start_ts),
            "deadline": self._clock.shown(dialog.deadline),
            "sflags": _signed(dialog.sflags),
            "toroute": dialog.toroute or None,
            "iflags": dialog.iflags,
            "req_uri": dialog.req_uri,
            "xdata": _profiles_text(dialog.profiles) if dialog.profiles else None,
        }
        named = {self._names[name]: value for name, value in values.items()}
        return Write("replace", self._settings.table_name, named, self._key(dialog), LAYOUT)

    def variable(self, dialog: Dialog, name: str, value: str) -> Write:
        """What makes a variable of a dialog have that value."""
        where = {**self._vars_key(dialog), self._settings.vars_key_column: name}
        return Write(
            "replace", self._settings.vars_table_name, {self._settings.vars_value_column: value}, where, VARS_LAYOUT
        )

    def no_variable(self, dialog: Dialog, name: str) -> Write:
        """What removes a variable of a dialog."""
        where = {**self._vars_key(dialog), self._settings.vars_key_column: name}
        return Write("delete", self._settings.vars_table_name, {}, where, VARS_LAYOUT)

    def no_row(self, dialog: Dialog) -> Write:
        """What removes the row of a dialog."""
        return Write("delete", self._settings.table_name, {}, self._key(dialog), LAYOUT)

    def clear(self) -> None:
        """Removes all rows."""
        with self.database.transaction() as connection:
            connection.execute(delete(self._vars))
            connection.execute(delete(self._table))

    def _key(self, dialog: Dialog) -> dict[str, Value]:
        return {self._settings.h_entry_column: dialog.h_entry, self._settings.h_id_column: dialog.h_id}

    def _vars_key(self, dialog: Dialog) -> dict[str, Value]:
        return {self._settings.vars_h_entry_column: dialog.h_entry, self._settings.vars_h_id_column: dialog.h_id}

    # ---- reading ---------------------------------------------------------------------------------------------------

    def page(self, after_id: int) -> tuple[list[Dialog], int]:
        """The next dialogs after the row with that `id`, without their variables, and the `id` of the last one, 0 at the end."""
        statement = select(self._table).where(self._table.c.id > after_id).order_by(self._table.c.id)
        rows = self.database.query(statement.limit(self._settings.db_fetch_rows or _ALL))
        return self._dialogs(rows), int(rows[-1]._mapping["id"]) if rows else 0

    def of_call(self, call_id: str, entry: int) -> list[Dialog]:
        """The dialogs of a Call-ID with their variables; its entry is what the tables have an index of."""
        condition = self._table.c[self._names["call_id"]] == call_id
        in_entry = and_(self._table.c[self._settings.h_entry_column] == entry, condition)
        found = self._dialogs(self.database.query(select(self._table).where(in_entry)))
        if found:
            of_entry = self._vars.c[self._settings.vars_h_entry_column] == entry
            variables = self.variables(of_entry)
            for dialog in found:
                set_variables(dialog, variables.get((dialog.h_entry, dialog.h_id), {}))
        return found

    def variables(self, condition: ColumnElement[bool] | None = None) -> dict[tuple[int, int], dict[str, str]]:
        """Variables by entry and id of their dialog."""
        s, found = self._settings, dict[tuple[int, int], dict[str, str]]()
        names = s.vars_h_entry_column, s.vars_h_id_column, s.vars_key_column, s.vars_value_column
        statement = select(*(self._vars.c[name] for name in names)).order_by(self._vars.c.id)
        wanted = statement if condition is None else statement.where(condition)
        for entry, number, name, value in map(tuple, self.database.query(wanted)):
            found.setdefault((int(entry), int(number)), {})[str(name)] = str(value)
        return found

    def _dialogs(self, rows: Iterable[Any]) -> list[Dialog]:
        found = []
        for row in rows:
            try:
                found.append(self._dialog(row._mapping))
            except (TypeError, ValueError) as error:
                log.error(f"dialog: row {row._mapping['id']} of {self._settings.table_name} is left out: {error}")
        return found

    def _dialog(self, row: Mapping[str, Any]) -> Dialog:
        def text(name: str) -> str:
            value = row[self._names[name]]
            return "" if value is None else str(value)

        def number(name: str) -> int:
            value = row[self._names[name]]
            return int(value or 0)

        def leg(side: str) -> Leg:
            routes = tuple(values_of([text(f"{side}_routes")]))
            cseq = text(f"{side}_cseq")
            return Leg(
                text(f"{side}_tag"),
                text(f"{side}_contact"),
                int(cseq) if cseq.isdigit() else 0,
                routes,
                text(f"{side}_socket"),
            )

        start_ts, deadline = self._clock.noted(number("start_ts")), self._clock.noted(number("deadline"))
        return Dialog(
            0,
            int(row[self._settings.h_entry_column]),
            int(row[self._settings.h_id_column]),
            text("call_id"),
            text("from_uri"),
            text("to_uri"),
            text("req_uri"),
            leg("from"),
            init_ts=self._clock.now,
            lifetime=max(0, deadline - start_ts),
            callee=leg("to"),
            state=number("state"),
            start_ts=start_ts,
            # One whose time is over is to be ended as any other.
            deadline=max(1, deadline),
            sflags=number("sflags") & 0xFFFF_FFFF,
            iflags=number("iflags"),
            toroute=text("toroute"),
            profiles=_profiles(text("xdata")),
            is_stored=True,
        )


def set_variables(dialog: Dialog, variables: dict[str, str]) -> None:
    """Gives a dialog the variables that the database has for it."""
    dialog.variables = dict(variables)
    dialog.stored_variables = dict(variables)


def _profiles_text(profiles: list[tuple[str, str]]) -> str:
    listed = [{"name": name, **({"value": value} if value else {})} for name, value in profiles]
    return json.dumps({"profiles": listed}, separators=(",", ":"))


def _profiles(text: str) -> list[tuple[str, str]]:
    if not text:
        return []
    try:
        listed = json.loads(text)["profiles"]
        return [(str(one["name"]), str(one.get("value", ""))) for one in listed]
    except (ValueError, KeyError, TypeError, AttributeError):
        log.error(f"dialog: profiles of a row are left out: {text[:100]!r}")
        return []


def _signed(flags: int) -> int:
    """All 32 flags in a column of signed numbers."""
    return flags - (1 << 32) if flags >> 31 else flags
