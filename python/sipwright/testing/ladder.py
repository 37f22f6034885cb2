"""The ladder of a call as text: who sent what to whom, and when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_WIDTH: Final = 30


@dataclass(frozen=True, slots=True)
class Rung:
    """One message or remark: `source` and `target` are names; `time_s` counts from the start of the test."""

    time_s: float
    source: str
    target: str
    text: str
    is_repeated: bool = False


def draw(rungs: Sequence[Rung], middle: str = "server", most: int = 60) -> str:
    """The ladder of these messages, `middle` between the others; of more than `most` only the last ones."""
    if not rungs:
        return "(no messages)"
    names = list(dict.fromkeys(name for rung in rungs for name in (rung.source, rung.target) if name != middle))
    # The first to send stands on the left of the server, all others on its right.
    columns = [*names[:1], middle, *names[1:]]
    places = {name: index * _WIDTH + _WIDTH // 2 for index, name in enumerate(columns)}
    left = len(rungs) - most
    lines = [" " * 10 + "".join(name[: _WIDTH - 2].center(_WIDTH) for name in columns).rstrip()]
    if left > 0:
        lines.append(" " * 10 + f"... {left} messages before")
    for rung in rungs[max(left, 0) :]:
        lines += _rung(rung, places)
    return "\n".join(lines)


def _rung(rung: Rung, places: dict[str, int]) -> Iterable[str]:
    start, end = places[rung.source], places[rung.target]
    low, high = min(start, end), max(start, end)
    text = f"{rung.text} (again)" if rung.is_repeated else rung.text
    room = high - low - 3
    bars = [" "] * (max(places.values()) + 1)
    for place in places.values():
        bars[place] = "|"
    shown = text if len(text) <= room else f"{text[: room - 2]}.."
    middle = shown.center(room, "-")
    line = f"-{middle}>" if end > start else f"<{middle}-"
    bars[low + 1 : high] = list(line)
    yield f"{rung.time_s:8.3f}  " + "".join(bars).rstrip()
