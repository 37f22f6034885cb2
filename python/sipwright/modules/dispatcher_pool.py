"""The load balancer's destinations in use: loading, states, keep-alives, look-up of sources. Times are given."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from sipwright import log
from sipwright.modules.dispatcher import (
    DISABLED,
    INACTIVE,
    MATCH_ACTIVE,
    MATCH_NO_PORT,
    MATCH_NO_PROTO,
    NO_DNS,
    PROBING,
    TRYING,
    Destination,
    Group,
    Groups,
    ListError,
    list_rows,
    make_groups,
    set_state,
    update_state,
)
from sipwright.modules.dispatcher_load import CallLoads
from sipwright.modules.requests import OutgoingRequest
from sipwright.settings.dispatcher import DispatcherSettings

# Values of `ds_probing_mode` and `ds_dns_mode`.
PROBE_FLAGGED_ONCE: Final = 0
PROBE_ALL: Final = 1
PROBE_INACTIVE: Final = 2
PROBE_FLAGGED: Final = 3
DNS_AT_MATCH: Final = 2
DNS_BY_TIMER: Final = 4

Resolver = Callable[[Destination], tuple[str, ...]]
Rows = Callable[[], Iterable[tuple[str, list[str]]]]


@dataclass(frozen=True, slots=True)
class Source:
    """An address that is looked for among the destinations; port and proto as in a URI, 0 and "" for none."""

    addresses: tuple[str, ...]
    port: int
    proto: str


class Pool:
    """All sets. `on_change(event, destination)` is told of `dst-down` and `dst-up`; `resolve` gives addresses of a host."""

    def __init__(
        self,
        settings: DispatcherSettings,
        resolve: Resolver,
        on_change: Callable[[str, Destination], None],
        rows: Rows | None = None,
    ) -> None:
        self.settings = settings
        self.groups: Groups = {}
        self.loads = CallLoads(settings.max_calls)
        self.lock = threading.Lock()
        self.pings = True
        self._resolve = resolve
        self._on_change = on_change
        self._rows = rows or self._file_rows
        self._loaded_at: float | None = None

    # Loading

    def load(self, now: float) -> None:
        """Reads the list or the table. Raises ListError, OSError or what the database raises; nothing changes then."""
        self._loaded_at = now
        groups = make_groups(
            self._rows(),
            strict=self.settings.ds_load_mode == 1,
            warn=lambda text: log.warning(f"dispatcher: {text}"),
            default_attributes="none=yes" if self.settings.ds_attrs_none else "",
        )
        for group in groups.values():
            for one in group.destinations:
                _take_literal(one)
        self.groups = groups

    def reload(self, now: float) -> None:
        """Loads again. Raises ListError also when the last time was less than `reload_delta_s` ago."""
        if self._loaded_at is not None and now - self._loaded_at < self.settings.reload_delta_s:
            raise ListError("ongoing reload")
        self.load(now)

    def _file_rows(self) -> Iterator[tuple[str, list[str]]]:
        path = self.settings.list_file
        if not path:
            return iter(())
        return list_rows(Path(path).read_text(encoding="utf-8"), path)

    def add(self, number: int, destination: Destination) -> None:
        """Adds a destination until the next reload."""
        _take_literal(destination)
        with self.lock:
            self.groups.setdefault(number, Group(number)).add(destination)

    def remove(self, number: int, uri: str) -> int:
        """Removes the destinations of a set with that URI until the next reload; how many."""
        with self.lock:
            group = self.groups.get(number)
            if group is None:
                return 0
            gone = list(group.find(uri))
            group.destinations = [one for one in group.destinations if one not in gone]
            group.last = 0
            group.forget_wheels()
            if not group.destinations:
                del self.groups[number]
            return len(gone)

    # States

    def mark(self, number: int, uri: str, state: int) -> bool:
        """Takes a result of the destinations with that URI into account; False when the set has none."""
        with self.lock:
            group = self.groups.get(number)
            found = list(group.find(uri)) if group else []
            changes = [
                (one, update_state(one, state, self.settings.ds_probing_threshold, self.settings.ds_inactive_threshold))
                for one in found
            ]
            if group and found:
                group.relative = []
        self._tell(changes)
        return bool(found)

    def set_state(self, number: int, state: int, wanted: Callable[[Destination], bool]) -> bool:
        """Sets the state of the destinations of a set that are `wanted`; False when there are none."""
        with self.lock:
            group = self.groups.get(number)
            found = [one for one in group.destinations if wanted(one)] if group else []
            changes = [(one, set_state(one, state)) for one in found]
            if group and found:
                group.relative = []
        self._tell(changes)
        return bool(found)

    def _tell(self, changes: Iterable[tuple[Destination, str | None]]) -> None:
        for one, change in changes:
            if change is not None:
                log.notice(f"dispatcher: {one.uri} is {change}")
                self._on_change(f"dispatcher:dst-{change}", one)

    # Keep-alives

    def to_ping(self) -> list[tuple[int, Destination]]:
        """Whom to send a keep-alive now, with their sets."""
        if not self.pings:
            return []
        return [
            (group.id, one)
            for group in list(self.groups.values())
            for one in list(group.destinations)
            if not one.flags & DISABLED and self._is_probed(one)
        ]

    def _is_probed(self, one: Destination) -> bool:
        mode = self.settings.ds_probing_mode
        if mode == PROBE_ALL:
            return True
        if mode == PROBE_INACTIVE:
            return bool(one.flags & PROBING and one.flags & INACTIVE)
        return bool(one.flags & PROBING)

    def ping(self, one: Destination, callback: str, event: str) -> OutgoingRequest:
        """The keep-alive for a destination."""
        settings, attributes = self.settings, one.attributes
        return OutgoingRequest(
            settings.ds_ping_method,
            one.uri,
            from_uri=attributes.ping_from or settings.ds_ping_from,
            to_uri=one.uri,
            next_hop=attributes.obproxy or settings.outbound_proxy,
            socket=self.socket_of(one),
            callback=callback,
            event=event,
        )

    def socket_of(self, one: Destination) -> str:
        """Our socket for a destination, as `proto:host:port` or by name; empty for any."""
        attributes, settings = one.attributes, self.settings
        return attributes.sockname or attributes.socket or settings.ds_default_sockname or settings.ds_default_socket

    def ponged(self, number: int, one: Destination, code: int, latency_ms: int) -> None:
        """A keep-alive was answered with that code, 408 when it was not."""
        if one.flags & DISABLED:
            return
        if self.settings.ds_ping_latency_stats:
            if code == 408:
                one.latency.timeouts += 1
            else:
                one.latency.add(latency_ms, self.settings.ds_latency_estimator_alpha / 1000)
        mode = self.settings.ds_probing_mode
        if is_alive(code, self.settings.ds_ping_reply_codes):
            keeps = mode == PROBE_ALL or (mode == PROBE_FLAGGED and one.flags & PROBING)
            state = PROBING if keeps else 0
        else:
            state = TRYING if mode == PROBE_FLAGGED_ONCE else TRYING | PROBING
        self.mark(number, one.uri, state)

    # Sources

    def resolve(self, one: Destination) -> tuple[str, ...]:
        """Addresses of a destination's host; none when nobody knows it. May block."""
        return (str(ip_address(one.host)),) if _is_literal(one.host) else self._resolve(one)

    def match(self, number: int, source: Source, mode: int) -> tuple[int, Destination] | None:
        """The destination that a source is, with its set; -1 for all sets. Bits of `mode`: 1 ports do not matter, 2
        transports do not, 4 it must be usable.
        """
        groups = self.groups.values() if number == -1 else filter(None, [self.groups.get(number)])
        for group in list(groups):
            for one in group.destinations:
                if (
                    (mode & MATCH_NO_PORT or one.port in (0, source.port))
                    and (mode & MATCH_NO_PROTO or one.proto == source.proto)
                    and not (mode & MATCH_ACTIVE and not one.is_usable)
                    and set(self._addresses(one)) & set(source.addresses)
                ):
                    return group.id, one
        return None

    def _addresses(self, one: Destination) -> tuple[str, ...]:
        if self.settings.ds_dns_mode & DNS_AT_MATCH and not _is_literal(one.host) and not one.flags & NO_DNS:
            return self._resolve(one)
        return one.addresses

    def look_up(self, now: float) -> None:
        """Learns the addresses of names that are not known yet, or have been for too long; blocks."""
        settings = self.settings
        for group in list(self.groups.values()):
            for one in list(group.destinations):
                if _is_literal(one.host) or one.flags & NO_DNS:
                    continue
                due = one.resolved_at is None or (
                    settings.ds_dns_mode & DNS_BY_TIMER and now - one.resolved_at >= settings.ds_dns_interval_s
                )
                if due:
                    # What was known goes on to hold when nobody answers.
                    one.addresses = self._resolve(one) or one.addresses
                    one.resolved_at = now


def is_alive(code: int, accepted: str) -> bool:
    """Whether a response shows that a destination is alive: 200, or one of `class=2;code=403`."""
    if code == 200:
        return True
    for part in filter(None, accepted.split(";")):
        kind, _, number = (word.strip() for word in part.partition("="))
        wanted = int(number)
        # A class is its first digit, or a code of it as in `class=400`.
        if wanted in (code // 100, code // 100 * 100) if kind == "class" else wanted == code:
            return True
    return False


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _take_literal(one: Destination) -> None:
    if _is_literal(one.host):
        one.addresses = (str(ip_address(one.host)),)
