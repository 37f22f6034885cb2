"""Names that someone who mistyped one may have meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, candidates: Iterable[str], cutoff: float = 0.7) -> list[str]:
    """Up to three candidates like `name`, best first; when one is very like it, only those that are as good."""
    found = difflib.get_close_matches(name, list(candidates), n=3, cutoff=cutoff)
    if not found:
        return []
    likeness = {other: difflib.SequenceMatcher(None, other, name).ratio() for other in found}
    best = likeness[found[0]]
    return [other for other in found if best < 0.85 or likeness[other] > best - 0.04]
