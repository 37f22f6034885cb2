"""The location tables of the server: made from the settings, swept, counted. Kamailio's module usrloc has no KSR functions."""

import time
from typing import TYPE_CHECKING, Final

from sipwright.control import usrloc as control
from sipwright.modules import location_db, location_events
from sipwright.modules.usrloc import Location, Tables
from sipwright.settings.usrloc import UsrlocSettings

if TYPE_CHECKING:
    from sipwright.host import Host

__all__: Final[list[str]] = []

# Between two steps of a sweep, so that it takes a small part of one core at most.
SWEEP_PAUSE_S: Final = 0.005


class _State:
    def __init__(self) -> None:
        self.settings = UsrlocSettings()
        self.tables = Tables(lambda name: Location(name, self.settings))


_state = _State()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on; the tables that are preloaded are read once the server runs."""
    settings = _state.settings = host.settings.usrloc
    # What `sipwright check` and tests of a module alone look at needs no database.
    persistent = settings.db_mode != 0 and host.engine is not None
    sockets = location_events.Sockets(host.engine)
    store = location_db.Store(host, sockets) if persistent else None
    if store is not None:
        _state.tables = Tables(store.table)
        host.serve(lambda: _preload(settings.preload))
    else:
        _state.tables = Tables(lambda name: Location(name, settings))
    events = location_events.Events(host, sockets)
    host.every(settings.timer_interval_s, lambda: _sweep(events), blocking=True)
    control.register(host.rpc, _state.tables, store)
    host.count(_count)


def tables() -> Tables:
    """The location tables."""
    return _state.tables


async def _preload(names: list[str]) -> None:
    """Begins to read the tables. Whoever needs one earlier begins it himself."""
    for name in names:
        _state.tables.get(name)


def _sweep(events: "location_events.Events") -> None:
    now = int(time.time())
    for table in _state.tables.all():
        events.drop_lost_connections(table)
        table.sweep(now, lambda binding, table=table: events.ended(table, binding), SWEEP_PAUSE_S)  # type: ignore[misc]


def _count() -> dict[str, int]:
    used = {table.name: table for table in _state.tables.all()}
    found = {"registered_users": sum(table.users() for table in used.values())}
    # Those that are preloaded are there from the start, as counters of their own.
    for name in dict.fromkeys([*_state.settings.preload, *used]):
        table = used.get(name)
        found[f"{name}_users"] = table.users() if table is not None else 0
        found[f"{name}_contacts"] = len(table) if table is not None else 0
        found[f"{name}_expires"] = table.expired_total if table is not None else 0
    return found
