"""Follows dialogs: from the INVITE that makes one, by what happens to its transaction, to the BYE or the timeout.

Everything here runs in script workers, with the message in work that it is about, but for `sweep`, which the control loop
calls and which asks workers for what is due.
"""

import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.modules.dialog import (
    CONFIRMED,
    CONFIRMED_NO_ACK,
    DELETED,
    EARLY,
    FLAG_KEEPALIVE_CALLEE,
    FLAG_KEEPALIVE_CALLER,
    FLAG_TIMEOUT_BYE,
    FLAG_TIMEOUT_NORESET,
    LAST_SECONDS,
    UNCONFIRMED,
    Dialog,
    Dialogs,
    Leg,
)
from sipwright.modules.dialog_requests import routes_to_callee, send, values_of

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host
    from sipwright.settings.dialog import DialogSettings

# Routes of this module that the engine calls, and their names with `loose_route`.
SETUP: Final = "dialog:setup"
WITHIN: Final = "dialog:within"
BYE_DONE: Final = "dialog:bye"
KEEPALIVE_DONE: Final = "dialog:keepalive"
# A target refresh may change a Contact (RFC 3261 section 12.2, RFC 3311).
_REFRESHING: Final = ("INVITE", "UPDATE")


class Scope(threading.local):
    """What a worker knows of the message in work: its dialog, and what `$dlg_ctx(..)` says of the dialog to come."""

    number: int = 0
    dialog: Dialog | None = None
    is_sequential: bool = False
    timeout: int = 0
    timeout_route: str = ""
    timeout_bye: int = 0
    on: int = 0

    def use(self, number: int) -> "Scope":
        """The same, forgotten if it was of another message."""
        if self.number != number:
            self.__dict__.clear()
            self.number = number
        return self


class Tracker:
    """All that follows the dialogs of one server."""

    def __init__(self, host: "Host", now: Callable[[], float] = lambda: time.time()) -> None:
        self.settings: DialogSettings = host.settings.dialog
        self.dialogs = Dialogs(
            self.settings.profiles_with_value, self.settings.profiles_no_value, self.settings.max_dialogs
        )
        self._host = host
        self._now = now
        self._scope = Scope()
        self._full = False

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._now())

    def scope(self) -> Scope:
        """What is known of the message in work of this thread."""
        return self._scope.use(_engine.current().number)

    def current(self) -> Dialog | None:
        """The dialog of the message in work."""
        scope = self.scope()
        if scope.dialog is None:
            message = _engine.current()
            scope.dialog = self.dialogs.find(message.call_id, message.from_tag, message.to_tag)
        return scope.dialog

    # ---- requests --------------------------------------------------------------------------------------------------

    def manage(self) -> int:
        """`dlg_manage`: begins to follow the dialog of an INVITE, or takes a request of a dialog to its dialog."""
        message = _engine.current()
        if message.Type != "SIP_REQUEST":
            return -1
        if message.to_tag:
            self.take(message)
            return 1
        if message.Method == "CANCEL":
            self.current()
            return 1
        if message.Method != "INVITE":
            return -1
        if self.current() is None:
            self._begin(message)
        return 1 if self.scope().dialog is not None else -1

    def _begin(self, message: "Message") -> None:
        scope, settings = self.scope(), self.settings
        caller = Leg(
            message.from_tag,
            _contact(message),
            message.cseq,
            tuple(values_of(message.headers("Record-Route"))),
            message.source.socket_name,
        )
        timeout = scope.timeout or self._timeout_of_variable() or settings.default_timeout_s
        uri = _pv("$ou") or message.RURI
        made = self.dialogs.create(
            message.call_id, message.from_uri, message.to_uri, str(uri), caller, timeout, self.now
        )
        if made is None:
            if not self._full:
                log.error(f"dialog: {self.dialogs.most} dialogs are there; further ones are not tracked")
            self._full = True
            return
        self._full = False
        made.toroute = scope.timeout_route
        if scope.timeout_bye or settings.send_bye:
            made.dflags |= FLAG_TIMEOUT_BYE
        if settings.timeout_noreset:
            made.dflags |= FLAG_TIMEOUT_NORESET
        scope.dialog = made
        kinds = _engine.WATCH_PROVISIONAL | _engine.WATCH_FINAL | _engine.WATCH_END
        _engine.watch(kinds, SETUP, made.number, shows_message=True)
        if settings.dlg_match_mode != 2:
            sys.modules["KSR"].rr.add_rr_param(f";{settings.rr_param}={made.cookie}")

    def _timeout_of_variable(self) -> int:
        value = _pv(self.settings.timeout_avp) if self.settings.timeout_avp else None
        return int(value) if value is not None and str(value).isdigit() else 0

    def after_loose_route(self) -> None:
        """A request with our Route: takes it to its dialog if there is one."""
        if len(self.dialogs):
            message = _engine.current()
            if message.to_tag and message.Type == "SIP_REQUEST" and self._has_cookie(message):
                self.take(message)

    def _has_cookie(self, message: "Message") -> bool:
        if self.settings.dlg_match_mode:
            return True
        dialog = self.dialogs.find(message.call_id, message.from_tag, message.to_tag)
        if dialog is None:
            return False
        cookie = f"{self.settings.rr_param}={dialog.cookie}".replace(".", "\\.")
        return bool(sys.modules["KSR"].rr.check_route_param(f"{cookie}(;|$)") == 1)

    def take(self, message: "Message") -> None:
        """What a request of a dialog does to it."""
        scope = self.scope()
        if scope.is_sequential:
            return
        dialog = self.dialogs.find(message.call_id, message.from_tag, message.to_tag)
        if dialog is None:
            return
        scope.dialog, scope.is_sequential = dialog, True
        method = message.Method
        if method == "BYE":
            if self.end(dialog):
                self._run("dialog:end")
            _engine.watch(_engine.WATCH_END, WITHIN, dialog.number)
            return
        if method == "ACK":
            # Another worker may still be about to tell of the answer.
            if dialog.state < DELETED:
                self.dialogs.move(dialog, CONFIRMED)
            return
        leg = dialog.caller if dialog.is_downstream(message.from_tag) else dialog.callee
        leg.cseq = max(leg.cseq, message.cseq)
        if dialog.state in (CONFIRMED_NO_ACK, CONFIRMED) and not dialog.dflags & FLAG_TIMEOUT_NORESET:
            dialog.lifetime = self._timeout_of_variable() or dialog.lifetime
            dialog.deadline = self.now + dialog.lifetime
        if method in _REFRESHING and dialog.state != DELETED:
            leg.contact = _contact(message) or leg.contact
            _engine.watch(_engine.WATCH_FINAL, WITHIN, dialog.number, shows_message=True)

    # ---- what happens to transactions ------------------------------------------------------------------------------

    def setup(self, message: "Message", event: str) -> None:
        """The route that is told what happens to the INVITE that made a dialog."""
        dialog, code = self._told()
        if dialog is None:
            return
        if event == "provisional":
            if message.to_tag and dialog.state == UNCONFIRMED:
                self.dialogs.move(dialog, EARLY)
        elif event == "final":
            if code < 300:
                self._answered(dialog, message)
            else:
                self._failed(dialog)
        elif dialog.state < CONFIRMED_NO_ACK:
            # Nobody was told anything final, or the request got no transaction.
            if code:
                self._failed(dialog)
            self.dialogs.remove(dialog)
        elif dialog.state == DELETED and not dialog.start_ts:
            self.dialogs.remove(dialog)

    def _answered(self, dialog: Dialog, message: "Message") -> None:
        if dialog.start_ts or dialog.state == DELETED:
            # A further branch of a fork; the caller ends it itself (RFC 3261 section 13.2.2.4).
            return
        self.dialogs.move(dialog, CONFIRMED_NO_ACK)
        recorded = values_of(message.headers("Record-Route"))
        ours = sum(1 for value in recorded if f"{self.settings.rr_param}={dialog.cookie}" in value)
        if not ours:
            ours = _of_this_server(recorded)
        dialog.callee = Leg(
            message.to_tag,
            _contact(message),
            0,
            routes_to_callee(recorded, len(dialog.caller.routes), ours),
            message.source.socket_name,
        )
        dialog.start_ts = self.now
        dialog.deadline = dialog.start_ts + dialog.lifetime
        dialog.keepalive_at = dialog.start_ts + self.settings.ka_interval_s
        self._run("dialog:start")

    def _failed(self, dialog: Dialog) -> None:
        if self.dialogs.move(dialog, DELETED):
            dialog.end_ts = self.now
            self.dialogs.failed += 1
            self._run("dialog:failed")

    def within(self, message: "Message", event: str) -> None:
        """The route that is told what happens to requests of a dialog."""
        dialog, code = self._told()
        if dialog is None:
            return
        if event == "end":
            self.dialogs.remove(dialog)
        elif code < 300 and (request := _engine.current().request) is not None:
            leg = dialog.callee if dialog.is_downstream(request.from_tag) else dialog.caller
            leg.contact = _contact(message) or leg.contact

    def _told(self) -> tuple[Dialog | None, int]:
        told = _engine.watched()
        assert told is not None
        dialog = self.dialogs.get(told[0])
        scope = self.scope()
        scope.dialog, scope.is_sequential = dialog, False
        return dialog, told[1]

    # ---- the end ---------------------------------------------------------------------------------------------------

    def end(self, dialog: Dialog) -> bool:
        """Marks a dialog as ended; False if it was."""
        if not self.dialogs.move(dialog, DELETED):
            return False
        dialog.end_ts = self.now
        dialog.deadline = 0
        return True

    def bye(self, dialog: Dialog, side: str, extra: str = "") -> bool:
        """Sends BYE to `caller`, `callee` or `all`; False when the dialog was never answered."""
        if not dialog.start_ts:
            return False
        extra = self.settings.dlg_extra_hdrs + extra
        sides = [to_callee for to_callee, name in ((False, "caller"), (True, "callee")) if side in (name, "all")]
        dialog.byes += len(sides)
        for to_callee in sides:
            lines = extra + (self.settings.lreq_callee_headers if to_callee else "")
            if not send(dialog, "BYE", to_callee, lines, callback=BYE_DONE, event=str(dialog.number)):
                dialog.byes -= 1
        return True

    def bye_done(self, _message: "Message", event: str) -> None:
        """The route that is told of the response to a BYE of our own."""
        dialog = self.dialogs.get(int(event))
        if dialog is None:
            return
        if self.end(dialog):
            self._host.call(partial(self._run_outside, dialog, "dialog:end"))
        dialog.byes -= 1
        if dialog.byes <= 0:
            self.dialogs.remove(dialog)

    def _run_outside(self, dialog: Dialog, event: str) -> None:
        self.scope().dialog = dialog
        self._run(event)

    def sweep(self) -> None:
        """Has workers do what is due; called every second."""
        now, settings = self.now, self.settings
        for dialog in self.dialogs:
            if dialog.state in (UNCONFIRMED, EARLY):
                if now >= dialog.init_ts + settings.early_timeout_s:
                    self._host.call(partial(self._forget_early, dialog))
            elif dialog.state == DELETED:
                if now >= dialog.end_ts + settings.end_timeout_s:
                    self.dialogs.remove(dialog)
            elif dialog.deadline and now >= dialog.deadline:
                dialog.deadline = 0
                self._host.call(partial(self._expire, dialog))
            elif dialog.state == CONFIRMED_NO_ACK and now >= dialog.start_ts + settings.noack_timeout_s:
                dialog.deadline = min(dialog.deadline, dialog.start_ts + settings.noack_timeout_s + LAST_SECONDS)

    def _forget_early(self, dialog: Dialog) -> None:
        self.scope().dialog = dialog
        self._failed(dialog)
        self.dialogs.remove(dialog)

    def _expire(self, dialog: Dialog) -> None:
        if dialog.state == DELETED:
            return
        self.scope().dialog = dialog
        self.dialogs.expired += 1
        if dialog.toroute:
            self._run(dialog.toroute)
        if dialog.dflags & FLAG_TIMEOUT_BYE and self.bye(dialog, "all") and dialog.byes:
            # The responses to the BYEs, or their absence, end it.
            return
        if self.end(dialog):
            self._run("dialog:end")
        self.dialogs.remove(dialog)

    # ---- keep-alives -----------------------------------------------------------------------------------------------

    def keep_alive(self) -> None:
        """Has workers send the keep-alives that are due."""
        now = self.now
        for dialog in self.dialogs:
            wanted = dialog.dflags & (FLAG_KEEPALIVE_CALLER | FLAG_KEEPALIVE_CALLEE)
            if wanted and dialog.state == CONFIRMED and now >= dialog.keepalive_at:
                dialog.keepalive_at = now + self.settings.ka_interval_s
                self._host.call(partial(self._send_keepalives, dialog))

    def _send_keepalives(self, dialog: Dialog) -> None:
        for flag, to_callee in ((FLAG_KEEPALIVE_CALLER, False), (FLAG_KEEPALIVE_CALLEE, True)):
            if dialog.dflags & flag:
                # No higher than the last one, so that it takes no number from the user agents.
                leg = dialog.caller if to_callee else dialog.callee
                send(
                    dialog,
                    "OPTIONS",
                    to_callee,
                    self.settings.lreq_callee_headers if to_callee else "",
                    cseq=max(1, leg.cseq),
                    callback=KEEPALIVE_DONE,
                    event=str(dialog.number),
                )

    def keepalive_done(self, message: "Message", event: str) -> None:
        """The route that is told of the response to a keep-alive: without one, or with 481, the dialog is nearly over."""
        dialog = self.dialogs.get(int(event))
        if dialog is None or dialog.state != CONFIRMED:
            return
        lost = message.Type == "SIP_REQUEST" or message.Status in ("408", "481")
        dialog.keepalive_failures = dialog.keepalive_failures + 1 if lost else 0
        if dialog.keepalive_failures >= self.settings.ka_failed_limit:
            dialog.deadline = min(dialog.deadline, self.now + LAST_SECONDS)

    def _run(self, event: str) -> None:
        self._host.run_route(self.settings.event_callback, event)


def _contact(message: "Message") -> str:
    try:
        contacts = message.contacts()
    except ValueError:
        return ""
    return contacts[0].uri if contacts and contacts[0].uri != "*" else ""


def _of_this_server(recorded: list[str]) -> int:
    """How many of the Record-Route values name this server."""
    is_myself = sys.modules["KSR"].is_myself
    return sum(1 for value in recorded if is_myself(value.partition("<")[2].partition(">")[0]))


def _pv(name: str) -> Any:
    return sys.modules["KSR"].pv.get(name)
