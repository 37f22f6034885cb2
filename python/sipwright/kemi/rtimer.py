"""Routes of the script by the clock, as Kamailio's module rtimer has them; there are no functions."""

from functools import partial
from typing import TYPE_CHECKING

from sipwright.settings.errors import SettingsError
from sipwright.settings.small import named_values

if TYPE_CHECKING:
    from sipwright.host import Host

__all__: list[str] = []


def configure(host: "Host") -> None:
    """Starts the timers of the settings. Raises SettingsError for a task whose timer is not there."""
    settings = host.settings.rtimer
    intervals = {}
    for line in settings.timer:
        values = named_values(line)
        intervals[values["name"]] = _seconds(values.get("interval", "120"))
    for line in settings.exec:
        values = named_values(line)
        seconds = intervals.get(values["timer"])
        if seconds is None:
            raise SettingsError(f"rtimer.exec: {line!r}: there is no timer {values['timer']!r}")
        host.every(seconds, partial(host.event, values["route"], "rtimer"))


def _seconds(text: str) -> float:
    return int(text[:-1]) / 1_000_000 if text.endswith("u") else float(text)
