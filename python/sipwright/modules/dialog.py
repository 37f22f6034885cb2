"""Dialogs (RFC 3261 section 12) as a proxy sees them, and profiles that count them; no I/O, time is an argument.

A dialog is found by Call-ID and tags. Its states have Kamailio's numbers. Times are seconds since 1970, as the control
methods and variables show them.
"""

import random
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

UNCONFIRMED: Final = 1
EARLY: Final = 2
CONFIRMED_NO_ACK: Final = 3
CONFIRMED: Final = 4
DELETED: Final = 5

# Bits of `dflags`, as far as they mean something here.
FLAG_TIMEOUT_BYE: Final = 1 << 3
FLAG_KEEPALIVE_CALLER: Final = 1 << 4
FLAG_KEEPALIVE_CALLEE: Final = 1 << 5
FLAG_TIMEOUT_NORESET: Final = 1 << 8
PROPERTIES: Final = {
    "ka-src": FLAG_KEEPALIVE_CALLER,
    "ka-dst": FLAG_KEEPALIVE_CALLEE,
    "timeout-noreset": FLAG_TIMEOUT_NORESET,
}

ENTRIES: Final = 4096
# What is left to a dialog whose ACK or keep-alive does not come.
LAST_SECONDS: Final = 10


@dataclass(slots=True)
class Leg:
    """One side: its tag, Contact, last sequence number, the routes from us to it, and our socket towards it."""

    tag: str = ""
    contact: str = ""
    cseq: int = 0
    routes: tuple[str, ...] = ()
    socket: str = ""


@dataclass(slots=True, eq=False)
class Dialog:
    """One dialog; `number` is its own in this process."""

    number: int
    h_entry: int
    h_id: int
    call_id: str
    from_uri: str
    to_uri: str
    req_uri: str
    caller: Leg
    init_ts: int
    lifetime: int
    callee: Leg = field(default_factory=Leg)
    state: int = UNCONFIRMED
    start_ts: int = 0
    end_ts: int = 0
    deadline: int = 0
    dflags: int = 0
    sflags: int = 0
    toroute: str = ""
    profiles: list[tuple[str, str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    keepalive_at: int = 0
    keepalive_failures: int = 0
    byes: int = 0

    @property
    def cookie(self) -> str:
        """Value of the Record-Route parameter: entry and id in hexadecimal, the last digit first."""
        return f"{self.h_entry:x}"[::-1] + "." + f"{self.h_id:x}"[::-1]

    def is_downstream(self, from_tag: str) -> bool:
        """Whether a request with this From tag comes from the caller."""
        return from_tag == self.caller.tag

    def duration(self, now: int) -> int:
        """Seconds since the answer, at most until the end."""
        return (self.end_ts or now) - self.start_ts if self.start_ts else 0


class Dialogs:
    """All dialogs, their profiles, and how many there were. Safe to use from several threads."""

    def __init__(self, with_value: list[str], no_value: list[str], most: int) -> None:
        self.most = most
        self.processed = self.expired = self.failed = 0
        self.profiles: dict[str, bool] = dict.fromkeys(no_value, False) | dict.fromkeys(with_value, True)
        self._members: Counter[tuple[str, str]] = Counter()
        self._sizes: Counter[str] = Counter()
        self._by_call: dict[str, list[Dialog]] = {}
        self._by_number: dict[int, Dialog] = {}
        self._states: Counter[int] = Counter()
        self._next_id = random.randrange(1, 8192)
        self._number = 0
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Dialog]:
        with self._lock:
            return iter(list(self._by_number.values()))

    def create(
        self, call_id: str, from_uri: str, to_uri: str, req_uri: str, caller: Leg, lifetime: int, now: int
    ) -> Dialog | None:
        """A new dialog; None when there are too many."""
        with self._lock:
            if len(self._by_number) >= self.most:
                return None
            self._number += 1
            self._next_id += 1
            entry = zlib.crc32(call_id.encode("utf-8", "surrogateescape")) % ENTRIES
            made = Dialog(self._number, entry, self._next_id, call_id, from_uri, to_uri, req_uri, caller, now, lifetime)
            self._by_number[made.number] = made
            self._by_call.setdefault(call_id, []).append(made)
            self._states[made.state] += 1
            self.processed += 1
            return made

    def get(self, number: int) -> Dialog | None:
        """The dialog of that number."""
        return self._by_number.get(number)

    def at(self, h_entry: int, h_id: int) -> Dialog | None:
        """The dialog with these Kamailio's numbers."""
        return next((one for one in self if (one.h_entry, one.h_id) == (h_entry, h_id)), None)

    def find(self, call_id: str, from_tag: str, to_tag: str) -> Dialog | None:
        """The dialog of a message with these, in either direction; without a To tag that of a caller alone."""
        with self._lock:
            for one in self._by_call.get(call_id, ()):
                callee = one.callee.tag
                if one.caller.tag == from_tag and (not to_tag or not callee or callee == to_tag):
                    return one
                if to_tag and one.caller.tag == to_tag and callee == from_tag:
                    return one
        return None

    def of_call(self, call_id: str) -> list[Dialog]:
        """All dialogs of a Call-ID."""
        return list(self._by_call.get(call_id, ()))

    def move(self, dialog: Dialog, state: int) -> bool:
        """Brings a dialog to another state; False when it is there or past it already."""
        with self._lock:
            if dialog.state >= state:
                return False
            self._states[dialog.state] -= 1
            self._states[state] += 1
            dialog.state = state
            if state == DELETED:
                self._leave_all(dialog)
            return True

    def remove(self, dialog: Dialog) -> None:
        """Forgets a dialog."""
        with self._lock:
            if self._by_number.pop(dialog.number, None) is None:
                return
            self._states[dialog.state] -= 1
            self._leave_all(dialog)
            rest = [one for one in self._by_call[dialog.call_id] if one is not dialog]
            if rest:
                self._by_call[dialog.call_id] = rest
            else:
                del self._by_call[dialog.call_id]

    def count(self, *states: int) -> int:
        """Dialogs in these states."""
        return sum(self._states[state] for state in states)

    # ---- profiles --------------------------------------------------------------------------------------------------

    def join(self, dialog: Dialog, profile: str, value: str) -> None:
        """Makes a dialog a member of a profile, as often as it is called."""
        with self._lock:
            if dialog.state != DELETED:
                dialog.profiles.append((profile, value))
                self._members[profile, value] += 1
                self._sizes[profile] += 1

    def leave(self, dialog: Dialog, profile: str, value: str) -> bool:
        """Takes back one `join`; False when there is none."""
        with self._lock:
            if (profile, value) not in dialog.profiles:
                return False
            dialog.profiles.remove((profile, value))
            self._left(profile, value)
            return True

    def size(self, profile: str, value: str | None = None) -> int:
        """Members of a profile, all or those with a value."""
        return self._sizes[profile] if value is None else self._members.get((profile, value), 0)

    def members(self, profile: str, value: str | None = None) -> list[Dialog]:
        """The dialogs of a profile, all or those with a value."""
        return [
            one for one in self if any(name == profile and value in (None, its) for name, its in list(one.profiles))
        ]

    def _leave_all(self, dialog: Dialog) -> None:
        while dialog.profiles:
            self._left(*dialog.profiles.pop())

    def _left(self, profile: str, value: str) -> None:
        self._sizes[profile] -= 1
        self._members[profile, value] -= 1
        if not self._members[profile, value]:
            del self._members[profile, value]
