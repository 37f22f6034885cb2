"""How the load balancer chooses: the algorithms of Kamailio's module dispatcher, and their order for failover."""

import random
from collections.abc import Callable
from typing import Final

from sipwright.modules.dispatcher import Destination, Group

CALL_ID: Final = 0
FROM_URI: Final = 1
TO_URI: Final = 2
REQUEST_URI: Final = 3
ROUND_ROBIN: Final = 4
CREDENTIALS: Final = 5
RANDOM: Final = 6
VARIABLES: Final = 7
PRIORITY: Final = 8
WEIGHT: Final = 9
CALL_LOAD: Final = 10
RELATIVE_WEIGHT: Final = 11
PARALLEL: Final = 12
LATENCY: Final = 13
HASHES: Final = (CALL_ID, FROM_URI, TO_URI, REQUEST_URI, CREDENTIALS, VARIABLES)

_WHEEL: Final = 100
_MASK: Final = 0xFFFF_FFFF


def hash_of(*texts: str) -> int:
    """Kamailio's hash of one or two texts, so that both send a call to the same destination."""
    total = 0
    for text in texts:
        data = text.encode("utf-8", "surrogateescape")
        whole = len(data) - len(data) % 4
        words = [int.from_bytes(data[at : at + 4]) for at in range(0, whole, 4)]
        words.append(int.from_bytes(data[whole:]))
        total += sum(word ^ (word >> 3) for word in words)
    total &= _MASK
    return ((total + (total >> 11)) + ((total >> 13) + (total >> 23))) & _MASK or 1


class Selection:
    """What a choice needs besides the set: `use_default` keeps the last destination for the end, `limit` bounds the
    list (0 for no bound), `has_room` says whether a destination may take another call (algorithm 10).
    """

    def __init__(self, use_default: bool, limit: int = 0, draw: random.Random | None = None) -> None:
        self.use_default = use_default
        self.limit = limit
        self._draw = draw or random.Random()

    def select(
        self,
        group: Group,
        algorithm: int,
        key: int | None,
        load_of: Callable[[Destination], int] | None = None,
    ) -> list[Destination]:
        """The destinations in the order in which they are to be tried, the chosen one first; none when none is usable.

        `key` is the hash of the algorithms that hash; without one they go round. `load_of` is the load of a destination
        for algorithm 10, which without it takes the first.
        """
        destinations = group.destinations
        if algorithm == CALL_LOAD and load_of is not None:
            return self._least_loaded(group, load_of)
        if algorithm == LATENCY:
            return self._by_latency(group)
        start = self._start(group, algorithm, key)
        count = self._count(group)
        order = [destinations[(start + step) % count] for step in range(count)]
        return self._bounded(group, [one for one in order if one.is_usable])

    def _start(self, group: Group, algorithm: int, key: int | None) -> int:
        count = self._count(group)
        if algorithm in HASHES and key is not None:
            return key % count
        if algorithm == ROUND_ROBIN or algorithm in HASHES:
            return self._next(group, count)
        if algorithm == RANDOM:
            return self._draw.randrange(count)
        if algorithm == WEIGHT:
            if not group.weights:
                group.weights = self._shuffled(weights_of(group))
            group.weight_at = (group.weight_at + 1) % len(group.weights)
            return group.weights[group.weight_at] % count
        if algorithm == RELATIVE_WEIGHT:
            if not group.relative:
                group.relative = self._shuffled(relative_weights_of(group))
            group.relative_at = (group.relative_at + 1) % len(group.relative)
            return group.relative[group.relative_at] % count
        return 0

    def _next(self, group: Group, count: int) -> int:
        """Round robin goes on behind the destination that it found usable."""
        start = group.last % count
        for step in range(count):
            if group.destinations[(start + step) % count].is_usable:
                group.last = (start + step + 1) % count
                break
        return start

    def _least_loaded(self, group: Group, load_of: Callable[[Destination], int]) -> list[Destination]:
        def has_room(one: Destination) -> bool:
            maxload = one.attributes.maxload
            return one.is_usable and (not maxload or load_of(one) < maxload)

        free = [one for one in group.destinations if has_room(one)]
        if not free:
            return []
        first = min(free, key=load_of)
        at = free.index(first)
        return self._bounded(group, free[at:] + free[:at])

    def _by_latency(self, group: Group) -> list[Destination]:
        count = self._count(group)
        order = [group.destinations[(group.last + step) % count] for step in range(count)]
        usable = sorted((one for one in order if one.is_usable), key=adjusted_priority, reverse=True)
        if usable:
            group.last = (group.destinations.index(usable[0]) + 1) % count
        return self._bounded(group, usable)

    def _count(self, group: Group) -> int:
        """How many destinations are chosen from."""
        count = len(group.destinations)
        return count - 1 if self.use_default and count > 1 else count

    def _bounded(self, group: Group, order: list[Destination]) -> list[Destination]:
        """Adds the default destination at the end, and keeps to the limit."""
        if self.use_default:
            last = group.destinations[-1]
            order = [one for one in order if one is not last] + ([last] if last.is_usable else [])
        return order[: self.limit] if self.limit else order

    def _shuffled(self, wheel: list[int]) -> list[int]:
        self._draw.shuffle(wheel)
        return wheel


def weights_of(group: Group) -> list[int]:
    """A hundred positions in the set, as often as `weight` says; the last destination fills what is missing."""
    wheel: list[int] = []
    for position, one in enumerate(group.destinations):
        if len(wheel) + one.attributes.weight <= _WHEEL:
            wheel += [position] * one.attributes.weight
    return wheel + [len(group.destinations) - 1] * (_WHEEL - len(wheel)) if wheel else [0]


def relative_weights_of(group: Group) -> list[int]:
    """A hundred positions by the share of `rweight` among the usable ones; those that are congested get less."""
    shares = [_share(one) for one in group.destinations]
    total = sum(shares)
    if not total:
        shares = [_share_of_congested(group, one) for one in group.destinations]
        total = sum(shares)
    if not total:
        return [0]
    wheel: list[int] = []
    last = 0
    for position, share in enumerate(shares):
        if share:
            wheel += [position] * int(share * _WHEEL / total)
            last = position
    return wheel + [last] * (_WHEEL - len(wheel))


def _share(one: Destination) -> float:
    if not one.is_usable:
        return 0
    if not one.attributes.congestion:
        return one.attributes.rweight
    congestion_ms = one.latency.congestion_ms
    # Its `weight` is how many milliseconds of congestion are borne.
    return max(0.0, one.attributes.rweight - congestion_ms) if congestion_ms < one.attributes.weight else 0


def _share_of_congested(group: Group, one: Destination) -> float:
    if not one.is_usable or not one.attributes.congestion or not one.latency.congestion_ms:
        return 0
    total = sum(other.latency.congestion_ms for other in group.destinations if other.is_usable)
    return total / one.latency.congestion_ms


def adjusted_priority(one: Destination) -> int:
    """The priority, less one for each time that the latency in milliseconds is as high as the priority."""
    latency_ms = one.latency.congestion_ms if one.attributes.congestion else one.latency.estimate
    return one.priority - int(latency_ms / one.priority) if one.priority > 0 else one.priority
