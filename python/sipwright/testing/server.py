"""A server under test: the real engine and the real script host, with a clock and a network that the test turns.

There are no sockets, no threads and no waiting. A test brings what arrives (`phone`, `invite`), the server's work is
done before the call returns, and what leaves is with the phones.
"""

import contextlib
import datetime
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from sipwright import _engine, log
from sipwright.control import methods
from sipwright.host import Host
from sipwright.kemi import calls, namespace
from sipwright.modules.background import Alarm, Crew
from sipwright.reloading import Reloader
from sipwright.script.profiler import Profiler
from sipwright.script.runtime import Runtime
from sipwright.script.watchdog import Watchdog
from sipwright.script.worker import ScriptWorker
from sipwright.server import install_ksr
from sipwright.settings.engine import to_engine_json
from sipwright.testing.arrange import Addresses, read_settings
from sipwright.testing.clock import Clock
from sipwright.testing.expect import ExpectationError
from sipwright.testing.ladder import draw
from sipwright.testing.log import LogLine
from sipwright.testing.network import Network, Packet
from sipwright.testing.phone import Phone, Tls, Way
from sipwright.testing.routes import RouteCall, Routes
from sipwright.testing.timers import InlineCrew, Timers, VirtualAlarm

if TYPE_CHECKING:
    from sipwright.server import Server
    from sipwright.testing.call import Call
    from sipwright.testing.database import MemoryDatabase

START = datetime.datetime(2026, 1, 5, 12, 0, tzinfo=datetime.UTC)


class VirtualServer:
    """A server with a script under test; use it in a `with` statement, or by the fixtures `sip` and `sip_server`.

    `config` is a kamailio.cfg, which names its script, or a sipwright.toml; `settings` are further settings by dotted
    name. `domain` is a name of the server, `hosts` gives host names their addresses, `records` are DNS records as zone
    files write them. `at` is the wall-clock time at the start. Raises SettingsError and ScriptError.
    """

    # KSR, the log and the clock are the process's.
    _open: "ClassVar[VirtualServer | None]" = None

    def __init__(
        self,
        script: str | Path | None = None,
        *,
        config: str | Path | None = None,
        defines: Iterable[str] = (),
        settings: Mapping[str, Any] | None = None,
        domain: str | None = None,
        hosts: Mapping[str, str | Iterable[str]] | None = None,
        records: Iterable[str] = (),
        at: datetime.datetime = START,
        data_dir: Path | None = None,
        raise_errors: bool = True,
        ran: Callable[[Path, str], object] = lambda _path, _name: None,
        fill: "Callable[[str, MemoryDatabase], object] | None" = None,
    ) -> None:
        if VirtualServer._open is not None:
            raise RuntimeError("a VirtualServer is open in this process already: close it first")
        VirtualServer._open = self
        self._own_dir = None if data_dir else Path(tempfile.mkdtemp(prefix="sipwright-test-"))
        self.data_dir = data_dir or cast(Path, self._own_dir)
        self.raise_errors = raise_errors
        self._log: list[LogLine] = []
        self._stubs: list[tuple[ModuleType, str, Any]] = []
        self._is_running = False
        self._fill = fill
        self._closing = contextlib.ExitStack()
        if self._own_dir is not None:
            self._closing.callback(shutil.rmtree, self._own_dir, ignore_errors=True)
        try:
            path, cfg = (None if one is None else Path(one) for one in (script, config))
            self.settings = read_settings(path, cfg, defines, settings or {}, self.data_dir)
            if domain is not None:
                self.settings = self.settings.model_copy(update={"aliases": [domain, *self.settings.aliases]})
            self._start(hosts or {}, list(records), at, ran)
        except BaseException:
            self.close()
            raise

    def _start(
        self,
        hosts: Mapping[str, str | Iterable[str]],
        records: list[str],
        at: datetime.datetime,
        ran: Callable[[Path, str], object],
    ) -> None:
        settings = self.settings
        script = settings.script.path
        assert script is not None
        _engine.set_log_level(max(log.LEVELS[settings.log.level], log.INFO))
        _engine.capture_log(True)
        self._closing.callback(_engine.capture_log, False)
        _engine.set_strict(settings.script.strict)
        calls.set_strict(settings.script.strict)
        addresses = {name: [one] if isinstance(one, str) else list(one) for name, one in hosts.items()}
        resolve = Addresses(addresses).resolve
        self.engine = _engine.Engine.in_memory(
            to_engine_json(settings, resolve, lambda _address: []), round(at.timestamp() * 1_000_000)
        )
        self.engine.bind()
        self._closing.callback(self.engine.stop)
        self.wire = self.engine.wire()
        self._start_us = self.wire.now_us()
        self._clock = Clock(self.wire.now_us, self.wire.wall_us, self._sleep)
        self.routes_seen = Routes(lambda: self.now_s, lambda name: ran(script, name))
        self._timers = Timers(self.wire.now_us)
        self.host = _Host(settings, self.engine)
        self.host.virtual_timers = self._timers
        self.host.fill = self._fill
        self._closing.callback(self.host.close)
        self._names = [
            f"{name} {'AAAA' if ':' in one else 'A'} {one}" for name, all in addresses.items() for one in all
        ]
        self.add_records(*records)
        self.network = Network(self)
        # Modules are to have the test's clock before they are configured.
        namespace.python_functions()
        self._clock.install()
        self._closing.callback(self._clock.remove)
        install_ksr(self.host)
        self.runtime = Runtime(self.engine, settings.script)
        self.runtime.routes, self.runtime.before = self.host.routes, self.host.before
        self.runtime.wrap = self.routes_seen.wrap
        self.watchdog = Watchdog(self.engine.busy, [], settings.script.slow_call_ms, settings.script.stall_after_ms)
        self.profiler = Profiler([])
        self.reloader = Reloader(cast("Server", self), None)
        methods.register(self.host.rpc, cast("Server", self))
        self.runtime.load()
        self._worker = ScriptWorker(self.runtime, 1)
        self._worker.attach()
        self._closing.callback(self._worker.detach)
        self._timers.begin(self.host.timers)
        self.host.event(settings.script.event_route, "core:worker-one-init")
        self.run()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server; what it brought into this process is taken away."""
        for module, name, before in reversed(self._stubs):
            setattr(module, name, before)
        self._stubs.clear()
        self._closing.close()
        if VirtualServer._open is self:
            VirtualServer._open = None

    # The network.

    @property
    def domain(self) -> str:
        """The domain of users: the first alias, else the address of the first socket."""
        for alias in self.settings.aliases:
            words = alias.split(":")
            return words[1] if words[0] in ("udp", "tcp", "tls") and len(words) > 1 else words[0]
        host = self.engine.sockets()[0][1]
        return f"[{host}]" if ":" in host else host

    def phone(
        self,
        name: str,
        *,
        uri: str | None = None,
        address: str | None = None,
        transport: str = "udp",
        source: str | None = None,
        password: str | None = None,
        tls: Tls | None = None,
        register: bool = False,
    ) -> Phone:
        """The phone of that name, made when it is first asked for.

        `address` is its own `ip:port`, `source` where its packets come from if it is behind NAT. With `register` it
        registers, which must be answered with 200.
        """
        found = self.network.phones.get(name)
        if found is None:
            found = self.network.add_phone(
                name, uri or f"sip:{name}@{self.domain}", address, transport, source, password, tls
            )
        if register:
            found.register().expect(200)
        return found

    def peer(self, address: str, *, transport: str = "udp") -> Phone:
        """The peer at an address, `ip:port` or a SIP URI, such as a gateway; what came to it before is there too."""
        return self.network.peer(address, transport)

    def invite(self, caller: Phone | str, to: Phone | str, **more: Any) -> "Call":
        """A call of one phone to another, or to a URI; `more` is what `Phone.invite` takes."""
        phone = self.phone(caller) if isinstance(caller, str) else caller
        return phone.invite(to, **more)

    def uri_of(self, who: Phone | str) -> str:
        """The URI of a phone, of a name of this domain, or a URI as it is."""
        if isinstance(who, Phone):
            return who.uri
        if who in self.network.phones:
            return self.network.phones[who].uri
        if who.lower().startswith(("sip:", "sips:", "tel:")):
            return who
        return f"sip:{who}" if "@" in who else f"sip:{who}@{self.domain}"

    @property
    def packets(self) -> list[Packet]:
        """Everything that was sent and received, in order."""
        return self.network.packets

    def unreachable(self, address: str, on: bool = True) -> None:
        """Has datagrams to an address answered by ICMP, and connections to it refused, from now on."""
        self.network.set_unreachable(address, on)

    def add_records(self, *records: str) -> None:
        """Makes DNS records known, as zone files write them: `gw.example.com A 192.0.2.9`."""
        self._names += records
        self.wire.set_records(self._names)

    # Time.

    def uptime_s(self) -> float:
        """The same for `core.uptime`."""
        return self.now_s

    @property
    def now_s(self) -> float:
        """Seconds since the start of the test."""
        return (self.wire.now_us() - self._start_us) / 1e6

    def advance(self, seconds: float) -> None:
        """Lets time pass: timers run out in their order, and what comes of each is done before the next."""
        target = self.wire.now_us() + round(seconds * 1e6)
        earliest = self.wire.now_us()
        while (due := self._next_us()) is not None and (at := max(due, earliest)) <= target:
            self._turn_to(at)
            # Timers are of milliseconds: one that is set anew for now must not stop the clock.
            earliest = at + 1000
        self._turn_to(target)

    def next_timer(self) -> float | None:
        """Seconds until the next timer of a transaction runs out; None if none runs."""
        due = self.wire.next_timer_us()
        return None if due is None else max(0.0, (due - self.wire.now_us()) / 1e6)

    def advance_to_next_timer(self) -> float:
        """Lets time pass until the next timer of a transaction has run out; how many seconds that was."""
        seconds = self.next_timer()
        if seconds is None:
            raise ExpectationError(f"no timer runs\n{self.story()}")
        self.advance(seconds)
        return seconds

    # What the script did.

    @property
    def routes(self) -> list[str]:
        """Names of the script's routes that ran, in order."""
        return [call.name for call in self.routes_seen.calls]

    @property
    def route_calls(self) -> list[RouteCall]:
        """The same with what each ran for, and the values of watched variables."""
        return self.routes_seen.calls

    @property
    def events(self) -> list[str]:
        """Names of the events that event routes ran for, in order."""
        return [call.event for call in self.routes_seen.calls if call.event is not None]

    def watch(self, *variables: str) -> None:
        """Has these pseudo-variables read whenever a route ends, for `route_calls[...].values`."""
        self.routes_seen.watched += variables

    def value(self, variable: str) -> str | int | None:
        """A pseudo-variable outside of any message, such as `$shv(x)` or `$sht(table=>key)`."""
        with _fake():
            return _engine.pv_get(variable)

    def set_value(self, variable: str, value: str | int) -> None:
        """Sets such a variable."""
        with _fake():
            done = _engine.pv_seti(variable, value) if isinstance(value, int) else _engine.pv_sets(variable, value)
        if done != 1:
            raise ValueError(f"{variable} cannot be set here")

    @property
    def script(self) -> ModuleType:
        """The script's module, with its globals."""
        return self.runtime.main.module

    @property
    def handler(self) -> Any:
        """The object that `mod_init` returned."""
        return self.runtime.main.handler

    def stub(self, name: str, result: Any = 1) -> "list[tuple[Any, ...]]":
        """Replaces a KSR function, named without `KSR.`, by one that returns `result`, or what `result` returns if it is a
        function. The list that is returned has the arguments of each call. For what a test must not reach: media
        relays, HTTP servers.
        """
        part, _, last = name.rpartition(".")
        module = sys.modules[f"KSR.{part}" if part else "KSR"]
        before = getattr(module, last)
        seen: list[tuple[Any, ...]] = []

        def stubbed(*args: Any) -> Any:
            seen.append(args)
            return result(*args) if callable(result) else result

        self._stubs.append((module, last, before))
        setattr(module, last, stubbed)
        return seen

    @property
    def log(self) -> list[LogLine]:
        """Log lines so far, of the script and of the server."""
        self._log += [LogLine(level, text) for level, text in _engine.take_log()]
        return self._log

    def logged(self, text: str) -> bool:
        """Whether a log line contains the text."""
        return any(text in line.text for line in self.log)

    # State of modules.

    @property
    def database(self) -> "MemoryDatabase":
        """The database of modules that name none; `host.database(url)` is that of a URL. All are in memory."""
        return self.host.database()

    def add_user(self, username: str, password: str, domain: str | None = None) -> None:
        """Adds a user to the table `subscriber`, for auth_db: with the password, and with HA1 (MD5) for the realm `domain`."""
        from sipwright.modules.digest import ha1

        domain = self.domain if domain is None else domain
        self.host.database(self.settings.auth_db.db_url).insert(
            "subscriber",
            username=username,
            domain=domain,
            password=password,
            ha1=ha1("MD5", username, domain, password),
            ha1b=ha1("MD5", f"{username}@{domain}", domain, password),
        )

    def htable(self, name: str) -> dict[str, str | int]:
        """The live items of a hash table."""
        from sipwright.kemi import htable

        for table in htable.tables():
            if table.name == name:
                return {key: value for key, value, _ in table.items(self.wire.now_us() / 1e6)}
        raise KeyError(f"there is no hash table {name}; there are: {', '.join(one.name for one in htable.tables())}")

    def rpc(self, method: str, *params: Any) -> Any:
        """The result of a control method, as `sipwright ctl` shows it; ValueError for an error."""
        answer = self.host.rpc.call_here({"jsonrpc": "2.0", "method": method, "params": list(params)})
        self.run()
        if "error" in answer:
            raise ValueError(answer["error"]["message"])
        return answer["result"]

    def reload(self) -> tuple[int, int]:
        """Loads the script anew, as `app_python.reload` does; the old and the new version."""
        return self.runtime.reload()

    def story(self) -> str:
        """The ladder so far, the routes that ran, and warnings of the log: what failures of expectations show."""
        rungs = [packet.rung for packet in self.packets]
        lines = [draw(rungs), f"routes: {' '.join(self.routes) or 'none'}"]
        lines += [f"log: {line}" for line in self.log if line.level <= log.WARNING][-10:]
        return "\n".join(lines)

    # For phones and the network of the kit.

    def forget(self) -> None:
        """Drops what was sent and received, the routes that ran and the log, for servers that run without an end."""
        self.network.forget()
        self.routes_seen.calls.clear()
        self._log.clear()

    def feed(self, phone: Phone, data: bytes, way: Way | None = None) -> None:
        """Brings bytes of a phone to the server, and has done what comes of them."""
        way = way or phone.way_to_server()
        self.network.bring(phone, data, way)
        self.run()

    def socket_for(self, proto: str, address: tuple[str, int]) -> int:
        """The number of the server's first socket for a protocol and the kind of an address."""
        for number, (name, host, _) in enumerate(self.engine.sockets()):
            if name == proto and (":" in host) == (":" in address[0]):
                return number
        shown = ", ".join(f"{proto}:{host}:{port}" for proto, host, port in self.engine.sockets())
        raise ExpectationError(f"the server does not listen for {proto}; it listens on {shown}")

    def open_connection(self, phone: Phone, socket: int) -> int:
        """Connects a phone by its transport; the number of the connection."""
        return self.network.open_connection(phone, socket)

    def is_connected(self, connection: int) -> bool:
        """Whether a connection is open."""
        return connection in self.network.connections

    def close_connection(self, connection: int) -> None:
        """Has a peer close its connection."""
        self.network.close_connection(connection)
        self.run()

    def run(self) -> None:
        """Does all that is to be done now. Raises the first exception of the script, if `raise_errors` is set."""
        if self._is_running:
            return
        self._is_running = True
        self._clock.install()
        try:
            while True:
                self._worker.serve()
                if not self.network.carry():
                    break
        finally:
            self._is_running = False
        if self.raise_errors and self.routes_seen.errors:
            error = self.routes_seen.errors.pop(0)
            self.routes_seen.errors.clear()
            raise error

    def _turn_to(self, now_us: int) -> None:
        self.wire.turn_clock(now_us)
        self.wire.run_timers()
        self._timers.run()
        self.run()

    def _next_us(self) -> int | None:
        due = self.wire.next_timer_us()
        of_modules = self._timers.next_us()
        return of_modules if due is None else due if of_modules is None else min(due, of_modules)

    def _sleep(self, seconds: float) -> None:
        """A script sleeps: time passes, but nothing else is done, as with one worker."""
        self.wire.turn_clock(self.wire.now_us() + round(seconds * 1e6))


class _Host(Host):
    """A host whose databases are in memory, and which has no threads."""

    virtual_timers: Timers
    # Called once with each database and its URL, before anybody reads it.
    fill: "Callable[[str, MemoryDatabase], object] | None" = None

    def alarm(self, name: str, most: int) -> Alarm:
        """One of virtual time."""
        return VirtualAlarm(name, most, self.virtual_timers)

    def crew(self, name: str, threads: int, most: int) -> Crew:
        """One that does its work at once."""
        return InlineCrew(name, threads, most)

    def database(self, url: str = "") -> "MemoryDatabase":
        """A database in memory for each URL."""
        from sipwright.testing.database import MemoryDatabase

        text = url or self.settings.database.url
        found = self._databases.get(text)
        if found is None:
            assert self.settings.data_dir is not None
            found = MemoryDatabase(self.settings.data_dir, self.settings.database)
            self._databases[text] = found
            if self.fill is not None:
                self.fill(text, found)
        return cast(MemoryDatabase, found)


@contextlib.contextmanager
def _fake() -> Iterator[None]:
    _engine.begin_fake()
    try:
        yield
    finally:
        _engine.end_fake()
