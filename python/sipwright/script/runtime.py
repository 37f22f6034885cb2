"""Runs the routing script: its workers, its reload and its end."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sipwright import log
from sipwright.script.instance import ONSEND_ROUTE, RANK_MAIN, REPLY_ROUTE, REQUEST_ROUTE, Instance
from sipwright.script.watchdog import stack_of
from sipwright.script.worker import ScriptWorker
from sipwright.settings.model import ScriptSettings

if TYPE_CHECKING:
    from sipwright._engine import Engine
    from sipwright.host import Route


class Runtime:
    """The script and its workers.

    `generation` counts the versions that were loaded; a worker whose own number is older adopts the new version
    before its next message.
    """

    def __init__(self, engine: "Engine", settings: ScriptSettings) -> None:
        self.engine = engine
        self.settings = settings
        self.answers_errors = settings.on_error == "500"
        # Routes of modules, by name.
        self.routes: dict[str, Route] = {}
        # Routes that come before another one and may drop its message, each with the name of its event.
        self.guards = _guards(settings)
        # What modules do with each request before the script's route.
        self.before: list[Callable[[], object]] = []
        # What workers run in the handler's place; tests note the calls.
        self.wrap: Callable[[Any], Any] = lambda handler: handler
        self.generation = 1
        # How often a worker kept the version before, since its `child_init` failed.
        self.failed_adoptions = 0
        self.go = threading.Event()
        self.stopping = False
        self.workers: list[ScriptWorker] = []
        self._reloading = threading.Lock()
        self.main: Instance

    @property
    def is_shared(self) -> bool:
        """Whether all workers use one instance of the script."""
        return self.settings.isolation == "shared"

    def load(self) -> None:
        """Loads the script, runs `mod_init` and `child_init(0)` in the calling thread. Raises ScriptError."""
        self.main = self._loaded(self.settings)

    def start(self) -> None:
        """Starts the workers and waits until each has done its `child_init`; raises the first ScriptError.

        No worker takes a message before `release` is called.
        """
        for rank in range(1, self.settings.workers + 1):
            worker = ScriptWorker(self, rank)
            self.workers.append(worker)
            worker.start()
            # One after another, so that logs and errors come in order.
            worker.ready.wait()
            if worker.error:
                raise worker.error

    def release(self) -> None:
        """Lets the workers take messages."""
        self.go.set()

    def reload(self, settings: ScriptSettings | None = None) -> tuple[int, int]:
        """Loads the script anew, with other settings if they are given, and has the workers change to it; returns the old
        and the new version number.

        Raises ScriptError, and everything stays as it was, when loading, `mod_init` or `child_init(0)` fails.
        """
        with self._reloading:
            old = self.generation
            settings = settings or self.settings
            self.main = self._loaded(settings)
            self.settings, self.guards = settings, _guards(settings)
            self.generation = old + 1
            log.notice(f"script {settings.path} reloaded, version {self.generation}")
            return old, self.generation

    def stop(self, limit_s: float) -> bool:
        """Waits until the workers have ended, which they do once the engine stops; False when some still run."""
        self.stopping = True
        self.go.set()
        deadline = time.monotonic() + limit_s
        for worker in self.workers:
            # A signal may have come just before it was started.
            with contextlib.suppress(RuntimeError):
                worker.join(max(0.0, deadline - time.monotonic()))
        stuck = [worker for worker in self.workers if worker.is_alive()]
        for worker in stuck:
            log.error(f"worker {worker.rank} does not come back from the script:\n{stack_of(worker.ident)}")
        return not stuck

    def _loaded(self, settings: ScriptSettings) -> Instance:
        instance = Instance.load(settings)
        instance.child_init(RANK_MAIN)
        if not instance.has_route(REQUEST_ROUTE):
            # As in Kamailio: it may be meant for events only. Each request is then answered with 500.
            log.error(f"{settings.path}: the handler has no method {REQUEST_ROUTE}(msg): no request will be routed")
        for_replies = instance.needs_route(REPLY_ROUTE) or REPLY_ROUTE in _guards(settings)
        self.engine.set_routes(for_replies, instance.needs_route(ONSEND_ROUTE))
        instance.modules.publish()
        return instance


def _guards(settings: ScriptSettings) -> dict[str, list[tuple[str, str | None]]]:
    guards: dict[str, list[tuple[str, str | None]]] = {}
    if settings.received_route:
        guards = {route: [(settings.received_route, None)] for route in (REQUEST_ROUTE, REPLY_ROUTE)}
    if settings.pre_routing:
        guards.setdefault(REQUEST_ROUTE, []).append((settings.pre_routing, "core:pre-routing"))
    return guards
