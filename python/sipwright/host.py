"""What the server gives its modules, so that a module is one file that names everything it adds.

A module is a file of `sipwright.kemi` with the name that Kamailio gives it. Beside the KSR functions of its `__all__`
it may have `configure(host)`, which is called once before the script is loaded: it takes its settings, registers its
variables, timers, control methods and counters, and opens what it needs. It may be called again in one process, with
another host, and starts afresh then.
"""

import importlib
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.control.http.mounts import Mounts
from sipwright.control.rpc import Rpc
from sipwright.kemi import selects
from sipwright.kemi.namespace import PYTHON_MODULES
from sipwright.modules.background import Alarm, Crew
from sipwright.script.calls import CALL, Calls
from sipwright.script.worker import current_worker
from sipwright.settings.effective import default_data_dir
from sipwright.settings.model import Settings

if TYPE_CHECKING:
    from sipwright._engine import Engine, Message
    from sipwright.modules.dialog import Dialog
    from sipwright.storage.database import Database

# The database of modules that name none; it lies in the data directory.
DATABASE_FILE: Final = "sipwright.db"
DATABASE_COUNTERS: Final = (
    "db_queries",
    "db_failures",
    "db_away",
    "db_written",
    "db_coalesced",
    "db_waiting",
    "db_spooled",
    "db_spool_bytes",
    "db_refused",
    "db_lost",
)

Getter = Callable[[str, int | None], str | int | None]
Setter = Callable[[str, str | int | None], bool]
Route = Callable[["Message", str], object]


@dataclass(frozen=True, slots=True)
class Timer:
    """Something to do every so many seconds; a `blocking` one runs in a thread, and never twice at a time."""

    seconds: float
    action: Callable[[], object]
    blocking: bool


class Host:
    """The server as its modules see it.

    `engine` is None where no server runs: in `sipwright check` and in tests of a module alone.
    """

    def __init__(self, settings: Settings, engine: "Engine | None" = None) -> None:
        self.settings = settings
        self.engine = engine
        self.rpc = Rpc()
        self.http = Mounts()
        self.timers: list[Timer] = []
        self.services: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self.routes: dict[str, Route] = {}
        self.variables: set[str] = set()
        self._counters: list[Callable[[], Mapping[str, int]]] = []
        self._ends: list[Callable[[], object]] = []
        self.before: list[Callable[[], object]] = []
        self.dialog_listeners: list[Callable[[str, Dialog], object]] = []
        self._databases: dict[str, Database] = {}
        self._opening = threading.Lock()
        self._calls = None if engine is None else Calls(engine)
        if self._calls is not None:
            self.route(CALL, self._calls.run_next)
        self.count(self._count_databases)
        self.count(self._count_calls)

    def every(self, seconds: float, action: Callable[[], object], *, blocking: bool = False) -> None:
        """Has the control loop call `action` every `seconds` from the end of the start on.

        What may wait for a disk, a database or a network is `blocking`.
        """
        self.timers.append(Timer(seconds, action, blocking))

    def serve(self, service: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Has `service` run in the control loop from the end of the start to the stop, which cancels it."""
        self.services.append(service)

    def at_stop(self, action: Callable[[], object]) -> None:
        """Has `action` called once after the workers have ended, the last one registered first."""
        self._ends.append(action)

    def route(self, name: str, function: Route) -> None:
        """Gives the module a route of its own: a script worker calls `function(message, event)` where the engine is told
        to call `name`, for instance as `callback` of `_engine.send_request`.

        A method of the script's handler with that name goes first, so a colon in the name keeps them apart.
        """
        self.routes[name] = function

    def alarm(self, name: str, most: int) -> Alarm:
        """What calls things later, of which at most `most` may wait; its thread is called `name`."""
        return Alarm(name, most)

    def crew(self, name: str, threads: int, most: int) -> Crew:
        """So many threads for work beside the script workers, of which at most `most` pieces may wait."""
        return Crew(name, threads, most)

    def before_request(self, function: Callable[[], object]) -> None:
        """Has script workers call `function` with each request in work, before the script's route: for what every
        transaction is watched for.
        """
        self.before.append(function)

    def on_dialog(self, function: Callable[[str, "Dialog"], object]) -> None:
        """Has `function(event, dialog)` called for what happens to dialogs: the events of `sipwright.modules.dialog`.

        It runs in a script worker, with the message in work that it is about, but for dialogs that are read from a database.
        """
        self.dialog_listeners.append(function)

    def call(self, function: Callable[[], object]) -> bool:
        """Has a script worker run a function, with a made-up message in work; may be called from any thread.

        An exception of it is logged. Not in any order with other calls where there are several workers. False when
        there is no engine, or when so many calls wait that this one is dropped, which is logged and counted.
        """
        return self._calls is not None and self._calls.add(function)

    def event(self, callback: str, event: str) -> bool:
        """Has a script worker run the event route `callback(msg, event)` of the handler with a made-up message.

        False when there is none to run (`callback` is empty), and as `call`.
        """
        return callback != "" and self.call(lambda: self.run_route(callback, event))

    def run_route(self, callback: str, event: str) -> bool:
        """Runs `callback(msg, event)` of the handler at once with the message in work, in a function that `call` runs.

        What the function has set before (AVPs, variables of its module) the route sees. False when `callback` is empty
        or the route raised or does not exist, which is logged and counted as a script error.
        """
        worker = current_worker()
        return callback != "" and worker is not None and worker.run_route(callback, event)

    def count(self, source: Callable[[], Mapping[str, int]]) -> None:
        """Adds the counters that `source` returns, by name, to those of `core.stats`."""
        self._counters.append(source)

    def variable(self, name: str, get: Getter, set: Setter | None = None) -> None:
        """Registers the pseudo-variable `$name`: `get(inner name, index or None)`, `set(inner name, value)`."""
        self.variables.add(name)
        _engine.register_pv(name, get, set)

    def database(self, url: str = "") -> "Database":
        """The database of a URL, one object for each; without one that of `database.url`, by default an SQLite file of ours.

        It connects when it is first used, and ends after the modules, whose last writes it does. Raises DatabaseError
        for a URL that is not understood or whose driver is not installed.
        """
        text = url or self.settings.database.url
        found = self._databases.get(text)
        return found if found is not None else self._make_database(text)

    def _make_database(self, text: str) -> "Database":
        from sipwright.storage.database import Database
        from sipwright.storage.urls import read_url

        # Workers come here together when a module first needs it: of two objects one would never be closed, and what
        # waits in it would be lost. Nothing is asked of the database under the lock.
        with self._opening:
            found = self._databases.get(text)
            if found is None:
                data_dir = self.settings.data_dir or default_data_dir()
                target = read_url(text or f"sqlite://{(data_dir / DATABASE_FILE).absolute()}")
                found = Database(target, data_dir, self.settings.database, make_tables=not text)
                if self.engine is not None:
                    found.start()
                self._databases[text] = found
            return found

    def counters(self) -> dict[str, int]:
        """All counters that modules have."""
        return {name: value for source in self._counters for name, value in source().items()}

    def database_problems(self) -> list[str]:
        """The databases in use that do not answer and whose writes are not kept in a file meanwhile."""
        databases = list(self._databases.values())
        return [f"the database {one.name} does not answer" for one in databases if one.is_away and one.is_spool_full]

    def configure(self, modules: Iterable[str] = PYTHON_MODULES) -> None:
        """Calls `configure` of each module that has one, after what belongs to no module."""
        selects.register(self)
        for name in modules:
            configure = getattr(importlib.import_module(f"sipwright.kemi.{name}"), "configure", None)
            if configure is not None:
                configure(self)

    def close(self) -> None:
        """Ends the modules; an error of one does not keep the others from ending."""
        while self._ends:
            action = self._ends.pop()
            try:
                action()
            except Exception as error:
                log.error(f"stop: {getattr(action, '__qualname__', action)}: {type(error).__name__}: {error}")
        while self._databases:
            self._databases.popitem()[1].close()

    def _count_calls(self) -> dict[str, int]:
        calls = self._calls
        return {
            "calls_waiting": 0 if calls is None else len(calls),
            "calls_dropped": 0 if calls is None else calls.dropped,
        }

    def _count_databases(self) -> dict[str, int]:
        total = Counter(dict.fromkeys(DATABASE_COUNTERS, 0))
        for database in list(self._databases.values()):
            total.update(database.counters())
        return dict(total)
