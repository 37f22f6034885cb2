"""Who sends too many requests: the tree of addresses of Kamailio's module pike. Times are seconds, given.

Each node is a byte of an address. A node is made when the one above it was hit a quarter of the limit, so that networks are
noticed before addresses are kept; an address that is in the tree as a whole is blocked from the limit on. Hits are counted
for this interval and the one before.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

ALLOWED: Final = 1
BLOCKED: Final = -1
NEWLY_BLOCKED: Final = -2


@dataclass(slots=True, eq=False)
class _Node:
    hits: int = 0
    hits_before: int = 0
    leaf_hits: int = 0
    leaf_hits_before: int = 0
    is_red: bool = False
    seen_at: float = 0.0
    children: dict[int, "_Node"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leaf:
    """An address in the tree; `status` is HOT when it is blocked or would be, WARM when its network is counted, else empty."""

    address: str
    hits: int
    hits_before: int
    expires_s: int
    status: str


class AddressTree:
    """All addresses. `limit` is that of requests in an interval, `most` that of nodes."""

    def __init__(self, limit: int, remove_latency_s: int, most: int) -> None:
        self.limit = limit
        self.blocked = 0
        self._remove_latency_s = remove_latency_s
        self._most = most
        self._count = 0
        self._roots: dict[int, _Node] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    def hit(self, address: bytes, now: float) -> int:
        """Counts a request of an address (4 or 16 bytes): ALLOWED, NEWLY_BLOCKED or BLOCKED."""
        with self._lock:
            node: _Node | None = None
            depth, children = 0, self._roots
            while depth < len(address) and (child := children.get(address[depth])) is not None:
                node, children, depth = child, child.children, depth + 1
                node.seen_at = now
            if depth == len(address) and node is not None:
                return self._hit_leaf(node)
            if node is None:
                self._add(self._roots, address[0], _Node(hits=1, seen_at=now))
                return ALLOWED
            node.hits += 1
            if self._is_hot(node.hits, node.hits_before, self.limit >> 2):
                # A new node takes over what its parent has been hit.
                made = _Node(node.hits - 1, 0, 0, max(node.leaf_hits_before - 1, 0), seen_at=now)
                self._add(node.children, address[depth], made)
            return ALLOWED

    def turn(self) -> list[str]:
        """Begins the next interval; the addresses that are no longer blocked."""
        freed: list[str] = []
        with self._lock:
            for path, node in self._walk():
                node.hits_before, node.hits = node.hits, 0
                node.leaf_hits_before, node.leaf_hits = node.leaf_hits, 0
                if node.is_red and not self._is_hot(0, node.leaf_hits_before, self.limit):
                    node.is_red = False
                    freed.append(text_of(path))
        return freed

    def sweep(self, now: float) -> None:
        """Forgets addresses, and networks without any, that sent nothing for long."""
        before = now - self._remove_latency_s
        with self._lock:
            self._prune(self._roots, before)

    def leaves(self, now: float) -> list[Leaf]:
        """The addresses that are in the tree as a whole, most hits first."""
        with self._lock:
            found = [self._leaf(path, node, now) for path, node in self._walk() if len(path) in (4, 16)]
        found = [leaf for leaf in found if leaf.hits or leaf.hits_before or leaf.status]
        return sorted(found, key=lambda leaf: leaf.hits + leaf.hits_before, reverse=True)

    def _hit_leaf(self, node: _Node) -> int:
        node.leaf_hits += 1
        if node.is_red:
            self.blocked += 1
            return BLOCKED
        if not self._is_hot(node.leaf_hits, node.leaf_hits_before, self.limit):
            return ALLOWED
        node.is_red = True
        self.blocked += 1
        return NEWLY_BLOCKED

    @staticmethod
    def _is_hot(hits: int, before: int, limit: int) -> bool:
        return hits >= limit or before >= limit or (hits + before) >> 1 >= limit

    def _add(self, children: dict[int, _Node], byte: int, node: _Node) -> None:
        if self._count < self._most:
            children[byte] = node
            self._count += 1

    def _walk(self) -> Iterator[tuple[bytes, _Node]]:
        waiting = [(bytes([byte]), node) for byte, node in self._roots.items()]
        while waiting:
            path, node = waiting.pop()
            yield path, node
            waiting += [(path + bytes([byte]), child) for byte, child in node.children.items()]

    def _prune(self, children: dict[int, _Node], before: float) -> None:
        for byte, node in list(children.items()):
            self._prune(node.children, before)
            if not node.children and node.seen_at < before:
                del children[byte]
                self._count -= 1

    def _leaf(self, path: bytes, node: _Node, now: float) -> Leaf:
        hot = node.is_red or self._is_hot(node.leaf_hits, node.leaf_hits_before, self.limit)
        warm = self._is_hot(node.hits, node.hits_before, self.limit >> 2)
        left_s = max(round(node.seen_at + self._remove_latency_s - now), 0)
        return Leaf(
            text_of(path), node.leaf_hits, node.leaf_hits_before, left_s, "HOT" if hot else "WARM" if warm else ""
        )


def text_of(path: bytes) -> str:
    """An address as text; of a network, the bytes that are known."""
    return str(ip_address(path)) if len(path) in (4, 16) else ".".join(str(byte) for byte in path)
