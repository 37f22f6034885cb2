"""Routes of the script by the clock, as Kamailio's module rtimer has them; there are no functions."""

import threading
from functools import partial
from typing import TYPE_CHECKING

from sipwright.settings.errors import SettingsError
from sipwright.settings.small import named_values

if TYPE_CHECKING:
    from sipwright.host import Host

__all__: list[str] = []


_worker = threading.local()


def configure(host: "Host") -> None:
    """Starts the timers of the settings, and registers `$rtimer_worker`.

    A timer with `mode=N` runs its routes N times each interval, as Kamailio's N processes of it do; `$rtimer_worker` tells
    which one it is. Raises SettingsError for a task whose timer is not there.
    """
    settings = host.settings.rtimer
    timers: dict[str, tuple[float, int]] = {}
    for line in settings.timer:
        values = named_values(line)
        interval = values.get("interval", str(settings.default_interval_s))
        # An interval in microseconds has one process in Kamailio, whatever its mode.
        several = int(values.get("mode", "0")) if not interval.endswith("u") else 1
        timers[values["name"]] = _seconds(interval), max(1, several)
    for line in settings.exec:
        values = named_values(line)
        found = timers.get(values["timer"])
        if found is None:
            raise SettingsError(f"rtimer.exec: {line!r}: there is no timer {values['timer']!r}")
        for number in range(found[1]):
            host.every(found[0], partial(_begin, host, values["route"], number))
    host.variable("rtimer_worker", lambda _, __: getattr(_worker, "number", 0))


def _begin(host: "Host", route: str, number: int) -> bool:
    def run() -> None:
        _worker.number = number
        try:
            host.run_route(route, "rtimer")
        finally:
            _worker.number = 0

    return route != "" and host.call(run)


def _seconds(text: str) -> float:
    return int(text[:-1]) / 1_000_000 if text.endswith("u") else float(text)
