"""Addresses by group and trusted peers, looked up in memory, with Kamailio's rules of precedence. No I/O."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# (bits of the address family, bits of the mask, network as a number)
_Network = tuple[int, int, int]
PROTOCOLS: Final = frozenset({"any", "none", "udp", "tcp", "tls", "sctp", "ws", "wss"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table of addresses: `host` is an address or a domain name, `port` 0 for any."""

    group: int
    host: str
    mask: int = 32
    port: int = 0
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What an address was found as."""

    group: int
    tag: str | None


@dataclass
class _Group:
    hosts: dict[Address, list[Entry]] = field(default_factory=dict)
    # Look-ups try the lengths of mask that there are, not the networks.
    networks: dict[_Network, list[Entry]] = field(default_factory=dict)
    lengths: set[tuple[int, int]] = field(default_factory=set)
    names: dict[str, list[Entry]] = field(default_factory=dict)


class AddressTable:
    """The table of addresses. It is not changed once it is made; a reload makes another one."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries: list[Entry] = []
        self.rejected: list[str] = []
        self._groups: dict[int, _Group] = {}
        for entry in entries:
            self._add(entry)
        self._order = sorted(self._groups)

    def allows(self, group: int, host: str, port: int) -> Match | None:
        """Whether a group has an address or name, with that port or any."""
        found = self._groups.get(group)
        if found is None:
            return None
        address = parsed(host)
        if address is None:
            return _fitting(found.names.get(host, []), port)
        hit = _fitting(found.hosts.get(address, []), port)
        return hit or _in_networks(found, address, port)

    def group_of(self, host: str, port: int) -> Match | None:
        """The group that an address or name is in: the last one as a host, else the lowest as part of a network.

        Of a name it has no tag, as in Kamailio.
        """
        address = parsed(host)
        if address is None:
            named = (group for group in self._order if _fitting(self._groups[group].names.get(host, []), port))
            return next((Match(group, None) for group in named), None)
        hits = [_fitting(self._groups[group].hosts.get(address, []), port) for group in reversed(self._order)]
        hits += [_in_networks(self._groups[group], address, port) for group in self._order]
        return next((hit for hit in hits if hit is not None), None)

    def _add(self, entry: Entry) -> None:
        if entry.group < 1:
            self.rejected.append(f"{entry.host}: the group must be greater than 0")
            return
        address = parsed(entry.host)
        group = self._groups.setdefault(entry.group, _Group())
        if address is None:
            if not re.fullmatch(r"[A-Za-z0-9.-]+", entry.host) or re.fullmatch(r"[0-9.]+", entry.host):
                self.rejected.append(f"{entry.host}: neither an address nor a domain name")
                return
            group.names.setdefault(entry.host, []).append(entry)
        elif not _is_network(address, entry.mask):
            group.hosts.setdefault(address, []).append(entry)
        else:
            bits = address.max_prefixlen
            key = (bits, entry.mask, int(address) >> (bits - entry.mask))
            group.networks.setdefault(key, []).append(entry)
            group.lengths.add((bits, entry.mask))
        self.entries.append(entry)


@dataclass(frozen=True, slots=True)
class Peer:
    """A row of the table of trusted peers."""

    source: str
    proto: str
    from_pattern: str | None = None
    ruri_pattern: str | None = None
    tag: str | None = None
    priority: int = 0


class TrustedTable:
    """The trusted peers. It is not changed once it is made."""

    def __init__(self, peers: Iterable[Peer] = ()) -> None:
        self.peers: list[Peer] = []
        self.rejected: list[str] = []
        self._by_source: dict[str, list[tuple[Peer, re.Pattern[str] | None, re.Pattern[str] | None]]] = {}
        for peer in sorted(peers, key=lambda one: -one.priority):
            self._add(peer)

    def find(self, source: str, proto: str, from_uri: str, ruri: str) -> Peer | None:
        """The first peer with that source and transport whose patterns fit the URIs."""
        for peer, from_regex, ruri_regex in self._by_source.get(source, []):
            if peer.proto.lower() not in ("any", proto.lower()):
                continue
            if from_regex is not None and not from_regex.search(from_uri):
                continue
            if ruri_regex is not None and not ruri_regex.search(ruri):
                continue
            return peer
        return None

    def _add(self, peer: Peer) -> None:
        if peer.proto.lower() not in PROTOCOLS:
            self.rejected.append(f"{peer.source}: {peer.proto} is no transport")
            return
        try:
            patterns = [re.compile(text) if text else None for text in (peer.from_pattern, peer.ruri_pattern)]
        except re.error as error:
            self.rejected.append(f"{peer.source}: {error.pattern!r} is no regular expression: {error}")
            return
        self.peers.append(peer)
        self._by_source.setdefault(peer.source, []).append((peer, patterns[0], patterns[1]))


def parsed(host: str) -> Address | None:
    """An address, in brackets or without; None for anything else."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def read_address_file(text: str) -> tuple[list[Entry], list[str]]:
    """The entries of an address file, and what is wrong, with line numbers."""
    entries: list[Entry] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            entries.append(_entry(words))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    return entries, problems


def _entry(words: list[str]) -> Entry:
    if len(words) < 2:
        raise ValueError("a line is `group address [mask [port [tag]]]`")
    group, host = words[:2]
    host, slash, length = host.partition("/")
    mask = length if slash else words[2] if len(words) > 2 else ""
    address = parsed(host)
    whole = address.max_prefixlen if address else 32
    port = int(words[3]) if len(words) > 3 else 0
    return Entry(int(group), host, int(mask) if mask else whole, port, words[4] if len(words) > 4 else None)


def _is_network(address: Address, mask: int) -> bool:
    # Rows of IPv6 hosts have often the default mask of 32 with a whole address: those are networks to Kamailio, too.
    return 0 <= mask < address.max_prefixlen


def _in_networks(group: _Group, address: Address, port: int) -> Match | None:
    number, bits = int(address), address.max_prefixlen
    for family, length in sorted(group.lengths, reverse=True):
        if family == bits:
            hit = _fitting(group.networks.get((bits, length, number >> (bits - length)), []), port)
            if hit is not None:
                return hit
    return None


def _fitting(entries: list[Entry], port: int) -> Match | None:
    for entry in entries:
        if entry.port in (0, port):
            return Match(entry.group, entry.tag)
    return None
