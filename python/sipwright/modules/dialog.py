"""Dialogs (RFC 3261 section 12) as a proxy sees them, and profiles that count them; no I/O, time is an argument.

A dialog is found by Call-ID and tags. Its states have Kamailio's numbers. Times are seconds since 1970, as the control
methods and variables show them.
"""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

UNCONFIRMED: Final = 1
EARLY: Final = 2
CONFIRMED_NO_ACK: Final = 3
CONFIRMED: Final = 4
DELETED: Final = 5

# Bits of `iflags`, as Kamailio's rows have them.
FLAG_TIMEOUT_BYE: Final = 1 << 0
FLAG_KEEPALIVE_CALLER: Final = 1 << 1
FLAG_KEEPALIVE_CALLEE: Final = 1 << 2
FLAG_TIMEOUT_NORESET: Final = 1 << 3
PROPERTIES: Final = {
    "ka-src": FLAG_KEEPALIVE_CALLER,
    "ka-dst": FLAG_KEEPALIVE_CALLEE,
    "timeout-noreset": FLAG_TIMEOUT_NORESET,
}

# What other modules are told of a dialog: it was made by an INVITE, read from a database, acknowledged; it came to nothing;
# its BYE came; that was answered; BYEs from here ended it; its timeout passed.
CREATED: Final = "created"
LOADED: Final = "loaded"
ACKNOWLEDGED: Final = "acknowledged"
FAILED: Final = "failed"
TERMINATED: Final = "terminated"
CLOSED: Final = "closed"
ENDED: Final = "ended"
EXPIRED: Final = "expired"

# What is left to a dialog whose ACK or keep-alive does not come.
LAST_SECONDS: Final = 10
# Ids begin at a random place below this, so that those of an earlier run are not met again soon.
_FIRST_IDS: Final = 8192
_WORD: Final = 0xFFFF_FFFF


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
    iflags: int = 0
    sflags: int = 0
    toroute: str = ""
    profiles: list[tuple[str, str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    keepalive_failures: int = 0
    byes: int = 0
    is_closed: bool = False
    timed_from: float | None = None
    """Monotonic time from which its call data record counts; None for one that a database gave."""
    # What the database has, or will have by writes that wait: whether the row, and which variables.
    is_stored: bool = False
    stored_variables: dict[str, str] = field(default_factory=dict)

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

    def __init__(
        self,
        with_value: list[str],
        no_value: list[str],
        most: int,
        *,
        entries: int = 4096,
        ids: tuple[int, int] = (0, 1),
    ) -> None:
        """`entries` is a power of two; `ids` are the first id and the step from one to the next."""
        self.most = most
        self.entries = entries
        self.processed = self.expired = self.failed = 0
        self.profiles: dict[str, bool] = dict.fromkeys(no_value, False) | dict.fromkeys(with_value, True)
        self._members: Counter[tuple[str, str]] = Counter()
        self._sizes: Counter[str] = Counter()
        self._by_call: dict[str, list[Dialog]] = {}
        self._by_number: dict[int, Dialog] = {}
        self._by_id: dict[tuple[int, int], Dialog] = {}
        self._states: Counter[int] = Counter()
        start, self._step = ids
        self._next_id = start + self._step * random.randrange(1, _FIRST_IDS)
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
            entry = hash_entry(call_id, self.entries)
            identity = entry, self._free_id(entry)
            made = Dialog(self._next_number(), *identity, call_id, from_uri, to_uri, req_uri, caller, now, lifetime)
            self._keep(made)
            self.processed += 1
            return made

    def restore(self, dialog: Dialog) -> bool:
        """Takes a dialog of an earlier run, or of another node, and numbers it; False when it is here, or there are too many."""
        with self._lock:
            if (dialog.h_entry, dialog.h_id) in self._by_id or len(self._by_number) >= self.most:
                return False
            dialog.number = self._next_number()
            self._keep(dialog)
            for profile, value in dialog.profiles:
                self._members[profile, value] += 1
                self._sizes[profile] += 1
            return True

    def get(self, number: int) -> Dialog | None:
        """The dialog of that number."""
        return self._by_number.get(number)

    def at(self, h_entry: int, h_id: int) -> Dialog | None:
        """The dialog with these Kamailio's numbers."""
        return self._by_id.get((h_entry, h_id))

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
            del self._by_id[dialog.h_entry, dialog.h_id]
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

    def active(self) -> int:
        """Dialogs that have not ended."""
        return self.count(UNCONFIRMED, EARLY, CONFIRMED_NO_ACK, CONFIRMED)

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

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _free_id(self, entry: int) -> int:
        while True:
            self._next_id = (self._next_id + self._step) & _WORD
            if self._next_id and (entry, self._next_id) not in self._by_id:
                return self._next_id

    def _keep(self, dialog: Dialog) -> None:
        self._by_number[dialog.number] = dialog
        self._by_id[dialog.h_entry, dialog.h_id] = dialog
        self._by_call.setdefault(dialog.call_id, []).append(dialog)
        self._states[dialog.state] += 1

    def _leave_all(self, dialog: Dialog) -> None:
        while dialog.profiles:
            self._left(*dialog.profiles.pop())

    def _left(self, profile: str, value: str) -> None:
        self._sizes[profile] -= 1
        self._members[profile, value] -= 1
        if not self._members[profile, value]:
            del self._members[profile, value]


def hash_entry(call_id: str, entries: int) -> int:
    """The entry of Kamailio's table for a Call-ID, which rows and cookies name; `entries` is a power of two.

    The characters are taken four at a time as a number. (A Call-ID is ASCII, RFC 3261 section 25.1.)
    """
    data = call_id.encode("utf-8", "surrogateescape")
    total = 0
    for start in range(0, len(data), 4):
        number = int.from_bytes(data[start : start + 4], "big")
        total += number ^ (number >> 3)
    total &= _WORD
    return (total + (total >> 11) + (total >> 13) + (total >> 23)) & (entries - 1)
