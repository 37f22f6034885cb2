"""The pytest plugin: fixtures `sip` and `sip_server`, the marker `sip`, and `--sip-routes`.

Until a test asks for a fixture nothing of the server is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sipwright.testing.coverage import RouteCoverage
    from sipwright.testing.server import VirtualServer

_SERVERS = pytest.StashKey[list["VirtualServer"]]()
_COVERAGE = pytest.StashKey["RouteCoverage"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and ini values of the plugin."""
    group = parser.getgroup("sipwright", "SIP routing scripts")
    group.addoption("--sip-routes", action="store_true", help="Show which routes of the scripts under test ran.")
    group.addoption(
        "--sip-routes-fail-under",
        type=float,
        metavar="PERCENT",
        help="Fail when fewer of the routes ran; shows them too.",
    )
    parser.addini("sip_script", "Routing script under test, relative to the ini file.")
    parser.addini("sip_config", "kamailio.cfg or sipwright.toml of the server under test, relative to the ini file.")
    parser.addini("sip_domain", "Domain of the server under test.")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line(
        "markers", "sip(script=..., config=..., settings=..., domain=..., ...): what the fixture `sip` starts with"
    )


@pytest.fixture
def sip_options() -> dict[str, Any]:
    """What `sip` and `sip_server` start with: arguments of `sipwright.testing.VirtualServer`. Override it in a conftest.py."""
    return {}


@pytest.fixture
def sip_server(
    request: pytest.FixtureRequest, sip_options: dict[str, Any], tmp_path: Path
) -> Iterator[Callable[..., VirtualServer]]:
    """Starts servers under test; its arguments are those of `sipwright.testing.VirtualServer`. One at a time."""
    from sipwright.testing.server import VirtualServer

    servers = request.node.stash.setdefault(_SERVERS, [])
    coverage = _coverage(request.config)

    def start(script: str | Path | None = None, **options: Any) -> VirtualServer:
        for server in servers:
            server.close()
        given = {**_of_ini(request.config), **sip_options, **options}
        if script is not None:
            given["script"] = script
        server = VirtualServer(data_dir=tmp_path, ran=coverage.ran, **given)
        servers.append(server)
        if server.settings.script.path is not None:
            coverage.loaded(server.settings.script.path)
        return server

    try:
        yield start
    finally:
        for server in servers:
            server.close()


@pytest.fixture
def sip(request: pytest.FixtureRequest, sip_server: Callable[..., VirtualServer]) -> VirtualServer:
    """A server under test, by the ini file, `sip_options` and the marker `sip`, the closest first."""
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("sip"))):
        options |= marker.kwargs
    script = options.get("script")
    if script is not None:
        # A marker stands in a test file, so its paths are those of the file's directory.
        options["script"] = request.path.parent / script
    if options.get("config") is not None:
        options["config"] = request.path.parent / options["config"]
    return sip_server(**options)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the ladder to the report of a failed test."""
    report = yield
    servers = item.stash.get(_SERVERS, None)
    if report.failed and servers:
        from sipwright.testing.expect import ExpectationError

        has_story = call.excinfo is not None and call.excinfo.errisinstance(ExpectationError)
        if not has_story:
            report.sections.append(("SIP", servers[-1].story()))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows the routes that ran."""
    config = terminalreporter.config
    coverage = config.stash.get(_COVERAGE, None)
    limit = config.getoption("sip_routes_fail_under")
    if coverage is None or not (config.getoption("sip_routes") or limit is not None):
        return
    terminalreporter.section("SIP routes")
    for line in coverage.lines():
        terminalreporter.write_line(line)
    if limit is not None and coverage.percent() < limit:
        terminalreporter.write_line(f"{coverage.percent():.1f} % of the routes ran, {limit:g} % are wanted", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the session when too few routes ran."""
    coverage = session.config.stash.get(_COVERAGE, None)
    limit = session.config.getoption("sip_routes_fail_under")
    if coverage is not None and limit is not None and coverage.percent() < limit and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _coverage(config: pytest.Config) -> RouteCoverage:
    if _COVERAGE not in config.stash:
        from sipwright.testing.coverage import RouteCoverage

        config.stash[_COVERAGE] = RouteCoverage()
    return config.stash[_COVERAGE]


def _of_ini(config: pytest.Config) -> dict[str, Any]:
    directory = config.inipath.parent if config.inipath else config.rootpath
    found: dict[str, Any] = {}
    for name in ("script", "config"):
        if text := config.getini(f"sip_{name}"):
            found[name] = directory / text
    if domain := config.getini("sip_domain"):
        found["domain"] = domain
    return found
