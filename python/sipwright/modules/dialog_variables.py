"""The variables of dialogs: `$dlg(..)`, `$dlg_ctx(..)`, `$dlg_var(..)`, `$DLG_count`, `$DLG_status`, `$DLG_lifetime`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sipwright import _engine, log
from sipwright.modules.dialog import CONFIRMED, CONFIRMED_NO_ACK, FLAG_TIMEOUT_BYE, Dialog

if TYPE_CHECKING:
    from sipwright.host import Host
    from sipwright.modules.dialog_track import Tracker

Value = str | int | None
_NUMBERS: Final = ("timeout_bye", "timeout", "on")
# What is not known is null, a text may not be empty.
_ATTRIBUTES: Final[dict[str, Callable[[Dialog], Value]]] = {
    "h_id": lambda one: one.h_id,
    "h_entry": lambda one: one.h_entry,
    "ref": lambda _: 1,
    "state": lambda one: one.state,
    "to_rs": lambda one: ",".join(one.callee.routes) or None,
    "from_rs": lambda one: ",".join(one.caller.routes) or None,
    "dflags": lambda _: 0,
    "sflags": lambda one: one.sflags,
    "iflags": lambda one: one.iflags,
    "callid": lambda one: one.call_id,
    "to_uri": lambda one: one.to_uri,
    "from_uri": lambda one: one.from_uri,
    "to_tag": lambda one: one.callee.tag or None,
    "from_tag": lambda one: one.caller.tag or None,
    "toroute": lambda _: 0,
    "to_cseq": lambda one: str(one.callee.cseq) if one.callee.tag else None,
    "from_cseq": lambda one: str(one.caller.cseq),
    "to_contact": lambda one: one.callee.contact or None,
    "from_contact": lambda one: one.caller.contact or None,
    "to_bindaddr": lambda one: one.callee.socket or None,
    "from_bindaddr": lambda one: one.caller.socket or None,
    "lifetime": lambda one: one.lifetime,
}


class Variables:
    """The variables, of the dialog of the message in work."""

    def __init__(self, tracker: "Tracker") -> None:
        self._tracker = tracker

    def register(self, host: "Host") -> None:
        """Makes them known to scripts."""
        host.variable("DLG_count", lambda _inner, _index: self._tracker.dialogs.active())
        host.variable("DLG_status", lambda _inner, _index: self._status())
        host.variable("DLG_lifetime", lambda _inner, _index: self._lifetime())
        host.variable("dlg", self._attribute)
        host.variable("dlg_ctx", self._context, self._set_context)
        host.variable("dlg_var", lambda inner, _index: self.get(inner), self.set)

    def get(self, name: str) -> Value:
        """`$dlg_var(name)`, or None."""
        dialog = self._tracker.current()
        return None if dialog is None else dialog.variables.get(name)

    def set(self, name: str, value: Value) -> bool:
        """Sets it, or removes it; False without a dialog."""
        dialog = self._tracker.current()
        if dialog is None:
            return False
        self.put(dialog, name, value)
        return True

    def put(self, dialog: Dialog, name: str, value: Value) -> None:
        """Sets or removes a variable of a dialog."""
        if value is None:
            dialog.variables.pop(name, None)
        else:
            dialog.variables[name] = str(value)
        self._tracker.changed(dialog)

    def set_timeout(self, dialog: Dialog | None, timeout_s: int) -> int:
        """Gives a dialog so many seconds from now, or from the answer: 1, or -1."""
        if dialog is None or timeout_s <= 0:
            return -1
        dialog.lifetime = timeout_s
        if dialog.state in (CONFIRMED_NO_ACK, CONFIRMED):
            dialog.deadline = self._tracker.now + timeout_s
        self._tracker.changed(dialog)
        return 1

    def _attribute(self, name: str, _index: int | None) -> Value:
        dialog = self._tracker.current()
        if dialog is None:
            return None
        if name == "start_ts":
            return self._tracker.clock.shown(dialog.start_ts)
        get = _ATTRIBUTES.get(name)
        if get is None:
            log.error(f"invalid pv [$dlg({name})]")
            return None
        return get(dialog)

    def _context(self, name: str, _index: int | None) -> Value:
        scope = self._tracker.scope()
        dialog = scope.dialog
        if name == "timeout_bye":
            return int(bool(dialog.iflags & FLAG_TIMEOUT_BYE)) if dialog else scope.timeout_bye
        if name == "timeout_route":
            return (dialog.toroute if dialog else scope.timeout_route) or None
        if name == "set":
            return int(dialog is not None)
        if name == "dir":
            if dialog is None or not scope.is_sequential:
                return 0
            return 1 if dialog.is_downstream(_engine.current().from_tag) else 2
        plain = {"on": scope.on, "timeout": scope.timeout, "timeout_route_id": 0}
        if name not in plain:
            log.error(f"invalid pv [$dlg_ctx({name})]")
            return None
        return plain[name]

    def _set_context(self, name: str, value: Value) -> bool:
        scope = self._tracker.scope()
        dialog = scope.dialog
        if name == "timeout_route":
            scope.timeout_route = "" if value is None else str(value)
            if dialog:
                dialog.toroute = scope.timeout_route
                self._tracker.changed(dialog)
            return True
        if name not in _NUMBERS or isinstance(value, str):
            return False
        number = value or 0
        if name == "timeout_bye":
            scope.timeout_bye = number
            if dialog:
                dialog.iflags = dialog.iflags | FLAG_TIMEOUT_BYE if number else dialog.iflags & ~FLAG_TIMEOUT_BYE
                self._tracker.changed(dialog)
        elif name == "timeout":
            scope.timeout = number
            if dialog:
                self.set_timeout(dialog, number)
        else:
            scope.on = number
        return True

    def _status(self) -> int | None:
        scope = self._tracker.scope()
        return scope.dialog.state if scope.dialog is not None and scope.is_sequential else None

    def _lifetime(self) -> int | None:
        scope = self._tracker.scope()
        return scope.dialog.duration(self._tracker.now) if scope.dialog is not None and scope.is_sequential else None
