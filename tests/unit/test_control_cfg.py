"""`cfg.*` and `core.uptime`: settings by group, and what is reset."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from sipwright import _engine
from sipwright.control import cfg, core
from sipwright.control.rpc import RpcError
from sipwright.server import Server
from sipwright.settings import Settings
from sipwright.settings.auth import AuthSettings
from sipwright.settings.lookups import SqlopsSettings
from sipwright.settings.model import LogSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


def server() -> Server:
    settings = Settings(
        log=LogSettings(level="warning"),
        auth=AuthSettings(secret="geheim"),
        sqlops=SqlopsSettings(sqlcon=["cb=>mysql://user:geheim@db/sip"]),
    )
    return cast("Server", SimpleNamespace(settings=settings, _started_s=time.monotonic() - 100))


@pytest.fixture
def level() -> Iterator[None]:
    before = _engine.core_get_debug()
    yield
    _engine.set_log_level(before)


@pytest.mark.usefixtures("level")
def test_a_reset() -> None:
    cfg.change(server(), "core", "debug", "3")
    assert cfg.get(server(), "core", "debug") == cfg.get(server(), "core")["debug"] == 3
    assert cfg.reset(server(), "tm") is None  # type: ignore[func-returns-value]
    assert cfg.get(server(), "core", "debug") == 3
    cfg.reset(server(), "core")
    assert cfg.get(server(), "core", "debug") == 0
    with pytest.raises(RpcError, match="there are no settings nothing"):
        cfg.reset(server(), "nothing")


def test_a_group() -> None:
    shown = cfg.get(server(), "tm")
    assert list(shown) == [line.partition(": ")[2] for line in cfg.names(server(), "tm")]
    assert shown["max_breadth"] == cfg.get(server(), "tm", "max_breadth")
    assert cfg.names(server(), "core")[0] == "core: debug"
    with pytest.raises(RpcError, match="there are no settings nothing"):
        cfg.get(server(), "nothing")


@pytest.mark.parametrize(("group", "name"), [("auth", "secret"), ("sqlops", "sqlcon")])
def test_secrets(group: str, name: str) -> None:
    shown = cfg.get(server(), group)
    assert name not in shown
    assert "geheim" not in str(shown)
    assert len(shown) == len(cfg.names(server(), group)) - 1
    with pytest.raises(RpcError, match="not readable"):
        cfg.get(server(), group, name)


def test_a_wall_clock_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = server()
    monkeypatch.setattr(shown, "uptime_s", lambda: Server.uptime_s(shown), raising=False)
    monkeypatch.setattr(time, "time", lambda: 1_000_000_000.5)
    told, more = core.uptime(shown), core.runinfo(shown)
    assert 100 <= told["uptime"] == more["uptime_secs"] < 200
    assert told["now"] == more["time_now"] == time.ctime(1_000_000_000)
    assert told["up_since"] == more["time_started"] != time.ctime(1_000_000_000)
