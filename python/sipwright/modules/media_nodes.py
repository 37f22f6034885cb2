"""Media proxies in sets: which one serves a call, which are out of order (modules rtpengine and rtpproxy)."""

import itertools
import os
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

DEFAULT_WEIGHT: Final = 1
_DATAGRAM: Final = 65_536
_PROTOCOLS: Final = ("udp", "udp6", "unix")
_numbers = itertools.count()


class Unreachable(Exception):
    """A media proxy did not answer, or could not be asked."""


@dataclass(slots=True, eq=False)
class Node:
    """One media proxy. `url` is as configured, without its weight; times are seconds of the caller's clock."""

    url: str
    weight: int
    set_id: int
    index: int
    # Until when it is left alone after it did not answer; None while it serves.
    recheck_at: float | None = None
    # Switched off by an administrator.
    is_off: bool = False
    is_tested: bool = False
    # What it can do, by the names of its protocol.
    features: frozenset[str] = frozenset()
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_disabled(self) -> bool:
        """Whether it gets no new calls."""
        return self.is_off or self.recheck_at is not None

    def ask(self, command: bytes, timeout_s: float, tries: int) -> bytes:
        """Sends a command and waits for its answer, without the cookie; blocks this thread alone.

        Each of the `tries` has `timeout_s`. Raises Unreachable.
        """
        kind, _, place = self.url.partition(":")
        try:
            if kind == "unix":
                return _ask_stream(place, command, timeout_s)
            return _ask_datagram(kind, place, command, timeout_s, tries)
        except OSError as error:
            raise Unreachable(f"{self.url}: {error.strerror or error}") from None


def parse_nodes(text: str, set_id: int = 0) -> tuple[int, list[tuple[str, int]]]:
    """Reads `[set == ] url[=weight] ...` as Kamailio writes it: the set and its URLs with weights. Raises ValueError."""
    head, equals, rest = text.partition("==")
    if equals:
        try:
            set_id = int(head)
        except ValueError:
            raise ValueError(f"{head.strip()!r} is not the number of a set") from None
        text = rest
    found = []
    for word in text.split():
        url, _, weight = word.partition("=")
        found.append((_checked(url), _weight(word, weight)))
    if not found:
        raise ValueError("no socket of a media proxy")
    return set_id, found


def _weight(word: str, text: str) -> int:
    if not text:
        return DEFAULT_WEIGHT
    if not text.isdigit():
        raise ValueError(f"{word!r}: the weight is not a number")
    return int(text)


def _checked(url: str) -> str:
    kind, colon, place = url.partition(":")
    if not colon or (kind not in _PROTOCOLS and not place.isdigit()):
        raise ValueError(f"{url!r} is not udp:host:port, udp6:host:port or unix:/path")
    if kind not in _PROTOCOLS:
        # A bare host and port is UDP in Kamailio too.
        return f"udp:{url}"
    if kind != "unix":
        _host_and_port(place)
    return url


def _host_and_port(place: str) -> tuple[str, int]:
    host, colon, port = place.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError(f"{place!r} is not host:port")
    return host.strip("[]"), int(port)


class Nodes:
    """All media proxies of a module, by set."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._sets: dict[int, list[Node]] = {}
        numbers = itertools.count()
        for text in texts:
            set_id, found = parse_nodes(text)
            for url, weight in found:
                self._sets.setdefault(set_id, []).append(Node(url, weight, set_id, next(numbers)))

    def __iter__(self) -> Iterator[Node]:
        return itertools.chain.from_iterable(self._sets.values())

    def __contains__(self, set_id: int) -> bool:
        return set_id in self._sets

    def of(self, set_id: int) -> list[Node]:
        """The nodes of a set."""
        return self._sets.get(set_id, [])

    def named(self, url: str) -> list[Node]:
        """The nodes with this URL, or every one for `all`."""
        return [node for node in self if url in ("all", node.url)]

    def choose(
        self, set_ids: Iterable[int], call_id: str, now: float, test: Callable[[Node], bool], limit: int = 0
    ) -> Node | None:
        """The node for a call: by weight, the same for one Call-ID as long as the nodes stay; None without any.

        A node whose time of rest is over is tested first; `test` says whether it answers. The first set with a node
        that serves wins. With `limit` only so many nodes are looked at.
        """
        for set_id in set_ids:
            nodes = self._sets.get(set_id, [])
            serving = [node for node in nodes if _serves(node, now, test)]
            chosen = by_weight(serving[:limit] if limit else serving, call_id)
            if chosen is not None:
                return chosen
        return None


def _serves(node: Node, now: float, test: Callable[[Node], bool]) -> bool:
    if node.is_off:
        return False
    rests = node.recheck_at is not None and node.recheck_at > now
    if node.is_tested and node.recheck_at is None:
        return True
    return not rests and test(node)


def by_weight(nodes: list[Node], call_id: str) -> Node | None:
    """The node that Kamailio chooses for this Call-ID of those that serve."""
    total = sum(node.weight for node in nodes)
    if not total:
        return None
    cut = (sum(call_id.encode()) & 0xFF) % total
    for node in nodes:
        if cut < node.weight:
            return node
        cut -= node.weight
    return None


def _ask_datagram(kind: str, place: str, command: bytes, timeout_s: float, tries: int) -> bytes:
    host, port = _host_and_port(place)
    family = socket.AF_INET6 if kind == "udp6" else socket.AF_UNSPEC
    info = socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM)[0]
    cookie = b"%d_%d " % (os.getpid(), next(_numbers))
    with socket.socket(info[0], socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect(info[4])
        for _ in range(tries):
            sock.send(cookie + command)
            answer = _answer(sock, cookie, timeout_s)
            if answer is not None:
                return answer
    raise Unreachable(f"{kind}:{place} does not answer")


def _answer(sock: socket.socket, cookie: bytes, timeout_s: float) -> bytes | None:
    """What begins with the cookie; other datagrams, such as answers to earlier tries of others, do not count."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    # Answers to other cookies must not prolong the wait for ever.
    for _ in range(16):
        if not poll.poll(max(1, int(timeout_s * 1_000))):
            return None
        data = sock.recv(_DATAGRAM)
        if data.startswith(cookie):
            return data[len(cookie) :]
    return None


def _ask_stream(path: str, command: bytes, timeout_s: float) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(timeout_s)
        sock.connect(path)
        sock.sendall(command)
        data = b""
        while not data.endswith(b"\n") and len(data) < _DATAGRAM:
            chunk = sock.recv(_DATAGRAM)
            if not chunk:
                break
            data += chunk
    if not data:
        raise Unreachable(f"unix:{path} closed the connection")
    return data
