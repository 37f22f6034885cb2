"""Call data records: one for each call, with its start, end and duration, as Kamailio's module acc makes them.

The times are variables of the dialog, so a script sees them and they outlive the server with it.
"""

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sipwright import log
from sipwright.modules.acc import Value, extra_columns
from sipwright.modules.dialog import ACKNOWLEDGED, CLOSED, CREATED, ENDED, EXPIRED, FAILED, TERMINATED, Dialog
from sipwright.settings.acc import AccSettings

if TYPE_CHECKING:
    from sipwright.storage.database import Database

LAYOUT: Final = "acc_cdrs"
VERSION: Final = 2
_IN_UTC: Final = 4
_OF_DIALOG: Final = re.compile(r"\$dlg_var\((.+)\)|\$\(dlg_var\((.+)\)\)")

Get = Callable[[str], str | int | None]


class Cdrs:
    """Writes a record for each dialog, to the log and to a table. `get` reads a pseudo-variable of the message in work."""

    def __init__(
        self,
        settings: AccSettings,
        database: "Callable[[], Database]",
        get: Get,
        now: Callable[[], float] = lambda: time.time(),
        even: Callable[[], float] = lambda: time.monotonic(),
    ) -> None:
        self.records = 0
        self._settings = settings
        self._database = database
        self._get = get
        self._now, self._even = now, even
        self._extra = extra_columns(settings.cdr_extra)

    def __call__(self, event: str, dialog: Dialog) -> None:
        """What happens to a dialog."""
        s = self._settings
        if event == CREATED or (event == ACKNOWLEDGED and s.cdr_start_on_confirmed):
            start, dialog.timed_from = _text(self._now()), self._even()
            dialog.variables |= {s.cdr_start_id: start, s.cdr_end_id: start, s.cdr_duration_id: "0"}
        elif event in (TERMINATED, ENDED, EXPIRED):
            self._end(dialog)
            if event == ENDED or (event == EXPIRED and s.cdr_expired_dlg_enable):
                # There is no message of the call.
                self._write(dialog, lambda variable: _of_dialog(dialog, variable))
        elif event == CLOSED or (event == FAILED and s.cdr_on_failed):
            self._write(dialog, self._get)

    def _end(self, dialog: Dialog) -> None:
        s, end = self._settings, self._now()
        if dialog.timed_from is not None:
            # Whoever sets the clock of the machine makes no call longer.
            lasted = self._even() - dialog.timed_from
        else:
            lasted = max(0.0, end - float(dialog.variables.get(s.cdr_start_id) or end))
        dialog.variables |= {s.cdr_end_id: _text(end), s.cdr_duration_id: _text(lasted)}

    def _write(self, dialog: Dialog, get: Get) -> None:
        s, variables = self._settings, dialog.variables
        if s.cdr_start_id not in variables or (s.cdr_skip and s.cdr_skip in variables):
            return
        self.records += 1
        extra = [(name, get(variable)) for name, variable in self._extra]
        if s.cdr_log_enable:
            times = [(name, variables.get(name, "")) for name in (s.cdr_start_id, s.cdr_end_id, s.cdr_duration_id)]
            log.write(s.log_level, line([*times, *extra]))
        if s.cdrs_table:
            self._insert(variables, extra)

    def _insert(self, variables: dict[str, str], extra: list[tuple[str, str | int | None]]) -> None:
        s, database = self._settings, self._database()
        is_shifted = s.time_mode == _IN_UTC and database.url.get_backend_name() != "sqlite"
        row: dict[str, Value] = {name: value for name, value in extra if value is not None}
        for name in (s.cdr_start_id, s.cdr_end_id):
            at = float(variables[name])
            # Databases that keep local time get the one that shows UTC.
            row[name] = int(time.mktime(time.gmtime(at)) if is_shifted else at)
        row[s.cdr_duration_id] = float(variables[s.cdr_duration_id])
        database.write("insert", s.cdrs_table, row, times=(s.cdr_start_id, s.cdr_end_id), layout=LAYOUT)


def line(values: list[tuple[str, str | int | None]]) -> str:
    """The line of the log, in Kamailio's form."""
    text = "; ".join(f"{name}={'' if value is None else value}" for name, value in values)
    # A value of a message must not make a second line.
    return re.sub(r"[\r\n\0]", " ", text)


def _text(seconds: float) -> str:
    return f"{seconds:.6f}"


def _of_dialog(dialog: Dialog, variable: str) -> str | None:
    found = _OF_DIALOG.fullmatch(variable)
    return dialog.variables.get(found[1] or found[2]) if found else None
