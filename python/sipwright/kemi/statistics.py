"""KSR.statistics: counters by Kamailio's older module of that name; they are those of `KSR.counters`."""

from sipwright.kemi import counters
from sipwright.kemi.calls import ksr

__all__ = ["reset_stat", "update_stat"]


@ksr("statistics.update_stat")
def update_stat(name: str, value: int) -> int:
    """Adds to a counter of `counters.variable`: 1, or -1 when there is none of that name."""
    return counters.add(name, value)  # type: ignore[no-any-return]


@ksr("statistics.reset_stat")
def reset_stat(name: str) -> int:
    """Sets a counter to 0: 1, or -1 when there is none of that name."""
    return counters.reset(name)  # type: ignore[no-any-return]
