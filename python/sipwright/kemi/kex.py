"""KSR.kex: the level of the log, with Kamailio's return codes."""

from typing import TYPE_CHECKING

from sipwright import _engine, log
from sipwright.kemi.calls import ksr

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["resetdebug", "setdebug"]

_initial = log.INFO


def configure(host: "Host") -> None:
    """Remembers the level of the settings."""
    global _initial
    _initial = log.LEVELS[host.settings.log.level]


@ksr("kex.setdebug")
def setdebug(level: int) -> int:
    """Sets the level of the log, for the whole server, from -5 to 3: 1."""
    _engine.set_log_level(max(-5, min(level, log.DEBUG)))
    return 1


@ksr("kex.resetdebug")
def resetdebug() -> int:
    """Sets the level of the log back to `log.level`: 1."""
    _engine.set_log_level(_initial)
    return 1
