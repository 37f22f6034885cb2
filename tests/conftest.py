"""Fixtures that start real servers; whatever a test starts is stopped, and must stop cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from support import certificates, databases, tables
from support.servers import ROOT, Kamailio, Listen, Server, Sipwright

# Tests of pytest's plugin, and of what the tutorial says of it.
pytest_plugins = ["pytester"]

in_both = pytest.mark.parametrize("kind", ["sipwright", "kamailio"])

_TABLES = pytest.StashKey[tables.Tables]()

SCRIPTS = Path(__file__).parent / "support" / "scripts"


class Start(Protocol):
    """Starts a server with a script: a name in support/scripts, a path, or none for the default script.

    `listen` are protocols, or `proto:host`, on free ports; UDP without any. `settings` and `arguments` are for
    Sipwright only, `kamailio_config` is added to the other's kamailio.cfg.
    """

    def __call__(
        self,
        script: str | Path | None,
        *listen: str,
        kind: str = "sipwright",
        counted: bool = True,
        workers: int = 2,
        settings: Mapping[str, object] | None = None,
        arguments: Sequence[str] = (),
        kamailio_config: str = "",
    ) -> Server: ...


def run(
    start: Start,
    kind: str,
    story: Callable[[Server], Coroutine[None, None, None]],
    *,
    settings: Mapping[str, object] | None = None,
    config: str = "",
) -> Server:
    """Play the story of calls against a server of the kind that runs scripts/tm.py."""
    server = start("tm.py", kind=kind, settings=settings, kamailio_config=config)
    asyncio.run(story(server))
    return server


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers; each is stopped at the end of the test and must exit with 0."""
    numbers = itertools.count(1)
    with contextlib.ExitStack() as stack:

        def start_one(
            script: str | Path | None,
            *listen: str,
            kind: str = "sipwright",
            counted: bool = True,
            workers: int = 2,
            settings: Mapping[str, object] | None = None,
            arguments: Sequence[str] = (),
            kamailio_config: str = "",
        ) -> Server:
            path = SCRIPTS / script if isinstance(script, str) else script
            addresses = [Listen(*text.split(":", 1)) for text in listen or ("udp",)]  # type: ignore[arg-type]
            directory = tmp_path / f"{kind}{next(numbers)}"
            counted = counted and path is not None
            server: Server
            if kind == "kamailio":
                server = Kamailio(path, directory, addresses, workers, counted, extra_config=kamailio_config)
            else:
                server = Sipwright(
                    path, directory, addresses, workers, counted, settings=settings or {}, arguments=arguments
                )
            return stack.enter_context(server)

        yield start_one


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """A test authority and the server certificate it signed."""
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def client_tls(certs: certificates.Certificates) -> ssl.SSLContext:
    """A client that trusts the test authority."""
    return ssl.create_default_context(cafile=str(certs.ca))


@pytest.fixture(scope="session")
def examples() -> Path:
    return ROOT / "examples"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[databases.DatabaseServer]:
    """A PostgreSQL server of the test session's own."""
    with databases.postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[databases.DatabaseServer]:
    """A MariaDB server of the test session's own."""
    with databases.mariadb() as server:
        yield server


@pytest.fixture
def row(request: pytest.FixtureRequest) -> tables.Row:
    """Adds a line to a table that is printed after the tests: `row("starts", mode=2, hangs=0)`."""
    return request.config.stash.setdefault(_TABLES, tables.Tables()).add


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what fails against Kamailio try again: on a busy machine it loses a row or a datagram now and then, which
    says nothing of Sipwright. The summary lists such tests; Sipwright's have one try."""
    for item in items:
        call = getattr(item, "callspec", None)
        if call is not None and call.params.get("kind") == "kamailio":
            item.add_marker(pytest.mark.flaky(reruns=4, reruns_delay=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests measured."""
    for title, lines in terminalreporter.config.stash.get(_TABLES, tables.Tables()).items():
        terminalreporter.section(title)
        terminalreporter.write_line(lines)
