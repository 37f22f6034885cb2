"""The location tables of the server: made from the settings, swept, counted, shared. Kamailio's module usrloc has no KSR functions."""

import time
from typing import TYPE_CHECKING, Final

from sipwright import _engine
from sipwright.control import usrloc as control
from sipwright.modules import location_db, location_events
from sipwright.modules.usrloc import Location, Tables
from sipwright.settings.errors import SettingsError
from sipwright.settings.usrloc import UsrlocSettings
from sipwright.sharing import setup

if TYPE_CHECKING:
    from sipwright._engine import Binding
    from sipwright.host import Host
    from sipwright.sharing.locations import SharedLocations

__all__: Final[list[str]] = []

# Between two steps of a sweep, so that it takes a small part of one core at most.
SWEEP_PAUSE_S: Final = 0.005


class _State:
    def __init__(self) -> None:
        self.settings = UsrlocSettings()
        self.tables = Tables(lambda name: Location(name, self.settings))
        self.sharing: SharedLocations | None = None


_state = _State()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on; the tables that are preloaded are read once the server runs."""
    settings = _state.settings = host.settings.usrloc
    _engine.forget_plain_tables()
    # What `sipwright check` and tests of a module alone look at needs no database.
    persistent = settings.db_mode != 0 and host.engine is not None
    sockets = location_events.Sockets(host.engine)
    sharing = _state.sharing = _share(host)
    store = location_db.Store(host, sockets, sharing) if persistent else None
    if store is not None:
        _state.tables = Tables(store.table)
        host.serve(lambda: _preload(settings.preload))
    else:
        _state.tables = Tables(lambda name: Location(name, settings, sharing=sharing))
    events = location_events.Events(host, sockets)
    host.every(settings.timer_interval_s, lambda: _sweep(events), blocking=True)
    control.register(host.rpc, _state.tables, store)
    host.count(_count)


def tables() -> Tables:
    """The location tables."""
    return _state.tables


def way(binding: "Binding") -> tuple[str, str] | None:
    """Request-URI and next hop of a request to a contact that another server has to be asked for; None for any other."""
    return None if _state.sharing is None else _state.sharing.way(binding)


def _share(host: "Host") -> "SharedLocations | None":
    """The sharing of the tables, if they are to be shared."""
    settings = host.settings.usrloc
    if not settings.share_url:
        setup.show(host, "usrloc", None)
        return None
    from sipwright.sharing.locations import SharedLocations

    if settings.db_mode == location_db.DB_ONLY:
        raise SettingsError("usrloc.share_url needs tables in memory, and with usrloc.db_mode 3 there are none")
    nodes = setup.nodes_of(host, "usrloc", f"matching_mode {settings.matching_mode}, use_domain {settings.use_domain}")
    sharing = SharedLocations(tables, settings, nodes)
    setup.show(host, "usrloc", setup.connect(host, settings.share_url, sharing, nodes, settings.share_node))
    return sharing


async def _preload(names: list[str]) -> None:
    """Begins to read the tables. Whoever needs one earlier begins it himself."""
    for name in names:
        _state.tables.get(name)


def _sweep(events: "location_events.Events") -> None:
    now = int(time.time())
    for table in _state.tables.all():
        events.drop_lost_connections(table)
        table.sweep(now, lambda binding, table=table: _ended(events, table, binding), SWEEP_PAUSE_S)  # type: ignore[misc]


def _ended(events: "location_events.Events", table: Location, binding: "Binding") -> None:
    """A binding has ended. Of the servers that share the table one alone is to say so."""
    sharing = table.sharing
    if sharing is None or sharing.nodes.is_responsible(binding.server_id):
        events.ended(table, binding)


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
