"""Time for what must not end, or go on, because somebody sets the clock of the machine."""

import time
from collections.abc import Callable


class SteadyClock:
    """Seconds since 1970 by the wall clock at the start, counted on by one that nobody can set.

    What is noted in it stays as far apart as it was, and what is due is due in time, as with Kamailio's ticks; `shown` and `noted`
    are for people and databases, which go by the wall clock as it is now.
    """

    def __init__(
        self, wall: Callable[[], float] = lambda: time.time(), even: Callable[[], float] = lambda: time.monotonic()
    ) -> None:
        self._wall, self._even = wall, even
        self._begin = wall() - even()

    @property
    def now(self) -> int:
        """Now, in this clock's seconds."""
        return int(self._begin + self._even())

    def shown(self, at: int) -> int:
        """What the wall clock says of a time of this one; 0, for never, stays 0."""
        return at + self._set_by() if at else 0

    def noted(self, at: int) -> int:
        """This clock's time for one of the wall clock; 0, for never, stays 0."""
        return at - self._set_by() if at else 0

    def _set_by(self) -> int:
        """By how much the wall clock has been set since the start."""
        return round(self._wall() - self._begin - self._even())
