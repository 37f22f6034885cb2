"""What happens to dialogs by itself: those that are not answered, timeouts, keep-alives.

The control loop asks every second what is due, which costs what is due and not what there is; script workers do it.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from sipwright.modules.agenda import Agenda
from sipwright.modules.dialog import (
    CONFIRMED,
    CONFIRMED_NO_ACK,
    DELETED,
    EXPIRED,
    FLAG_KEEPALIVE_CALLEE,
    FLAG_KEEPALIVE_CALLER,
    FLAG_TIMEOUT_BYE,
    LAST_SECONDS,
    Dialog,
)
from sipwright.modules.dialog_requests import send

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host
    from sipwright.modules.dialog_track import Tracker

KEEPALIVE_DONE: Final = "dialog:keepalive"
_KEEPALIVE: Final = FLAG_KEEPALIVE_CALLER | FLAG_KEEPALIVE_CALLEE


class Timers:
    """The timers of all dialogs of a tracker."""

    def __init__(self, tracker: "Tracker", host: "Host") -> None:
        self._tracker = tracker
        self._host = host
        self._settings = host.settings.dialog
        self._has_keepalives = bool(self._settings.ka_timer_s and self._settings.ka_interval_s)
        self._ends = Agenda()
        self._keepalives = Agenda()

    def plan(self, dialog: Dialog) -> None:
        """Takes note of what is due next for a dialog that has changed."""
        due = self._due(dialog)
        if due:
            self._ends.put(dialog.number, due)
        else:
            self._ends.drop(dialog.number)
        if not self._has_keepalives:
            return
        if dialog.state != CONFIRMED or not dialog.iflags & _KEEPALIVE:
            self._keepalives.drop(dialog.number)
        elif dialog.number not in self._keepalives:
            self._keepalives.put(dialog.number, self._tracker.now + self._settings.ka_interval_s)

    def drop(self, dialog: Dialog) -> None:
        """A dialog is no more."""
        self._ends.drop(dialog.number)
        self._keepalives.drop(dialog.number)

    def sweep(self) -> None:
        """Has workers do what is due; called every second."""
        now = self._tracker.now
        for number in self._ends.take(now):
            dialog = self._tracker.dialogs.get(number)
            if dialog is None:
                continue
            due = self._due(dialog)
            if not due or due > now:
                # It has changed since.
                self.plan(dialog)
            elif dialog.state == DELETED:
                self._tracker.forget(dialog)
            elif dialog.state < CONFIRMED_NO_ACK:
                self._ask(self._forget_early, dialog)
            elif now >= dialog.deadline:
                self._ask(self._expire, dialog)
            else:
                dialog.deadline = self._last_of_no_ack(dialog)
                self._tracker.changed(dialog)

    def _ask(self, action: Callable[[Dialog], None], dialog: Dialog) -> None:
        if not self._host.call(partial(action, dialog)):
            # So many calls wait for workers that this one found no room.
            self._ends.put(dialog.number, self._tracker.now + 1)

    def _due(self, dialog: Dialog) -> int:
        """When something is to be done about a dialog; 0 for never."""
        settings = self._settings
        if dialog.state == DELETED:
            return dialog.end_ts + settings.end_timeout_s
        if dialog.state < CONFIRMED_NO_ACK:
            return dialog.init_ts + settings.early_timeout_s
        if dialog.state == CONFIRMED_NO_ACK and dialog.deadline > self._last_of_no_ack(dialog):
            return dialog.start_ts + settings.noack_timeout_s
        return dialog.deadline

    def _last_of_no_ack(self, dialog: Dialog) -> int:
        return dialog.start_ts + self._settings.noack_timeout_s + LAST_SECONDS

    def _is_left_alone(self, dialog: Dialog) -> bool:
        return self._settings.dlg_filter_mode == 1 and not self._tracker.is_local(dialog)

    def _forget_early(self, dialog: Dialog) -> None:
        self._tracker.scope().dialog = dialog
        self._tracker.failed(dialog)
        self._tracker.forget(dialog)

    def _expire(self, dialog: Dialog) -> None:
        tracker = self._tracker
        if dialog.state == DELETED:
            return
        if self._is_left_alone(dialog):
            # The node that it belongs to does the rest, with its row too.
            tracker.dialogs.remove(dialog)
            return
        tracker.scope().dialog = dialog
        tracker.dialogs.expired += 1
        dialog.deadline = 0
        if dialog.toroute:
            tracker.run(dialog.toroute)
        if dialog.iflags & FLAG_TIMEOUT_BYE and tracker.bye(dialog, "all") and dialog.byes:
            # The responses to the BYEs, or their absence, end it.
            return
        if tracker.end(dialog):
            tracker.tell(EXPIRED, dialog)
            tracker.run("dialog:end")
        tracker.forget(dialog)

    # ---- keep-alives -----------------------------------------------------------------------------------------------

    def keep_alive(self) -> None:
        """Has workers send the keep-alives that are due; called every `ka_timer_s`."""
        now = self._tracker.now
        for number in self._keepalives.take(now):
            dialog = self._tracker.dialogs.get(number)
            if dialog is not None and dialog.state == CONFIRMED and not self._is_left_alone(dialog):
                self._host.call(partial(self._send_keepalives, dialog))
                self.plan(dialog)

    def _send_keepalives(self, dialog: Dialog) -> None:
        for flag, to_callee in ((FLAG_KEEPALIVE_CALLER, False), (FLAG_KEEPALIVE_CALLEE, True)):
            if dialog.iflags & flag:
                # No higher than the last one, so that it takes no number from the user agents.
                leg = dialog.caller if to_callee else dialog.callee
                send(
                    dialog,
                    "OPTIONS",
                    to_callee,
                    self._settings.lreq_callee_headers if to_callee else "",
                    cseq=max(1, leg.cseq),
                    callback=KEEPALIVE_DONE,
                    event=str(dialog.number),
                )

    def keepalive_done(self, message: "Message", event: str) -> None:
        """The route that is told of the response to a keep-alive: without one, or with 481, the dialog is nearly over."""
        dialog = self._tracker.dialogs.get(int(event))
        if dialog is None or dialog.state != CONFIRMED:
            return
        lost = message.Type == "SIP_REQUEST" or message.Status in ("408", "481")
        dialog.keepalive_failures = dialog.keepalive_failures + 1 if lost else 0
        if dialog.keepalive_failures >= self._settings.ka_failed_limit:
            last = self._tracker.now + LAST_SECONDS
            dialog.deadline = min(dialog.deadline or last, last)
            self._tracker.changed(dialog)
