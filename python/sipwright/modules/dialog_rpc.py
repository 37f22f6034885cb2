"""Control methods of dialogs, with Kamailio's names, shapes and texts."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sipwright.control.rpc import FAILED, RpcError
from sipwright.modules.dialog import (
    CONFIRMED,
    CONFIRMED_NO_ACK,
    DELETED,
    EARLY,
    UNCONFIRMED,
    Dialog,
    Leg,
)
from sipwright.modules.dialog_bridge import HOLD, Bridges
from sipwright.modules.dialog_track import Tracker

METHODS = (
    "list",
    "list_ctx",
    "list_match",
    "list_match_ctx",
    "dlg_list",
    "dlg_list_ctx",
    "dump_file",
    "bridge_dlg",
    "terminate_dlg",
    "end_dlg",
    "set_state",
    "profile_get_size",
    "profile_list",
    "stats_active",
    "is_alive",
    "briefing",
)
Rows = list[dict[str, Any]]

_KEYS: dict[str, Callable[[Dialog], str | int]] = {
    "ruri": lambda one: one.req_uri,
    "furi": lambda one: one.from_uri,
    "turi": lambda one: one.to_uri,
    "callid": lambda one: one.call_id,
    "start_ts": lambda one: one.start_ts,
}
_BRIEF: dict[str, tuple[str, Callable[[Dialog], str | int]]] = {
    "f": ("from_uri", lambda one: one.from_uri),
    "t": ("to_uri", lambda one: one.to_uri),
    "c": ("call-id", lambda one: one.call_id),
    "F": ("from_tag", lambda one: one.caller.tag),
    "T": ("to_tag", lambda one: one.callee.tag),
    "I": ("init_ts", lambda one: one.init_ts),
    "S": ("start_ts", lambda one: one.start_ts),
    "E": ("end_ts", lambda one: one.end_ts),
    "s": ("state", lambda one: one.state),
}


class DialogRpc:
    """The methods; `call` has a script worker run a function."""

    def __init__(self, tracker: Tracker, bridges: Bridges, call: Callable[[Callable[[], object]], bool]) -> None:
        self._tracker = tracker
        self._bridges = bridges
        self._dialogs = tracker.dialogs
        self._call = call

    def list(self) -> Rows:
        """All dialogs."""
        return [self._shown(one) for one in self._dialogs]

    list_ctx = list

    def list_match(self, mkey: str, mop: str, mval: str | int, limit: int = 0) -> Rows:
        """The dialogs with a value that matches."""
        get = _KEYS.get(mkey)
        if get is None:
            raise RpcError(FAILED, "Invalid matching key parameter")
        matches = _test(mkey, mop, str(mval))
        found = [one for one in self._dialogs if matches(str(self._of_today(mkey, get(one))))]
        return [self._shown(one) for one in (found[:limit] if limit else found)]

    list_match_ctx = list_match

    def dlg_list(self, callid: str, from_tag: str | None = None) -> "dict[str, Any] | None":
        """One dialog, by Call-ID and the tag of its caller."""
        found = [one for one in self._dialogs.of_call(callid) if from_tag in (None, one.caller.tag)]
        return self._shown(found[0]) if found else None

    dlg_list_ctx = dlg_list

    def dump_file(self, filename: str) -> None:
        """Writes all dialogs into a file, as JSON."""
        try:
            with Path(filename).open("w", encoding="utf-8", errors="replace") as file:
                json.dump([self._shown(one) for one in self._dialogs], file)
        except OSError as error:
            raise RpcError(FAILED, f"{filename}: {error.strerror}") from error

    def bridge_dlg(self, from_uri: str, to_uri: str, op: str = ".", body: str = ".") -> None:
        """Calls `from_uri` and sends it on to `to_uri`."""
        sdp = {".": HOLD, "_": b""}.get(body, body.encode("utf-8", "surrogateescape"))
        self._call(lambda: self._bridges.start(from_uri, to_uri, "" if op == "." else op, sdp))

    def terminate_dlg(self, callid: str, from_tag: str, to_tag: str) -> None:
        """Sends BYE to both sides of a dialog, named as by its user agents."""
        found = self._dialogs.find(callid, from_tag, to_tag)
        if found is None:
            raise RpcError(FAILED, "Couldnt find callid in dialog")
        self._end(found)

    def end_dlg(self, h_entry: int, h_id: int, extra_hdrs: str = "") -> None:
        """Sends BYE to both sides of a dialog, named by Kamailio's numbers."""
        found = self._dialogs.at(int(h_entry), int(h_id))
        if found is None:
            raise RpcError(FAILED, "Dialog not found")
        self._end(found, extra_hdrs)

    def set_state(self, callid: str, from_tag: str, to_tag: str, state: int) -> None:
        """Sets the state of a dialog; 5 forgets it, without BYE and event."""
        found = self._dialogs.find(callid, from_tag, to_tag)
        if found is None:
            raise RpcError(FAILED, "Dialog not found")
        if not UNCONFIRMED <= int(state) <= DELETED:
            raise RpcError(FAILED, "Invalid state")
        if int(state) == DELETED:
            self._tracker.end(found)
        else:
            self._dialogs.move(found, int(state))
            self._tracker.changed(found)

    def profile_get_size(self, profile: str, value: str | None = None) -> int:
        """How many dialogs are in a profile."""
        return self._dialogs.size(profile, self._value(profile, value))

    def profile_list(self, profile: str, value: str | None = None) -> Rows:
        """The dialogs of a profile."""
        return [self._shown(one) for one in self._dialogs.members(profile, self._value(profile, value))]

    def stats_active(self, local_only: int = 0) -> dict[str, int]:
        """How many dialogs are in which state; with `local_only` those alone whose sockets are ours."""
        names = {"starting": UNCONFIRMED, "connecting": EARLY, "answering": CONFIRMED_NO_ACK, "ongoing": CONFIRMED}
        if local_only:
            found = Counter(one.state for one in self._dialogs if self._tracker.is_local(one))
            counts = {name: found[state] for name, state in names.items()}
        else:
            counts = {name: self._dialogs.count(state) for name, state in names.items()}
        return counts | {"all": sum(counts.values())}

    def is_alive(self, callid: str, from_tag: str, to_tag: str) -> str:
        """Whether a dialog is answered and not over."""
        found = self._dialogs.find(callid, from_tag, to_tag)
        if found is None:
            raise RpcError(FAILED, "Dialog not found")
        if found.state != CONFIRMED:
            raise RpcError(FAILED, "Dialog not in confirmed state")
        return "Alive"

    def briefing(self, attrs: str = "ftcFT") -> Rows:
        """A few values of each dialog."""
        chosen = [_BRIEF[key] for key in _BRIEF if key in attrs]
        return [
            {"h_entry": one.h_entry, "h_id": one.h_id, **{name: self._of_today(name, get(one)) for name, get in chosen}}
            for one in self._dialogs
        ]

    def _end(self, dialog: Dialog, extra: str = "") -> None:
        if dialog.state not in (CONFIRMED_NO_ACK, CONFIRMED):
            raise RpcError(FAILED, "Operation failed")
        self._call(lambda: self._tracker.bye(dialog, "all", extra))

    def _value(self, profile: str, value: str | None) -> str | None:
        has_value = self._dialogs.profiles.get(profile)
        if has_value is None:
            raise RpcError(FAILED, f"Profile not found: {profile}")
        return value if has_value else None

    def _of_today(self, name: str, value: str | int) -> str | int:
        """A value of a dialog; times by the wall clock as it is now."""
        return self._tracker.clock.shown(value) if name.endswith("_ts") and isinstance(value, int) else value

    def _shown(self, one: Dialog) -> dict[str, Any]:
        with_value, clock = self._dialogs.profiles, self._tracker.clock
        return {
            "h_entry": one.h_entry,
            "h_id": one.h_id,
            "call-id": one.call_id,
            "from_uri": one.from_uri,
            "to_uri": one.to_uri,
            "state": one.state,
            "start_ts": clock.shown(one.start_ts),
            "init_ts": clock.shown(one.init_ts),
            "end_ts": clock.shown(one.end_ts),
            "duration": one.duration(clock.now),
            "timeout": clock.shown(one.deadline),
            "lifetime": one.lifetime,
            "dflags": 0,
            "sflags": one.sflags,
            "iflags": one.iflags,
            "caller": _leg(one.caller),
            "callee": _leg(one.callee) if one.callee.tag else dict.fromkeys(_leg(one.callee)),
            "profiles": [{name: value} if with_value.get(name) else name for name, value in one.profiles],
            "variables": [{name: value} for name, value in one.variables.items()],
        }


def _leg(leg: Leg) -> dict[str, str]:
    return {
        "tag": leg.tag,
        "contact": leg.contact,
        "cseq": str(leg.cseq),
        "route_set": ",".join(leg.routes),
        "socket": leg.socket,
    }


def _test(key: str, op: str, wanted: str) -> Callable[[str], bool]:
    if op in ("gt", "lt"):
        if key != "start_ts" or not wanted.isdigit():
            raise RpcError(FAILED, "Invalid matching operator parameter")
        limit = int(wanted)
        return (lambda text: int(text) > limit) if op == "gt" else (lambda text: int(text) < limit)
    if op == "eq":
        return lambda text: text == wanted
    if op == "sw":
        return lambda text: text.startswith(wanted)
    if op == "re":
        try:
            pattern = re.compile(wanted)
        except re.error as error:
            raise RpcError(FAILED, "Invalid matching value parameter") from error
        return lambda text: pattern.search(text) is not None
    raise RpcError(FAILED, "Invalid matching operator parameter")
