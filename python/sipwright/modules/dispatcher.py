"""Destinations of the load balancer: sets, the list file, states. No I/O, no clock: Kamailio's module dispatcher."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sipwright.modules.latency import Latency
from sipwright.settings.errors import SettingsError

INACTIVE: Final = 1
TRYING: Final = 2
DISABLED: Final = 4
PROBING: Final = 8
NO_DNS: Final = 16
STATES: Final = INACTIVE | TRYING | DISABLED | PROBING

MATCH_NO_PORT: Final = 1
MATCH_NO_PROTO: Final = 2
MATCH_ACTIVE: Final = 4

URI: Final = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>[^@\s]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s;:?@\[\]]+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<rest>[;?]\S*)?",
    re.IGNORECASE,
)
_SET: Final = re.compile("-?[0-9]{1,10}")
TRANSPORT: Final = re.compile(r";transport=([A-Za-z]+)", re.IGNORECASE)


class ListError(SettingsError):
    """A list of destinations that cannot be used; says where and why."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What the attributes of a destination say; `body` is their text."""

    body: str = ""
    duid: str = ""
    maxload: int = 0
    weight: int = 0
    rweight: int = 0
    socket: str = ""
    sockname: str = ""
    ping_from: str = ""
    obproxy: str = ""
    latency_ms: int = 0
    congestion: bool = False

    @classmethod
    def parse(cls, body: str) -> "Attributes":
        """Reads `name=value;name=value`. Raises ValueError for a number that is none."""
        values: dict[str, str] = {}
        for part in body.split(";"):
            name, _, value = part.partition("=")
            if name.strip():
                values[name.strip()] = value.strip().strip('"')

        def number(name: str, most: int) -> int:
            text = values.get(name, "0")
            if not (text.isascii() and text.isdigit()):
                raise ValueError(f"attribute {name}={text} is no number")
            return int(text) if int(text) <= most else 0

        return cls(
            body=body,
            duid=values.get("duid", ""),
            maxload=number("maxload", 2**31),
            weight=number("weight", 100),
            rweight=number("rweight", 100),
            socket=values.get("socket", ""),
            sockname=values.get("sockname", ""),
            ping_from=values.get("ping_from", ""),
            obproxy=values.get("obproxy", ""),
            latency_ms=number("latency", 2**31),
            congestion=values.get("cc", "0") == "1",
        )


@dataclass(slots=True, eq=False)
class Destination:
    """One destination. `flags` is its state, `failures` counts towards a threshold, `addresses` are for matching; `port` 0
    and `proto` "" mean that the URI names none.
    """

    uri: str
    flags: int
    priority: int
    attributes: Attributes
    host: str
    port: int
    proto: str
    failures: int = 0
    addresses: tuple[str, ...] = ()
    resolved_at: float | None = None
    latency: Latency = field(default_factory=Latency)

    @classmethod
    def make(cls, uri: str, flags: int, priority: int, attributes: str) -> "Destination":
        """Raises ValueError for what is no SIP URI, or attributes that are not valid."""
        found = URI.fullmatch(uri)
        if found is None or int(found["port"] or 0) > 65_535:
            raise ValueError(f"{uri!r} is no SIP URI")
        parsed = Attributes.parse(attributes)
        transport = TRANSPORT.search(found["rest"] or "")
        proto = transport[1].lower() if transport else ""
        made = cls(uri, flags, priority, parsed, found["host"].strip("[]"), int(found["port"] or 0), proto)
        made.latency.start(parsed.latency_ms)
        return made

    @property
    def is_usable(self) -> bool:
        """Whether it may be selected."""
        return not self.flags & (INACTIVE | DISABLED)

    @property
    def state(self) -> str:
        """The two letters of `dispatcher.list`."""
        letter = "D" if self.flags & DISABLED else "I" if self.flags & INACTIVE else "T" if self.flags & TRYING else "A"
        return letter + ("P" if self.flags & PROBING else "X")


@dataclass(slots=True)
class Group:
    """A set of destinations, highest priority first; of equal ones the last in the list first, as Kamailio has it."""

    id: int
    destinations: list[Destination] = field(default_factory=list)
    # Next of round robin, and the wheels of the weights with where they stand.
    last: int = 0
    weights: list[int] = field(default_factory=list)
    weight_at: int = 0
    relative: list[int] = field(default_factory=list)
    relative_at: int = 0

    def add(self, destination: Destination) -> None:
        """Puts a destination where its priority says."""
        position = 0
        while position < len(self.destinations) and self.destinations[position].priority > destination.priority:
            position += 1
        self.destinations.insert(position, destination)
        self.forget_wheels()

    def forget_wheels(self) -> None:
        """Has the wheels of the weights made anew."""
        self.weights = []
        self.relative = []

    def find(self, uri: str) -> Iterator[Destination]:
        """Those with that URI, in any case."""
        return (one for one in self.destinations if one.uri.lower() == uri.lower())


Groups = dict[int, Group]


def list_rows(text: str, source: str) -> Iterator[tuple[str, list[str]]]:
    """The rows of a list file, for `make_groups`."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield f"{source}:{number}", words


def make_groups(
    rows: Iterable[tuple[str, list[str]]], *, strict: bool, warn: Callable[[str], None], default_attributes: str = ""
) -> Groups:
    """Sets from rows of `where, [set, uri, flags, priority, attributes...]`.

    A row that cannot be read is a ListError; so is a destination that is not valid, if `strict`, else a warning.
    """
    groups: Groups = {}
    for where, words in rows:
        words = [word.strip('"') for word in words]
        if len(words) < 2 or not _SET.fullmatch(words[0]):
            raise ListError(f"{where}: a destination is `SET URI [FLAGS [PRIORITY [ATTRIBUTES]]]`")
        try:
            flags = int(words[2]) if len(words) > 2 else 0
            priority = int(words[3]) if len(words) > 3 else 0
        except ValueError as error:
            raise ListError(f"{where}: flags and priority are numbers") from error
        try:
            destination = Destination.make(words[1], flags, priority, " ".join(words[4:]) or default_attributes)
        except ValueError as error:
            if strict:
                raise ListError(f"{where}: {error}") from error
            warn(f"{where}: {error}; the destination is left out")
            continue
        number = int(words[0])
        groups.setdefault(number, Group(number)).add(destination)
    return groups


def parse_state(text: str) -> int | None:
    """`a`, `i`, `t` or `d`, with `p` for probing, as flags; None for anything else."""
    flags = 0
    for letter in text.lower():
        flag = {"a": 0, "i": INACTIVE, "t": TRYING, "d": DISABLED, "p": PROBING}.get(letter)
        if flag is None:
            return None
        flags |= flag
    return flags


def update_state(destination: Destination, state: int, probing_threshold: int, inactive_threshold: int) -> str | None:
    """Takes a result into account: `state` is that of `ds_mark_dst` or of a keep-alive. `up` or `down` when the
    destination came into use or went out of it.
    """
    old = destination.flags
    wanted = state
    if state & TRYING and old & INACTIVE:
        # It is to become active before it can become inactive again.
        state = state & ~TRYING | INACTIVE
    destination.flags = old & ~STATES | (DISABLED if state & DISABLED else state)
    if state & TRYING:
        destination.failures += 1
        if destination.failures >= probing_threshold:
            destination.flags = destination.flags & ~TRYING | INACTIVE
            destination.failures = 0
    elif not wanted & (TRYING | INACTIVE | DISABLED) and old & INACTIVE:
        # Unlike in Kamailio, marking it as inactive again does not count as a success.
        destination.failures += 1
        if destination.failures < inactive_threshold:
            destination.flags |= INACTIVE
        else:
            destination.failures = 0
    else:
        destination.failures = 0
    return _change(old, destination)


def set_state(destination: Destination, state: int) -> str | None:
    """Sets a state whatever it was; `up` or `down` as `update_state`."""
    old = destination.flags
    destination.flags = old & ~STATES | state
    destination.failures = 0
    return _change(old, destination)


def _change(old: int, destination: Destination) -> str | None:
    was_usable = not old & (INACTIVE | DISABLED)
    if was_usable == destination.is_usable:
        return None
    return "up" if destination.is_usable else "down"
