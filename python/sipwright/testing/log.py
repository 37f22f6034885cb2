"""Log lines as tests see them."""

from dataclasses import dataclass
from typing import Final

_NAMES: Final = {-5: "alert", -2: "critical", -1: "error", 0: "warning", 1: "notice", 2: "info", 3: "debug"}


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line; `level` is Kamailio's number, from -5 (alert) to 3 (debug)."""

    level: int
    text: str

    def __str__(self) -> str:
        return f"{_NAMES.get(self.level, str(self.level))}: {self.text}"
