"""Calls that the load balancer has sent somewhere, by Call-ID: the load of algorithm 10. Times are seconds, given."""

from collections import Counter
from dataclasses import dataclass
from threading import Lock


@dataclass(slots=True)
class _Call:
    group: int
    duid: str
    ends_at: float


class CallLoads:
    """Which call went to which destination (`duid`) of which set; at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: dict[str, _Call] = {}
        self._loads: Counter[tuple[int, str]] = Counter()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._calls)

    def load(self, group: int, duid: str) -> int:
        """How many calls the destination has."""
        return self._loads[group, duid]

    def add(self, call_id: str, group: int, duid: str, ends_at: float) -> bool:
        """Counts a call, or moves one that is known. False when there is no room for another one."""
        with self._lock:
            self._take(call_id)
            if len(self._calls) >= self._most:
                return False
            self._calls[call_id] = _Call(group, duid, ends_at)
            self._loads[group, duid] += 1
            return True

    def is_known(self, call_id: str) -> bool:
        """Whether the call is counted."""
        return call_id in self._calls

    def confirm(self, call_id: str, ends_at: float) -> None:
        """The call was answered: it counts until then."""
        with self._lock:
            call = self._calls.get(call_id)
            if call is not None:
                call.ends_at = ends_at

    def remove(self, call_id: str) -> bool:
        """The call is over. False when it was not counted."""
        with self._lock:
            return self._take(call_id)

    def expire(self, now: float) -> int:
        """Forgets the calls whose time is over; how many there were."""
        with self._lock:
            ended = [call_id for call_id, call in self._calls.items() if call.ends_at <= now]
            for call_id in ended:
                self._take(call_id)
            return len(ended)

    def _take(self, call_id: str) -> bool:
        call = self._calls.pop(call_id, None)
        if call is None:
            return False
        place = (call.group, call.duid)
        self._loads[place] -= 1
        if not self._loads[place]:
            del self._loads[place]
        return True
