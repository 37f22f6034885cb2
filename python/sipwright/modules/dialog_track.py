"""Follows dialogs: from the INVITE that makes one, by what happens to its transaction, to the BYE.

Everything here runs in script workers, with the message in work that it is about. What comes of itself, timeouts and
keep-alives, is in `dialog_timers`.
"""

import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.decimal import decimal
from sipwright.modules.dialog import (
    ACKNOWLEDGED,
    CLOSED,
    CONFIRMED,
    CONFIRMED_NO_ACK,
    CREATED,
    DELETED,
    EARLY,
    ENDED,
    FAILED,
    FLAG_TIMEOUT_BYE,
    FLAG_TIMEOUT_NORESET,
    TERMINATED,
    UNCONFIRMED,
    Dialog,
    Dialogs,
    Leg,
)
from sipwright.modules.dialog_requests import routes_to_callee, send, values_of
from sipwright.modules.dialog_timers import Timers
from sipwright.modules.location_events import Sockets
from sipwright.modules.steady import SteadyClock

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host
    from sipwright.modules.dialog_store import Store
    from sipwright.settings.dialog import DialogSettings

# Routes of this module that the engine calls.
SETUP: Final = "dialog:setup"
WITHIN: Final = "dialog:within"
BYE_DONE: Final = "dialog:bye"
_LONGEST_S: Final = 2**31 - 1
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
    is_managed: bool = False

    def use(self, number: int) -> "Scope":
        """The same, forgotten if it was of another message."""
        if self.number != number:
            self.__dict__.clear()
            self.number = number
        return self


class Tracker:
    """All that follows the dialogs of one server."""

    def __init__(self, host: "Host", clock: SteadyClock | None = None) -> None:
        settings: DialogSettings = host.settings.dialog
        self.settings = settings
        start = host.settings.server_id if settings.h_id_start < 0 else settings.h_id_start
        self.dialogs = Dialogs(
            settings.profiles_with_value,
            settings.profiles_no_value,
            settings.max_dialogs,
            entries=settings.hash_size,
            ids=(start, settings.h_id_step),
        )
        self.timers = Timers(self, host)
        self.store: Store | None = None
        self._sockets = Sockets(host.engine)
        self._host = host
        self.clock = clock or SteadyClock()
        self._scope = Scope()
        self._full = False

    @property
    def now(self) -> int:
        """Seconds of `clock`, in which all times of dialogs are."""
        return self.clock.now

    def scope(self) -> Scope:
        """What is known of the message in work of this thread."""
        return self._scope.use(_engine.current().number)

    def current(self) -> Dialog | None:
        """The dialog of the message in work."""
        scope = self.scope()
        if scope.dialog is None:
            scope.dialog = self._of(_engine.current())
        return scope.dialog

    def is_local(self, dialog: Dialog) -> bool:
        """Whether its sockets are ours; those of a dialog from a database may be another node's."""
        return self._sockets.index(dialog.caller.socket) is not None and (
            not dialog.callee.socket or self._sockets.index(dialog.callee.socket) is not None
        )

    def changed(self, dialog: Dialog) -> None:
        """What of a dialog is kept or timed has changed: timers and the database follow."""
        self.timers.plan(dialog)
        if self.store is not None:
            self.store.changed(dialog)

    def tell(self, event: str, dialog: Dialog) -> None:
        """Tells other modules what happens to a dialog."""
        for listener in self._host.dialog_listeners:
            try:
                listener(event, dialog)
            except Exception as error:
                # What another module makes of it must not change what becomes of the dialog.
                log.error(f"dialog: {event} of {dialog.call_id}: {type(error).__name__}: {error}")

    def run(self, event: str) -> None:
        """Runs the script's route for events, with the message in work."""
        self._host.run_route(self.settings.event_callback, event)

    def _of(self, message: "Message") -> Dialog | None:
        if self.store is not None:
            self.store.need(message.call_id, is_within=bool(message.to_tag))
        return self.dialogs.find(message.call_id, message.from_tag, message.to_tag)

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
        scope = self.scope()
        if not scope.is_managed and (not self.settings.detect_spirals or self.current() is None):
            self._begin(message)
        scope.is_managed = True
        return 1 if scope.dialog is not None else -1

    def before_transaction(self) -> None:
        """Before the script makes a transaction: begins to follow the dialog of an INVITE with the flag `dialog.dlg_flag`."""
        message, ksr = _engine.current(), sys.modules["KSR"]
        is_initial = message.Type == "SIP_REQUEST" and message.Method == "INVITE" and not message.to_tag
        # In a failure route the transaction is there, and its dialog.
        if (
            is_initial
            and not self.scope().is_managed
            and ksr.tm.t_exists() < 0
            and ksr.isflagset(self.settings.dlg_flag)
        ):
            self.manage()

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
            made.iflags |= FLAG_TIMEOUT_BYE
        if settings.timeout_noreset:
            made.iflags |= FLAG_TIMEOUT_NORESET
        scope.dialog = made
        kinds = _engine.WATCH_PROVISIONAL | _engine.WATCH_FINAL | _engine.WATCH_END
        _engine.watch(kinds, SETUP, made.number, shows_message=True)
        if settings.dlg_match_mode != 2:
            sys.modules["KSR"].rr.add_rr_param(f";{settings.rr_param}={made.cookie}")
        self.timers.plan(made)
        self.tell(CREATED, made)

    def _timeout_of_variable(self) -> int:
        value = _pv(self.settings.timeout_avp) if self.settings.timeout_avp else None
        return 0 if value is None else decimal(str(value), _LONGEST_S) or 0

    def after_loose_route(self) -> None:
        """A request with our Route: takes it to its dialog if there is one."""
        if len(self.dialogs) or (self.store is not None and self.store.is_loading):
            message = _engine.current()
            if message.to_tag and message.Type == "SIP_REQUEST" and self._has_cookie(message):
                self.take(message)

    def _has_cookie(self, message: "Message") -> bool:
        if self.settings.dlg_match_mode:
            return True
        dialog = self._of(message)
        if dialog is None:
            return False
        cookie = f"{self.settings.rr_param}={dialog.cookie}".replace(".", "\\.")
        return bool(sys.modules["KSR"].rr.check_route_param(f"{cookie}(;|$)") == 1)

    def take(self, message: "Message") -> None:
        """What a request of a dialog does to it."""
        scope = self.scope()
        if scope.is_sequential:
            return
        dialog = self._of(message)
        if dialog is None:
            return
        scope.dialog, scope.is_sequential = dialog, True
        method = message.Method
        if method == "BYE":
            if self.end(dialog):
                self.tell(TERMINATED, dialog)
                self.run("dialog:end")
            _engine.watch(_engine.WATCH_FINAL | _engine.WATCH_END, WITHIN, dialog.number)
            return
        if method == "ACK":
            # Another worker may still be about to tell of the answer.
            if dialog.state < DELETED and self.dialogs.move(dialog, CONFIRMED):
                self.tell(ACKNOWLEDGED, dialog)
                self.changed(dialog)
            return
        leg = dialog.caller if dialog.is_downstream(message.from_tag) else dialog.callee
        leg.cseq = max(leg.cseq, message.cseq)
        if dialog.state in (CONFIRMED_NO_ACK, CONFIRMED) and not dialog.iflags & FLAG_TIMEOUT_NORESET:
            dialog.lifetime = self._timeout_of_variable() or dialog.lifetime
            dialog.deadline = self.now + dialog.lifetime
        if method in _REFRESHING and dialog.state != DELETED:
            leg.contact = _contact(message) or leg.contact
            _engine.watch(_engine.WATCH_FINAL, WITHIN, dialog.number, shows_message=True)
        self.changed(dialog)

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
                self.failed(dialog)
        elif dialog.state < CONFIRMED_NO_ACK:
            # Nobody was told anything final, or the request got no transaction.
            if code:
                self.failed(dialog)
            self.forget(dialog)
        elif dialog.state == DELETED and not dialog.start_ts:
            self.forget(dialog)

    def _answered(self, dialog: Dialog, message: "Message") -> None:
        if dialog.start_ts or dialog.state == DELETED:
            # A further branch of a fork; the caller ends it itself (RFC 3261 section 13.2.2.4).
            return
        self.dialogs.move(dialog, CONFIRMED_NO_ACK)
        recorded = values_of(message.headers("Record-Route"))
        cookie = f"{self.settings.rr_param}={dialog.cookie}"
        # More than those with the cookie when the INVITE came through more than once.
        ours = max(sum(1 for value in recorded if cookie in value), _of_this_server(recorded))
        known, kept = len(dialog.caller.routes), self.settings.keep_proxy_rr
        dialog.callee = Leg(
            message.to_tag,
            _contact(message),
            0,
            routes_to_callee(recorded, known, 0 if kept & 1 else ours),
            message.source.socket_name,
        )
        if kept & 2:
            # From here to the caller: our own first, then those that were there before us.
            dialog.caller.routes = tuple(recorded[len(recorded) - known - ours :])
        dialog.start_ts = self.now
        dialog.deadline = dialog.start_ts + dialog.lifetime
        self.changed(dialog)
        self.run("dialog:start")

    def failed(self, dialog: Dialog) -> None:
        """A dialog comes to nothing, with the message in work that says so."""
        if self.dialogs.move(dialog, DELETED):
            dialog.end_ts = self.now
            self.dialogs.failed += 1
            self.changed(dialog)
            self.tell(FAILED, dialog)
            self.run("dialog:failed")

    def within(self, message: "Message", event: str) -> None:
        """The route that is told what happens to requests of a dialog."""
        dialog, code = self._told()
        if dialog is None:
            return
        if dialog.state == DELETED:
            # Of its BYE. One that got no transaction has its end alone.
            self.close(dialog)
            if event == "end":
                self.forget(dialog)
        elif event == "final" and code < 300 and (request := _engine.current().request) is not None:
            leg = dialog.callee if dialog.is_downstream(request.from_tag) else dialog.caller
            leg.contact = _contact(message) or leg.contact
            self.changed(dialog)

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
        self.changed(dialog)
        return True

    def close(self, dialog: Dialog) -> None:
        """The BYE of a dialog is answered, or the dialog ends otherwise: the message in work is the last one it has."""
        if dialog.start_ts and not dialog.is_closed:
            dialog.is_closed = True
            self.tell(CLOSED, dialog)

    def forget(self, dialog: Dialog) -> None:
        """The dialog is no more; its row goes too."""
        self.dialogs.remove(dialog)
        self.timers.drop(dialog)
        if self.store is not None:
            self.store.gone(dialog)

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
            self._host.call(partial(self._ended_from_here, dialog))
        dialog.byes -= 1
        if dialog.byes <= 0:
            self.forget(dialog)

    def _ended_from_here(self, dialog: Dialog) -> None:
        self.scope().dialog = dialog
        self.tell(ENDED, dialog)
        self.run("dialog:end")


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
