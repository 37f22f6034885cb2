"""DNS through the engine's resolver, with its cache and its hosts: what modules ask of it. Blocks the calling thread."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sipwright._engine import Engine

# What the engine says instead of records.
_NOTHING: Final = frozenset({"no such name", "no such record", "no answer"})


def records(engine: "Engine", kind: str, name: str) -> list[str]:
    """The records of a name as zone files write them; none when there are none or nobody answers. `kind` is A, AAAA, SRV,
    NAPTR or PTR.
    """
    try:
        found = engine.dns_lookup(kind, name)
    except ValueError:
        return []
    return [] if len(found) == 1 and found[0] in _NOTHING else found


def addresses_of(engine: "Engine", host: str) -> list[str]:
    """Its IPv4 addresses, then its IPv6 addresses."""
    return records(engine, "A", host) + records(engine, "AAAA", host)
