"""KSR.counters: counters that scripts keep and the control socket shows, with Kamailio's return codes."""

import re
from typing import TYPE_CHECKING, Final

from sipwright import log
from sipwright.kemi.calls import ksr
from sipwright.modules.counting import Counters

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["add", "inc", "reset"]

# Prefix of the counters among those of `core.stats`.
_PREFIX: Final = "script."
# Kamailio separates the description of a counter from its name by a space or a colon.
_DEFINED: Final = re.compile(r"\s*([^\s:]+)[\s:]*(.*?)\s*", re.DOTALL)

counters = Counters()
_group = "script"


def configure(host: "Host") -> None:
    """Makes the counters of the settings; `$stat`. `sipwright.control.statistics` has the control methods."""
    global counters, _group
    counters = Counters()
    settings = host.settings.counters
    _group = settings.script_cnt_grp_name
    for line in settings.script_counter:
        if (found := _DEFINED.fullmatch(line)) is not None:
            counters.define(_full(found[1]), found[2])
    for name in settings.variable:
        counters.define(f"{_group}.{name}")
    host.variable("stat", lambda inner, _: counters.get(_full(inner)))
    host.count(lambda: {name.removeprefix(_PREFIX): value for name, value in counters.all().items()})


@ksr("counters.inc")
def inc(name: str) -> int:
    """Adds 1 to a counter of `counters.script_counter`: 1, or -1 when there is none of that name."""
    return _done(counters.add(_full(name), 1), name)


@ksr("counters.add")
def add(name: str, value: int) -> int:
    """Adds to a counter: 1, or -1 when there is none of that name."""
    return _done(counters.add(_full(name), value), name)


@ksr("counters.reset")
def reset(name: str) -> int:
    """Sets a counter to 0: 1, or -1 when there is none of that name."""
    return _done(counters.reset(_full(name)), name)


def _full(name: str) -> str:
    return name if "." in name else f"{_group}.{name}"


def _done(done: bool, name: str) -> int:
    if done:
        return 1
    log.error(f"KSR.counters: there is no counter {name!r}; setting counters.script_counter names them")
    return -1
