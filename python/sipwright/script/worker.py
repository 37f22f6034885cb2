"""A script worker: one thread that takes messages from the engine and runs the script's routes on them."""

import inspect
import threading
from typing import TYPE_CHECKING, Any

from sipwright import _engine, log
from sipwright.script.errors import ScriptError, report
from sipwright.script.instance import REQUEST_ROUTE, Instance

if TYPE_CHECKING:
    from sipwright._engine import Message, Worker
    from sipwright.script.profiler import WorkerProfile
    from sipwright.script.runtime import Runtime

_current = threading.local()


def current_worker() -> "ScriptWorker | None":
    """The script worker that calls; None in other threads."""
    worker: ScriptWorker | None = getattr(_current, "worker", None)
    return worker


def current_handler() -> Any:
    """The handler object of the script worker that calls; None in other threads."""
    worker = current_worker()
    return None if worker is None else worker.handler


class ScriptWorker(threading.Thread):
    """One worker thread; `rank` counts from 1."""

    def __init__(self, runtime: "Runtime", rank: int) -> None:
        # A thread that hangs in the script must not keep the process from ending; see Runtime.stop.
        super().__init__(name=f"script-{rank}", daemon=True)
        self.runtime = runtime
        self.rank = rank
        self.ready = threading.Event()
        self.error: ScriptError | None = None
        self.generation = 0
        self.handler: Any = None
        # Set by the profiler while it is on.
        self.profile: WorkerProfile | None = None
        self._instance: Instance | None = None

    def run(self) -> None:
        """Prepares the script, waits until all workers are ready, then serves until the engine stops."""
        try:
            self.attach()
        except ScriptError as error:
            self.error = error
            return
        except _engine.BindError as error:
            # The engine stopped first: a signal at start.
            self.error = ScriptError(str(error))
            return
        finally:
            self.ready.set()
        self.runtime.go.wait()
        if not self.runtime.stopping:
            self.serve()

    def attach(self) -> None:
        """Makes the calling thread the worker's, and prepares the script for it. Raises ScriptError."""
        _current.worker = self
        # Kept by the thread alone, which it must not outlive.
        port = _current.port = self.runtime.engine.worker(self.rank)
        self._use(port, self._prepared(), self.runtime.generation)

    def detach(self) -> None:
        """Gives the calling thread, which goes on, back."""
        _current.port.set_handler(None)
        del _current.worker, _current.port

    def serve(self) -> None:
        """Runs routes until the engine stops, with an engine in memory until there is nothing more to do."""
        port: Worker = _current.port
        take, runtime = port.next, self.runtime
        while (message := take()) is not None:
            if self.generation != runtime.generation:
                self._adopt(port)
            profile = self.profile
            if profile is not None:
                profile.left -= 1
                if profile.left <= 0:
                    profile.follow(self._handle, port, message)
                    continue
            self._handle(port, message)

    def _handle(self, port: "Worker", message: "Message") -> None:
        """Runs the route of a message."""
        runtime = self.runtime
        if runtime.guards and message.event is None and not self._admitted(port, message):
            return
        method: Any = getattr(self.handler, message.callback, None) or runtime.routes.get(message.callback)
        if method is None:
            self._missing(port, message)
            return
        try:
            if message.event is None:
                if runtime.before and message.callback == REQUEST_ROUTE:
                    for function in runtime.before:
                        function()
                method(message)
            else:
                call_for_event(method, message, message.event)
        except SystemExit:
            pass  # exit() and sys.exit() end the route, as in Kamailio
        except BaseException as error:
            self._failed(port, message, error)

    def _admitted(self, port: "Worker", message: "Message") -> bool:
        """Runs the routes that come before the one of a message of the network; False when one of them dropped it, or
        raised.
        """
        for callback, event in self.runtime.guards.get(message.callback, ()):
            method = getattr(self.handler, callback, None)
            if method is None:
                log.error(f"{self.runtime.settings.path}: {self._lacks(callback)} ({describe(message)})")
                continue
            try:
                method(message) if event is None else call_for_event(method, message, event)
            except SystemExit:
                pass
            except BaseException as error:
                self._failed(port, message, error)
                return False
            if _engine.take_drop():
                if message.callback != REQUEST_ROUTE:
                    # What follows is the engine's: it does not forward the response.
                    _engine.core_set_drop()
                return False
        return True

    def run_route(self, callback: str, event: str) -> bool:
        """Runs a method of the handler with the message in work and the name of an event, in the middle of a call of
        `sipwright.script.calls`. False if it raised, which is logged, or does not exist.
        """
        message = _engine.current()
        method = getattr(self.handler, callback, None)
        if method is None:
            log.error(f"{self.runtime.settings.path}: {self._lacks(callback)} (event {event})")
            _current.port.failed(False)
            return False
        try:
            call_for_event(method, message, event)
        except SystemExit:
            pass
        except BaseException as error:
            report(f"{callback} (event {event})", error)
            _current.port.failed(False)
            return False
        return True

    def _lacks(self, callback: str) -> str:
        return f"the handler {type(self.handler).__name__} has no method {callback}"

    def _prepared(self) -> Instance:
        """The instance for this worker, of the runtime's version, with `child_init` done."""
        main = self.runtime.main
        instance = main if self.runtime.is_shared else Instance.load(main.settings)
        instance.child_init(self.rank)
        return instance

    def _use(self, port: "Worker", instance: Instance, generation: int) -> None:
        handler = self.runtime.wrap(instance.handler)
        port.set_handler(handler)
        self._instance, self.handler, self.generation = instance, handler, generation

    def _adopt(self, port: "Worker") -> None:
        """Changes to the reloaded script, between two messages; keeps the last good one if that fails."""
        generation = self.runtime.generation
        self.generation = generation
        try:
            self._use(port, self._prepared(), generation)
        except ScriptError as error:
            self.runtime.failed_adoptions += 1
            log.error(f"reload: worker {self.rank} keeps the previous script: {error}")

    def _missing(self, port: "Worker", message: "Message") -> None:
        text = self._lacks(message.callback)
        if message.required:
            log.error(f"{self.runtime.settings.path}: {text} ({describe(message)})")
            # Without its failure route a transaction ends with the best response, as in Kamailio.
            port.failed(self.runtime.answers_errors and message.callback == "ksr_request_route")
        else:
            log.debug(text)

    def _failed(self, port: "Worker", message: "Message", error: BaseException) -> None:
        report(f"{message.callback} ({describe(message)})", error)
        port.failed(self.runtime.answers_errors)


def call_for_event(method: Any, message: "Message", event: str) -> None:
    """Calls a route with the name of its event. One that takes the message alone gets no more: Kamailio's versions
    differ in whether routes that `t_continue` runs are told.
    """
    code = getattr(getattr(method, "__func__", method), "__code__", None)
    bound = 1 if getattr(method, "__self__", None) is not None else 0
    if code is not None and not code.co_flags & inspect.CO_VARARGS and code.co_argcount - bound < 2:
        method(message)
    else:
        method(message, event)


def describe(message: "Message") -> str:
    """What a log line says of a message: method or status, source and Call-ID."""
    source = message.source
    what = message.Status if message.Type == "SIP_REPLY" else message.Method
    return f"{what} from {source.proto}:{source.ip}:{source.port}, Call-ID {message.call_id}"
