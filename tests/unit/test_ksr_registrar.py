"""KSR.registrar on the engine's made-up message: what `lookup` and its kin find and set."""

import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sipwright import _engine
from sipwright._engine import Binding
from sipwright.host import Host
from sipwright.kemi import registrar
from sipwright.modules.usrloc import methods_mask, new_ruid
from sipwright.server import install_ksr
from sipwright.settings import Settings
from sipwright.settings.registrar import RegistrarSettings

BOB = "sip:bob@example.com"


def install(**settings: Any) -> Any:
    install_ksr(Host(Settings(registrar=RegistrarSettings(**settings))))
    return sys.modules["KSR"]


@pytest.fixture
def ksr() -> Iterator[Any]:
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in ("KSR", "Router")}
    _engine.begin_fake()
    yield install()
    _engine.end_fake()
    registrar.configure(Host(Settings()))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("KSR", "Router")]:
        del sys.modules[name]
    sys.modules.update(before)


def bind(uri: str, **more: Any) -> None:
    table = registrar.tables().get("location")
    assert table is not None
    table.put(Binding("bob", uri, int(time.time()) + 60, **{"ruid": new_ruid(), **more}))


def branches(ksr: Any) -> list[str]:
    count = ksr.pv.get("$branch(count)") or 0
    return [ksr.pv.get(f"$(branch(uri)[{index}])") for index in range(count)]


def test_lookup_takes_the_best_contact_and_appends_the_others(ksr: Any) -> None:
    bind("sip:bob@127.0.0.1:1")
    bind("sip:bob@127.0.0.1:2", q=900)
    bind("sip:bob@127.0.0.1:3", q=500)
    assert ksr.registrar.lookup_uri("location", BOB) == 1
    assert ksr.pv.get("$ru") == "sip:bob@127.0.0.1:2"
    assert branches(ksr) == ["sip:bob@127.0.0.1:3", "sip:bob@127.0.0.1:1"]


def test_lookup_uses_the_request_uri(ksr: Any) -> None:
    bind("sip:bob@127.0.0.1:1")
    assert ksr.registrar.lookup("location") == -1
    ksr.seturi("sip:BOB@anywhere.example;user=phone")
    assert ksr.registrar.lookup("location") == 1
    assert ksr.pv.get("$ru") == "sip:bob@127.0.0.1:1"


def test_forking_can_be_turned_off(ksr: Any) -> None:
    ksr = install(append_branches=False)
    bind("sip:bob@127.0.0.1:1")
    bind("sip:bob@127.0.0.1:2")
    assert ksr.registrar.lookup_uri("location", BOB) == 1
    assert branches(ksr) == []


def test_a_nat_or_a_path_is_the_next_hop(ksr: Any) -> None:
    bind("sip:bob@10.0.0.1", received="sip:192.0.2.1:4000")
    ksr.registrar.lookup_uri("location", BOB)
    assert ksr.pv.get("$du") == "sip:192.0.2.1:4000"
    ksr.registrar.unregister("location", BOB)
    bind("sip:bob@10.0.0.1", received="sip:192.0.2.1:4000", path="<sip:p1.example.com;lr>,<sip:p2.example.com;lr>")
    ksr.registrar.lookup_uri("location", BOB)
    assert ksr.pv.get("$du") == "sip:p1.example.com;lr"


def test_branch_flags_come_back_with_the_contact(ksr: Any) -> None:
    bind("sip:bob@10.0.0.1", cflags=1 << 6)
    assert not ksr.isbflagset(6)
    ksr.registrar.lookup_uri("location", BOB)
    assert ksr.isbflagset(6)


def test_contacts_that_do_not_allow_the_method_are_skipped(ksr: Any) -> None:
    ksr = install(method_filtering=True)
    bind("sip:bob@127.0.0.1:1", methods=methods_mask("INVITE"))
    assert ksr.pv.get("$rm") == "OPTIONS"
    assert ksr.registrar.lookup_uri("location", BOB) == -2
    bind("sip:bob@127.0.0.1:2", methods=methods_mask("OPTIONS"))
    bind("sip:bob@127.0.0.1:3")
    assert ksr.registrar.lookup_uri("location", BOB) == 1
    assert [ksr.pv.get("$ru"), *branches(ksr)] == ["sip:bob@127.0.0.1:2", "sip:bob@127.0.0.1:3"]


def test_lookup_to_dset_leaves_the_request_uri(ksr: Any) -> None:
    bind("sip:bob@127.0.0.1:1")
    before = ksr.pv.get("$ru")
    assert ksr.registrar.lookup_to_dset("location", BOB) == 1
    assert (ksr.pv.get("$ru"), branches(ksr)) == (before, ["sip:bob@127.0.0.1:1"])


def test_registered_and_unregister(ksr: Any) -> None:
    bind("sip:bob@127.0.0.1:1", ruid="r1")
    bind("sip:bob@127.0.0.1:2", ruid="r2")
    assert ksr.registrar.registered_uri("location", BOB) == 1
    assert ksr.registrar.registered("location") == -1
    assert ksr.registrar.unregister_ruid("location", BOB, "r1") == 1
    assert ksr.registrar.unregister_ruid("location", BOB, "r1") == -3
    table = registrar.tables().get("location")
    assert table is not None
    assert [one.ruid for one in table.bindings("bob")] == ["r2"]
    assert ksr.registrar.unregister("location", BOB) == 1
    assert ksr.registrar.registered_uri("location", BOB) == -1
    assert ksr.registrar.unregister("location", BOB) == 1
    assert ksr.registrar.unregister("location", "no uri") == -1
    assert ksr.registrar.lookup_uri("location", "no uri") == -3


def test_an_expired_contact_is_not_found(ksr: Any) -> None:
    table = registrar.tables().get("location")
    assert table is not None
    table.put(Binding("bob", "sip:bob@127.0.0.1:1", int(time.time()) - 1))
    assert ksr.registrar.lookup_uri("location", BOB) == -1


def test_hash_tables_are_variables_too(ksr: Any) -> None:
    engine = _engine.Engine("{}")
    engine.bind()
    _engine.begin_fake()
    install_ksr(Host(Settings.model_validate({"htable": {"tables": {"a": {}}}})))
    ksr = sys.modules["KSR"]
    assert ksr.pv.sets("$sht(a=>k)", "v")
    assert ksr.htable.sht_get("a", "k") == "v"
    assert ksr.pv.get("$sht(a=>k)") == "v"
    assert ksr.pv.seti("$sht(a=>n)", 5)
    assert ksr.pv.get("$shtinc(a=>n)") == 6
    _engine.end_fake()
    engine.stop()


def test_the_engine_looks_up_by_itself_what_is_plain(ksr: Any) -> None:
    """Python is asked the first time, and again once tables or rules are others."""
    bind("sip:bob@127.0.0.1:1")
    asked: list[str] = []

    def general(table: str) -> int:
        asked.append(table)
        return registrar._lookup_in_general(table)

    _engine.on_lookup(general)
    for _ in range(3):
        ksr.seturi(BOB)
        assert ksr.registrar.lookup("location") == 1
        assert ksr.pv.get("$ru") == "sip:bob@127.0.0.1:1"
    assert asked == ["location"]
    ksr.seturi("sip:nobody@example.com")
    assert ksr.registrar.lookup("location") == -1
    assert asked == ["location"]
    _engine.forget_plain_tables()
    assert ksr.registrar.lookup("location") == -1
    assert asked == ["location"] * 2


def test_errors_of_the_look_up_in_python_are_the_scripts(ksr: Any) -> None:
    def general(table: str) -> int:
        raise RuntimeError(table)

    _engine.on_lookup(general)
    with pytest.raises(RuntimeError, match="location"):
        ksr.registrar.lookup("location")
