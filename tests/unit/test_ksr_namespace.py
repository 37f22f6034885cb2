"""The module `KSR`: what scripts see of it, and how Python functions keep Kamailio's call rules."""

import operator
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from sipwright import log
from sipwright.kemi import calls, known, namespace, router, x
from sipwright.kemi.calls import ksr


def engine() -> ModuleType:
    """An engine with four KSR functions."""
    module = ModuleType("engine")
    names = [("core", "info"), ("tm", "t_relay"), ("sl", "send_reply"), ("auth_db", "auth_check")]
    module.__dict__.update(
        ksr_functions=lambda: [(part, name, [], "int", "") for part, name in names],
        core_info=lambda text: 0,
        tm_t_relay=lambda: 1,
        sl_send_reply=lambda code, reason: (code, reason),
        auth_db_auth_check=lambda *args: 1,
        VERSION="1",
        set_log_level=lambda level: None,
    )
    return module


@pytest.fixture
def built() -> Iterator[ModuleType]:
    module = namespace.build(namespace.builtins_of(engine()))
    saved = {name: part for name, part in sys.modules.items() if name == "KSR" or name.startswith("KSR.")}
    sys.modules["KSR"] = module
    yield module
    del sys.modules["KSR"]
    sys.modules.update(saved)


def test_builtins_are_those_that_the_engine_lists(built: ModuleType) -> None:
    assert built.info("x") == 0
    assert built.tm.t_relay() == 1
    assert built.auth_db.auth_check() == 1
    assert namespace.implemented(built) == ["auth_db.auth_check", "info", "sl.send_reply", "tm.t_relay"]


def test_it_is_a_module_as_kamailio_has_it(built: ModuleType) -> None:
    assert isinstance(built, ModuleType)
    assert isinstance(built.tm, ModuleType)
    assert built.__version__ == 1003
    assert built.__dict__["tm"] is built.tm
    assert {"info", "tm", "sl"} <= set(dir(built))
    assert "__getattr__" not in dir(built)
    assert hasattr(built, "tm")
    assert not hasattr(built, "nathelper")
    assert not hasattr(built.tm, "t_relay_to")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nathelper", "KSR.nathelper is known in Kamailio, but not implemented here yet"),
        ("tm.t_newtran", "KSR.tm.t_newtran is known in Kamailio, but not implemented here yet"),
        ("tm.t_rely", "there is no KSR.tm.t_rely; did you mean KSR.tm.t_relay?"),
        ("send_reply", "there is no KSR.send_reply; did you mean KSR.sl.send_reply?"),
    ],
)
def test_a_missing_name_says_whether_it_is_a_typo(built: ModuleType, path: str, expected: str) -> None:
    with pytest.raises(AttributeError) as error:
        operator.attrgetter(path)(built)
    assert str(error.value) == expected


def test_the_table_of_kamailios_functions() -> None:
    assert known.functions()["sl.send_reply"] == known.Signature("int", ("int", "str"))
    assert known.functions()["tm.t_relay"].params == ()
    assert {"tm", "pv", "registrar"} <= known.modules()


def test_python_functions_are_all_known_to_kamailio() -> None:
    for module, functions in namespace.python_functions().items():
        for name in functions:
            assert f"{module}.{name}" in {*known.functions(), *known.NATIVE} or module == "app_python3", (
                f"{module}.{name}"
            )


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(log, "error", lines.append)
    return lines


@ksr("test.put")
def put(key: str, value: int) -> int:
    """Adds."""
    return len(key) + value


def test_extra_arguments_are_ignored_and_bool_is_a_number() -> None:
    assert put("ab", 3, "more", None) == 5
    assert put("ab", True) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("a",), "KSR.test.put takes 2 argument(s), 1 given"),
        ((None, 1), "KSR.test.put argument 1 (key) must be str, not NoneType"),
        (("a", "404"), "KSR.test.put argument 2 (value) must be int, not str"),
        ((b"a", 1), "KSR.test.put argument 1 (key) must be str, not bytes"),
    ],
)
def test_wrong_arguments_are_logged_with_the_place_and_give_false(
    errors: list[str], arguments: tuple[object, ...], expected: str
) -> None:
    assert put(*arguments) is False
    assert len(errors) == 1
    assert errors[0].endswith(f"{expected}; it returns False")
    assert errors[0].startswith(f"{__file__}:")


def test_strict_raises(errors: list[str]) -> None:
    calls.set_strict(True)
    try:
        with pytest.raises(TypeError, match=r"KSR\.test\.put takes 2"):
            put()
    finally:
        calls.set_strict(False)
    assert errors == []


def test_keywords_are_refused() -> None:
    with pytest.raises(TypeError):
        put(key="a", value=1)


def test_modf_runs_functions_by_their_native_name(built: ModuleType, errors: list[str]) -> None:
    assert x.modf("send_reply", "404", "Not Found") == (404, "Not Found")
    assert x.modf("t_relay") == 1
    assert x.modf("sl.send_reply", 500, "x") == (500, "x")
    assert x.modf("no_such_function") == -1
    assert x.modf("send_reply", "abc", "x") == -1
    assert len(errors) == 2


def test_the_modules_of_kamailio_5_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[int, str]] = []
    monkeypatch.setattr(log, "write", lambda level, text: lines.append((level, text)))
    router.install()
    namespace_of_script: dict[str, Any] = {}
    exec(
        "import Router.Logger as Logger\nimport Router.Ranks as Ranks\nimport Router.Core\n"
        "Logger.LM_ERR('a')\nLogger.LM_GEN1(Logger.L_DBG, 'b')\nmain = Ranks.PROC_MAIN",
        namespace_of_script,
    )
    assert lines == [(-1, "a"), (3, "b")]
    assert namespace_of_script["main"] == 0
