"""Queues, chance, locks, counters, programs, JSON, the journal: small modules with Kamailio's results."""

import importlib
import json
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pydantic import ValidationError

from sipwright import _engine
from sipwright.control.rpc import RpcError
from sipwright.host import Host
from sipwright.kemi import (
    cfgutils,
    corex,
    counters,
    debugger,
    kex,
    log_systemd,
    mqueue,
    pv,
    rtimer,
    sipjson,
    statistics,
)
from sipwright.modules.background import Alarm, Crew
from sipwright.settings import Settings
from sipwright.settings.errors import SettingsError
from sipwright.settings.requests import PvSettings
from sipwright.settings.small import CountersSettings, MqueueSettings, RtimerSettings
from support.process import wait_until

programs = importlib.import_module("sipwright.kemi.exec")
later = importlib.import_module("sipwright.kemi.async")


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    settings = Settings(
        mqueue=MqueueSettings(mqueue=["name=q;size=3"]),
        pv=PvSettings(shvset=["n=i:7", "t=s:x"]),
        counters=CountersSettings(script_counter=["calls calls so far", "a.b:"], variable=["old"]),
    )
    host = Host(settings)
    for module in (mqueue, cfgutils, counters, kex, programs, pv):
        module.configure(host)
    _engine.begin_fake()
    yield
    _engine.end_fake()
    for module in (mqueue, cfgutils, counters, kex, programs, pv):
        module.configure(Host(Settings()))


def test_queues() -> None:
    assert [mqueue.mq_size("q"), mqueue.mq_size("no"), mqueue.mq_fetch("q"), mqueue.mq_fetch("no")] == [0, -1, -2, -1]
    assert mqueue.mq_add("no", "a", "b") == -1
    assert [mqueue.mq_add("q", f"k{n}", f"v{n}") for n in range(5)] == [1] * 5
    assert (mqueue.mqk_get("q"), mqueue.mqk_gete("q"), mqueue.mqv_getw("q")) == (None, "", "<null>")
    assert [(mqueue.mq_fetch("q"), mqueue.mqk_get("q"), mqueue.mqv_get("q")) for _ in range(4)] == [
        (1, "k2", "v2"),
        (1, "k3", "v3"),
        (1, "k4", "v4"),
        (-2, None, None),
    ]
    mqueue.mq_add("q", "k", "v")
    assert mqueue.get_size("q") == {"name": "q", "size": 1}
    assert mqueue.fetch("q") == {"key": "k", "val": "v"}
    with pytest.raises(RpcError, match="Empty queue"):
        mqueue.fetch("q")
    with pytest.raises(RpcError, match="No such queue"):
        mqueue.get_size("no")
    assert mqueue.mq_pv_free("q") == 1


def test_chance() -> None:
    assert cfgutils.rand_get_prob() == 10
    assert [cfgutils.rand_set_prob(0), cfgutils.rand_event()] == [1, -1]
    assert [cfgutils.rand_set_prob(100), cfgutils.rand_event()] == [1, 1]
    assert [cfgutils.rand_set_prob(101), cfgutils.rand_get_prob()] == [-1, 100]
    assert [cfgutils.rand_reset_prob(), cfgutils.rand_get_prob()] == [1, 10]


def test_the_core_hash_is_kamailios() -> None:
    cases = [("abc", "def", 16), ("abc", "", 0), ("", "", 8), ("x", "y", 3), ("x", "y", -3)]
    assert [cfgutils.core_hash(*case) for case in cases] == [22898, 1, 1, 6, 2]


def test_locks_belong_to_a_worker() -> None:
    assert cfgutils.lock("a") == 1
    found: list[int] = []
    other = threading.Thread(target=lambda: found.extend([cfgutils.trylock("a"), cfgutils.unlock("a")]))
    other.start()
    other.join()
    assert found == [-1, -1]
    assert [cfgutils.unlock("a"), cfgutils.unlock("a")] == [1, -1]
    assert [cfgutils.lock_key2("a", "b"), cfgutils.trylock_key2("a", "b"), cfgutils.unlock_key2("a", "b")] == [1, 1, 1]
    assert cfgutils.unlock_key2("a", "b") == 1


def test_shared_variables() -> None:
    assert pv.shv_get() == {
        "items": [
            {"shv": {"name": "n", "type": "int", "value": 7}},
            {"shv": {"name": "t", "type": "string", "value": "x"}},
        ]
    }
    assert pv.shv_set("n", "int", "9") == "Ok. Variable set to new value."
    assert pv.shv_set("t", "str", 5)
    assert pv.shv_get("n") == {"name": "n", "type": "int", "value": 9}
    assert pv.shv_get("t") == {"name": "t", "type": "string", "value": "5"}
    for call in (
        lambda: pv.shv_get("no"),
        lambda: pv.shv_set("no", "int", 1),
        lambda: pv.shv_set("n", "float", 1),
        lambda: pv.shv_set("n", "int", "x"),
    ):
        with pytest.raises(RpcError):
            call()


def test_files_of_scripts(tmp_path: Path) -> None:
    path = str(tmp_path / "text")
    assert corex.file_read(path) == ""
    assert corex.file_write(path, "h\u00e9llo") == 1
    assert corex.file_read(path) == "h\u00e9llo"
    assert corex.file_write(str(tmp_path / "none" / "text"), "x") == -1
    Path(path).write_bytes(b"x" * ((1 << 20) + 1))
    assert corex.file_read(path) == ""


def test_counters() -> None:
    assert [counters.inc("calls"), counters.add("a.b", 5), counters.inc("no"), counters.reset("no")] == [1, 1, -1, -1]
    assert [statistics.update_stat("old", 3), statistics.update_stat("no", 1)] == [1, -1]
    assert counters.counters.all() == {"script.calls": 1, "a.b": 5, "script.old": 3}
    assert statistics.reset_stat("old") == 1
    assert counters.counters.all() == {"script.calls": 1, "a.b": 5, "script.old": 0}
    assert [counters.counters.meaning(name) for name in ("script.calls", "a.b", "none")] == ["calls so far", "", None]


def test_programs() -> None:
    assert [programs.exec_cmd(command) for command in ("true", "false", "exit 3")] == [1, -1, -1]
    assert programs.exec_avp("printf 'a\\nb\\n'") == 1
    assert (_engine.pv_get("$avp(i:1)"), _engine.pv_get("$avp(i:2)")) == ("a", "b")
    assert programs.exec_dset("printf 'sip:x@y\\nsip:z@y\\n'; true") == 1
    assert (_engine.pv_get("$ru"), _engine.pv_get("$br")) == ("sip:x@y", "sip:z@y")
    assert [programs.exec_dset("true"), programs.exec_avp("false")] == [-1, -1]


def test_a_program_gets_the_message(tmp_path: Path) -> None:
    assert programs.exec_msg(f"cat > {tmp_path / 'in'}; env > {tmp_path / 'env'}") == 1
    assert (tmp_path / "in").read_bytes() == _engine.current().raw()
    assert f"SIP_HF_CALLID={_engine.current().call_id}" in (tmp_path / "env").read_text()


def test_the_message_as_json() -> None:
    assert sipjson.sj_serialize("0B", "$avp(j)") == 1
    shown = json.loads(str(_engine.pv_get("$avp(j)")))
    assert list(shown) == [
        "mt",
        "rm",
        "pr",
        "si",
        "sp",
        "Ri",
        "Rp",
        "ru",
        "rU",
        "rd",
        "rp",
        "rs",
        "rr",
        "fU",
        "fd",
        "ua",
        "ci",
        "rb",
    ]
    assert (shown["mt"], shown["rm"], shown["ci"]) == (2, "OPTIONS", _engine.current().call_id)
    assert "rb" not in sj("0")


def sj(mode: str) -> dict[str, object]:
    sipjson.sj_serialize(mode, "$avp(j)")
    found: dict[str, object] = json.loads(str(_engine.pv_get("$avp(j)")))
    return found


def test_lines_for_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(2)
        monkeypatch.setattr(log_systemd, "_SOCKET", str(path))
        assert log_systemd.sd_journal_print("LOG_WARNING", "one\ntwo") == 1
        data = journal.recv(4096)
    assert data.startswith(b"PRIORITY=4\nSYSLOG_IDENTIFIER=sipwright\n")
    assert data.endswith(b"MESSAGE\n\x07\0\0\0\0\0\0\0one\ntwo\n")
    monkeypatch.setattr(log_systemd, "_SOCKET", str(tmp_path / "none"))
    assert log_systemd.sd_journal_print("err", "x") == -1


def test_levels_and_dumps() -> None:
    assert [kex.setdebug(2), kex.resetdebug(), debugger.dbg_pv_dump(), debugger.dbg_pv_dump_ex(1, 2)] == [1] * 4


def test_routes_go_on_only_where_there_is_a_request() -> None:
    assert [later.route("x", 0), later.ms_route("x", -1)] == [-1, -1]
    assert (later.get_data(), later.get_gname()) == (None, "")


def test_timers_call_routes() -> None:
    settings = RtimerSettings(timer=["name=t;interval=250000u;mode=1"], exec=["timer=t;route=tick"])
    host = Host(Settings(rtimer=settings))
    rtimer.configure(host)
    timer = host.timers[-1]
    assert timer.seconds == 0.25
    assert isinstance(timer.action, partial)
    assert timer.action.args == (host, "tick", 0)
    with pytest.raises(SettingsError, match="there is no timer 'x'"):
        rtimer.configure(Host(Settings(rtimer=RtimerSettings(exec=["timer=x;route=tick"]))))


def test_a_timer_of_several_runs_its_routes_as_often() -> None:
    """As Kamailio's processes of a timer do; `$rtimer_worker` tells which one it is."""
    settings = RtimerSettings(
        timer=["name=a;mode=3", "name=b;mode=2;interval=500000u"],
        exec=["timer=a;route=one", "timer=b;route=two"],
        default_interval_s=7,
    )
    host, ran = Host(Settings(rtimer=settings)), []
    rtimer.configure(host)

    def run_route(callback: str, event: str) -> bool:
        ran.append((callback, event, rtimer._worker.number))
        return True

    host.call = lambda function: function() is None  # type: ignore[method-assign]
    host.run_route = run_route  # type: ignore[method-assign]
    for timer in host.timers:
        timer.action()
    assert [timer.seconds for timer in host.timers] == [7, 7, 7, 0.5]
    assert ran == [("one", "rtimer", 0), ("one", "rtimer", 1), ("one", "rtimer", 2), ("two", "rtimer", 0)]
    with pytest.raises(ValidationError, match="mode is no number"):
        RtimerSettings(timer=["name=a;mode=x"])


def test_a_crew_has_bounds_and_ends() -> None:
    crew, held, done = Crew("test", 1, 1), threading.Event(), []
    begun = threading.Event()

    def work() -> None:
        begun.set()
        held.wait(5)
        done.append(1)

    assert crew.do(work)
    assert begun.wait(5)
    assert crew.do(lambda: done.append(2))
    assert not crew.do(lambda: done.append(3))
    held.set()
    wait_until(lambda: done == [1, 2], 5, "both are done")
    assert crew.do(lambda: 1 / 0)
    wait_until(lambda: len(crew) == 0, 5, "an error is logged")
    crew.stop()


def test_an_alarm_keeps_the_order_and_its_bound() -> None:
    alarm, done = Alarm("test", 2), []
    assert alarm.after(0.05, lambda: done.append("second"))
    assert alarm.after(0.01, lambda: done.append("first"))
    assert not alarm.after(0.01, lambda: done.append("none"))
    wait_until(lambda: done == ["first", "second"], 5, "both")
    alarm.stop()
    assert not alarm.after(0.01, lambda: None)
