"""One server from start to stop.

Start: settings -> certificates and keys -> sockets bound -> script loaded (`mod_init`) -> script workers
(`child_init`) -> network and TLS threads begin to accept. Stop is the reverse: stop accepting, drain, stop the
engine's threads, then the workers. A step that fails undoes those before it and says what failed.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, children, log, process
from sipwright.control import ctl, methods
from sipwright.control.background import in_thread
from sipwright.control.http.mounts import HttpContext
from sipwright.control.http.server import HttpServer
from sipwright.control.lock import DataDirLock
from sipwright.control.server import SOCKET_NAME, ControlServer
from sipwright.control.tls import TlsControl
from sipwright.host import Host, Timer
from sipwright.kemi import calls, namespace, router
from sipwright.reloading import LOOK_S, Reader, Reloader, apply
from sipwright.script.profiler import Profiler
from sipwright.script.runtime import Runtime
from sipwright.script.watchdog import Watchdog, stack_of
from sipwright.service.notify import Notifier
from sipwright.settings.engine import to_engine_json
from sipwright.settings.listen import socket_text
from sipwright.settings.model import Settings
from sipwright.syslog import Syslog

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

WATCH_S: Final = 0.1
# What the control loop may be late by anyhow, on a machine that is busy.
SHORTEST_BEAT_MS: Final = 1000
# A worker that is blocked in the script gets that long to come back once the engine has stopped.
WORKER_STOP_S: Final = 2.0
# After this time a script that computes lets another worker have the interpreter. Python's default of 5 ms makes a
# request wait for tens of milliseconds beside two scripts that spin; a route mostly takes less than either.
SWITCH_INTERVAL_S: Final = 0.001
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


class _Stopped(BaseException):
    """A signal asks to stop while the server is still starting."""


class Server:
    """A server with effective settings (`sipwright.settings.effective`); `reread` reads them again, `watches` says that
    changed files of the script and the settings are reloaded.
    """

    def __init__(self, settings: Settings, reread: Reader | None = None, watches: bool = False) -> None:
        assert settings.data_dir is not None
        self.settings = settings
        self.data_dir = settings.data_dir
        self._started_s = time.monotonic()
        self.engine = _engine.Engine(to_engine_json(settings))
        self.host = Host(settings, self.engine)
        self.runtime = Runtime(self.engine, settings.script)
        self.runtime.routes, self.runtime.before = self.host.routes, self.host.before
        self.watchdog = Watchdog(
            self.engine.busy, self.runtime.workers, settings.script.slow_call_ms, settings.script.stall_after_ms
        )
        self.profiler = Profiler(self.runtime.workers)
        self.tls = TlsControl(self, reread)
        self.reloader = Reloader(self, reread)
        self._watches = watches
        self._http = HttpServer(self)
        self._notifier = Notifier()
        self._stop_requested = asyncio.Event()
        self._syslog: Syslog | None = None
        self._is_starting = True
        self._background: set[asyncio.Task[object]] = set()

    def run(self, announce: Callable[["Server"], None]) -> int:
        """Runs until a signal stops it; calls `announce` once it accepts. Returns the exit status.

        Raises DataDirInUse, EngineError, ScriptError or OSError when it cannot start.
        """
        process.check(self.settings.process)
        lock = DataDirLock(self.data_dir)
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        self._handle_early_signals()
        try:
            self._prepare()
            status = asyncio.run(self._control(announce))
        except _Stopped:
            status = 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            process.remove_pid_file(self.settings.process)
            lock.release()
            _engine.flush_log(500)
            if self._syslog is not None:
                self._syslog.close()
        return status

    def reload(self) -> tuple[int, int]:
        """Reloads the script; returns the old and the new version. Raises ScriptError and changes nothing if it fails."""
        with self._telling_of_reload():
            return self.reloader.script()

    def take_over(self, settings: Settings) -> None:
        """Brings settings into force that can change while the server runs."""
        old, self.settings, self.host.settings = self.settings, settings, settings
        apply(self, old, settings)

    def uptime_s(self) -> float:
        """How long it has been running, whatever was done to the wall clock meanwhile."""
        return time.monotonic() - self._started_s

    @property
    def is_draining(self) -> bool:
        """Whether it was told to stop."""
        return self._stop_requested.is_set()

    def dump(self) -> None:
        """Logs counters and the Python stack of every worker."""
        counters = " ".join(f"{name}={value}" for name, value in methods.stats(self).items() if value)
        stacks = "\n".join(f"worker {worker.rank}:\n{stack_of(worker.ident)}" for worker in self.runtime.workers)
        log.notice(f"state: {counters}\n{stacks}")

    def _prepare(self) -> None:
        settings = self.settings
        _engine.set_log_level(log.LEVELS[settings.log.level])
        _engine.set_log_json(settings.log.format == "json")
        _engine.set_strict(settings.script.strict)
        calls.set_strict(settings.script.strict)
        process.prepare(settings.process)
        children.keep_streams_usable()
        install_ksr(self.host)
        # The script may set its own.
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        for text in self.tls.cfg.warnings:
            log.warning(text)
        # Scripts may call them as soon as there are any.
        methods.register(self.host.rpc, self)
        self.host.http.mount(_page)
        ctl.configure(self.host)
        self._http.bind()
        self.engine.bind()
        process.drop_privileges(settings.process, self.data_dir)
        self._syslog = Syslog(settings.log)
        try:
            self.runtime.load()
            self.runtime.start()
            self.engine.start()
        except BaseException:
            self._stop_threads()
            raise
        self._is_starting = False
        # The first thing that a worker does.
        self.host.event(settings.script.event_route, "core:worker-one-init")
        self.runtime.release()

    async def _control(self, announce: Callable[["Server"], None]) -> int:
        loop = asyncio.get_running_loop()
        control = ControlServer(self.host.rpc, self.data_dir / SOCKET_NAME)
        status = 0
        try:
            await control.start()
            self._handle_signals(loop)
            if self.settings.tls.watch_s:
                self.host.every(self.settings.tls.watch_s, self.tls.watch, blocking=True)
            if self._watches:
                self.host.every(LOOK_S, self.reloader.watch(), blocking=True)
            timers = [Timer(WATCH_S, self._watch, blocking=False), *self.host.timers]
            services = [loop.create_task(_run(timer)) for timer in timers]
            services += [loop.create_task(_serve(service)) for service in self.host.services]
            # The first round of the loop counts too: a script may be at work since its workers were released.
            self._watch()
            self._http.watch(loop)
            announce(self)
            self._notifier.ready(self._summary())
            await self._stop_requested.wait()
            log.notice("stopping: no new connections, waiting for work in progress")
            self._notifier.stopping(self.settings.limits.drain_ms / 1000 + WORKER_STOP_S)
            for service in services:
                service.cancel()
            self.engine.beat(0)
        finally:
            status = 0 if await in_thread(self._drain_and_stop) else 1
            await in_thread(self._http.close)
            await control.close()
        return status

    def _watch(self) -> None:
        # The engine notices when this does not come round: a script that keeps the GIL stops it too.
        self.engine.beat(max(self.settings.script.stall_after_ms, SHORTEST_BEAT_MS))
        self.watchdog.tick()
        self.profiler.tick()
        self._notifier.beat()

    def _summary(self) -> str:
        sockets = ", ".join(socket_text(*socket) for socket in self.engine.sockets())
        return f"version {self.runtime.generation} of {self.settings.script.path} serves {sockets}"

    def _in_background(self, action: Callable[[], object]) -> None:
        task = asyncio.get_running_loop().create_task(in_thread(action))
        # The loop itself keeps no more than a weak reference to it.
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _handle_early_signals(self) -> None:
        """Until the control loop runs: a stop ends the start, or the loop as soon as it is there; others wait."""

        def stop(_number: int, _frame: object) -> None:
            self._stop_requested.set()
            if self._is_starting:
                raise _Stopped

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        for number in (signal.SIGHUP, signal.SIGUSR1):
            # Not SIG_IGN, which programs that the script starts would inherit.
            signal.signal(number, lambda _number, _frame: None)

    def _handle_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop_signal)
        loop.add_signal_handler(signal.SIGHUP, self._on_reload_signal)
        loop.add_signal_handler(signal.SIGUSR1, self.dump)

    def _on_stop_signal(self) -> None:
        if self._stop_requested.is_set():
            log.warning("stopping at once")
            self._exit_now(1)
        self._stop_requested.set()

    def _on_reload_signal(self) -> None:
        def reload() -> None:
            with self._telling_of_reload():
                self.reloader.everything()

        self._in_background(reload)

    @contextmanager
    def _telling_of_reload(self) -> Iterator[None]:
        """Tells systemd that the server reloads, and that it is ready again."""
        self._notifier.reloading()
        try:
            yield
        finally:
            self._notifier.ready(self._summary())

    def _drain_and_stop(self) -> bool:
        self.engine.stop_accepting()
        if not self.engine.drain(self.settings.limits.drain_ms):
            log.warning(f"work was still in progress after {self.settings.limits.drain_ms} ms")
        return self._stop_threads()

    def _stop_threads(self) -> bool:
        self.runtime.stopping = True
        self.engine.stop()
        stopped = self.runtime.stop(WORKER_STOP_S)
        self.host.close()
        if stopped:
            return True
        # A thread that is stuck in the script would be met by the interpreter's end in the middle of a call.
        self._exit_now(1)
        return False

    def _exit_now(self, status: int) -> None:
        (self.data_dir / SOCKET_NAME).unlink(missing_ok=True)
        _engine.flush_log(500)
        sys.stdout.flush()
        os._exit(status)


def install_ksr(host: Host) -> None:
    """Makes `import KSR` and `import Router.Logger` work, with the modules that the host configures."""
    host.configure()
    namespace.install(_engine, host.settings.modules)
    router.install()


def _page(context: HttpContext) -> "Iterable[BaseRoute]":
    """The page; imported when somebody asks for it."""
    from sipwright.web.pages import make_routes

    return make_routes(context)


async def _serve(service: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await service()
    except Exception as error:
        log.error(f"{getattr(service, '__qualname__', service)}: {type(error).__name__}: {error}")


async def _run(timer: Timer) -> None:
    while True:
        await asyncio.sleep(timer.seconds)
        try:
            if timer.blocking:
                await in_thread(timer.action)
            else:
                timer.action()
        except Exception as error:
            log.error(f"{getattr(timer.action, '__name__', timer.action)}: {type(error).__name__}: {error}")
