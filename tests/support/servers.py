"""Sipwright and Debian's Kamailio as child processes that run the same routing script.

A script given with `counted=True` is wrapped, not changed: each call of its request route first leaves a line in
`route-calls`, so that a test can assert that the Python route ran for its call, in either server.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from support.messages import bracketed
from support.ports import free_port
from support.process import Child, Stop, wait_until
from support.tools import tool

ROOT = Path(__file__).resolve().parents[2]
SIPWRIGHT = ROOT / ".venv" / "bin" / "sipwright"
START_TIMEOUT_S = 15.0

COUNTER = '''"""Runs {script} and notes each call of its request route."""
import os
import sys

import KSR

sys.path.insert(0, {directory!r})
import {module} as inner


def mod_init():
    handler = inner.mod_init()
    kind = type(handler)
    route = kind.ksr_request_route

    def counted(self, msg):
        line = "%s %s\\n" % (KSR.pv.get("$rm"), KSR.pv.get("$ci"))
        out = os.open({calls!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(out, line.encode())
        finally:
            os.close(out)
        return route(self, msg)

    kind.ksr_request_route = counted
    return handler
'''


@dataclass(frozen=True)
class Listen:
    """An address to listen on; port 0 picks a free one before the server starts."""

    proto: str
    host: str = "127.0.0.1"
    port: int = 0

    def reserved(self) -> Listen:
        return self if self.port else Listen(self.proto, self.host, free_port(self.host))

    def __str__(self) -> str:
        host = bracketed(self.host)
        return f"{self.proto}:{host}:{self.port}"


@dataclass
class Server:
    """A server with its directory, its listening addresses and, while it runs, its process."""

    script: Path | None
    directory: Path
    listen: Sequence[Listen] = (Listen("udp"),)
    workers: int = 2
    counted: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    child: Child | None = None

    name = "server"
    start_timeout_s = START_TIMEOUT_S

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.listen = [address.reserved() for address in self.listen]
        if self.counted:
            assert self.script is not None
            self.script = self._counting(self.script)

    def _counting(self, script: Path) -> Path:
        wrapper = self.directory / "counted.py"
        wrapper.write_text(
            COUNTER.format(
                script=script.name,
                directory=str(script.resolve().parent),
                module=script.stem,
                calls=str(self._calls_file),
            )
        )
        return wrapper

    @property
    def _calls_file(self) -> Path:
        return self.directory / "route-calls"

    def route_calls(self, method: str | None = None, call_id: str | None = None) -> int:
        """How often the script's request route ran, for one method and one call if named."""
        if not self._calls_file.exists():
            return 0
        calls = [line.partition(" ") for line in self._calls_file.read_text().splitlines()]
        return sum(
            1 for name, _, call in calls if (method is None or name == method) and (call_id is None or call == call_id)
        )

    def address(self, proto: str, index: int = 0) -> tuple[str, int]:
        """Host and port of the server's socket of that protocol."""
        found = [(a.host, a.port) for a in self.listen if a.proto == proto]
        return found[index]

    def port(self, proto: str, index: int = 0) -> int:
        return self.address(proto, index)[1]

    @property
    def process(self) -> Child:
        assert self.child is not None, "the server is not started"
        return self.child

    def log(self) -> str:
        return self.process.output()

    def argv(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Start the server and wait until it has bound every address."""
        log = self.directory / "server.log"
        env = {**os.environ, **self.env}
        self.child = Child(self.argv(), log, cwd=self.directory, env=env)
        try:
            wait_until(self._ready, self.start_timeout_s, f"{self.name} listening")
        except (TimeoutError, RuntimeError) as error:
            self.child.kill()
            raise RuntimeError(f"{error}\n{log.read_text(errors='replace')[-8000:]}") from None

    def _ready(self) -> bool:
        if not self.process.running():
            raise RuntimeError(f"{self.name} ended with {self.process.popen.returncode} at start:")
        return all(bound(address) for address in self.listen)

    def stop(self, timeout_s: float = 10.0) -> Stop:
        return self.process.stop(timeout_s)

    def assert_clean_stop(self, within_s: float = 2.0) -> None:
        """Stop the server; anything but exit code 0 in time fails with its log."""
        stop = self.stop()
        assert stop.code == 0, f"{self.name} ended with {stop.code}:\n{self.log()[-8000:]}"
        assert stop.seconds <= within_s, f"{self.name} took {stop.seconds:.2f} s to stop"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.child is not None and self.child.running():
            stop = self.stop()
            # A failing test must show its own error, not the stop's.
            assert kind is not None or stop.code == 0, f"{self.name} ended with {stop.code}:\n{self.log()[-8000:]}"


def bound(address: Listen) -> bool:
    """Whether a socket on this machine listens on the address (read from /proc, nothing is sent)."""
    kind = "udp" if address.proto == "udp" else "tcp"
    listening = {"udp": "07", "tcp": "0A"}[kind]
    table = Path(f"/proc/net/{kind}{'6' if ':' in address.host else ''}")
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == listening and int(fields[1].rsplit(":", 1)[1], 16) == address.port:
            return True
    return False


@dataclass
class Sipwright(Server):
    """The server under test: `sipwright run SCRIPT --listen ... --set ...`."""

    settings: Mapping[str, object] = field(default_factory=dict)
    arguments: Sequence[str] = ()

    name = "sipwright"

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    def argv(self) -> list[str]:
        argv = [str(SIPWRIGHT), "run"]
        argv += [str(self.script)] if self.script else []
        for address in self.listen:
            argv += ["--listen", str(address)]
        settings: dict[str, object] = {
            "data_dir": self.data_dir,
            "script.workers": self.workers,
            **self.settings,
        }
        for key, value in settings.items():
            argv += ["--set", f"{key}={value}"]
        return [*argv, *self.arguments]


KAMAILIO_CFG = """#!KAMAILIO
debug={debug}
log_stderror=yes
auto_aliases=no
children={workers}
tcp_children={workers}
{tcp}
{listen}
{modules}
modparam("rr", "enable_full_lr", 1)
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "preload", "location")
modparam("nathelper|registrar", "received_avp", "$avp(RECEIVED)")
modparam("app_python3", "load", "{script}")
cfgengine "python"
"""

KAMAILIO_MODULES = (
    "kex corex tm tmx sl rr pv maxfwd usrloc registrar textops textopsx siputils sanity xlog nathelper path kemix "
    "htable app_python3"
)


KAMAILIO_OPTIONS = ("-DD", "-E", "-x", "fm", "-X", "fm", "-m", "256", "-M", "16")


@dataclass
class Kamailio(Server):
    """Debian's Kamailio with its fast allocators, as the oracle and as the peer of comparisons."""

    debug: int = 0
    extra_config: str = ""
    # Modules that others bind to when they are loaded.
    first_modules: tuple[str, ...] = ()

    name = "kamailio"

    def argv(self) -> list[str]:
        has_tcp = any(address.proto != "udp" for address in self.listen)
        config = KAMAILIO_CFG.format(
            debug=self.debug,
            workers=self.workers,
            tcp="" if has_tcp else "disable_tcp=yes",
            listen="\n".join(f"listen={address}" for address in self.listen),
            modules="\n".join(f'loadmodule "{name}.so"' for name in [*self.first_modules, *KAMAILIO_MODULES.split()]),
            script=self.script,
        )
        path = self.directory / "kamailio.cfg"
        path.write_text(config + self.extra_config)
        return [*self.program(), *KAMAILIO_OPTIONS, "-Y", str(self.directory), "-f", str(path)]

    def program(self) -> list[str]:
        return [tool("kamailio")]

    def __exit__(self, *_: object) -> None:
        # How the oracle ends is not what is tested; under load it now and then waits too long for its own children.
        if self.child is not None and self.child.running():
            self.stop()

    def start(self) -> None:
        super().start()
        # It binds before it forks its workers.
        try:
            wait_until(self._has_workers, self.start_timeout_s, "kamailio's workers started")
        except TimeoutError:
            self.process.kill()
            raise

    def _has_workers(self) -> bool:
        return len(self.process.pids()) > self.workers


@dataclass
class SipwrightByCfg(Kamailio):
    """Sipwright with the kamailio.cfg and the options that Kamailio gets; `settings` are what no kamailio.cfg can say."""

    settings: Mapping[str, object] = field(default_factory=dict)

    name = "sipwright"

    def program(self) -> list[str]:
        assignments = [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        return [str(SIPWRIGHT), "run", *assignments]

    def start(self) -> None:
        Server.start(self)
