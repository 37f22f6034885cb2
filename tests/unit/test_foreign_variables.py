"""Pseudo-variables of modules written in Python: their getters and setters may work on the message themselves."""

from collections.abc import Iterator

import pytest

from sipwright import _engine


@pytest.fixture(autouse=True)
def message() -> Iterator[None]:
    # variables of modules are there from the engine's sockets on
    engine = _engine.Engine("{}")
    engine.bind()
    _engine.begin_fake()
    yield
    _engine.end_fake()
    engine.stop()


def test_a_getter_reads_and_changes_the_message() -> None:
    def get(inner: str, index: int | None) -> str:
        _engine.xavp_add("seen", inner)
        return f"{_engine.pv_get('$rm')} {_engine.current().call_id} {index}"

    _engine.register_pv("looks", get, None)
    call_id = _engine.pv_get("$ci")
    assert _engine.pv_get("$looks(a)") == f"OPTIONS {call_id} None"
    assert _engine.pv_get("$(looks(b)[2]{s.toupper})") == f"OPTIONS {call_id} 2".upper()
    assert _engine.pv_getvs("$looks($rm)", "none") == f"OPTIONS {call_id} None"
    assert not _engine.pv_is_null("$looks(d)")
    assert [_engine.xavp_get("seen", i) for i in range(5)] == ["d", "OPTIONS", "b", "a", None]


def test_several_in_one_expression_each_have_their_answer() -> None:
    asked: list[str] = []

    def get(inner: str, index: int | None) -> str | None:
        asked.append(inner)
        return None if inner == "null" else inner + inner

    _engine.register_pv("twice", get, None)
    assert _engine.pv_get("$_s($twice(a) $twice(b) $twice(null) $twice(a))") == "aa bb <null> aa"
    assert asked == ["a", "b", "null", "a"]
    assert _engine.pv_get("$twice($twice(c))") == "cccc"


def test_one_within_the_getter_of_another() -> None:
    _engine.register_pv("inside", lambda inner, index: 7, None)
    _engine.register_pv("outside", lambda inner, index: f"<{_engine.pv_get('$inside(x)')}>", None)
    assert _engine.pv_get("$outside(x)") == "<7>"
    assert _engine.pv_get("$_s($outside(x)$inside(y)$outside(z))") == "<7>7<7>"


def test_a_setter_works_on_the_message() -> None:
    def put(inner: str, value: str | int | None) -> bool:
        return value is not None and _engine.pv_sets("$avp(" + inner + ")", str(value))

    _engine.register_pv("puts", lambda inner, index: None, put)
    assert _engine.pv_seti("$puts(x)", 5)
    assert _engine.pv_get("$avp(x)") == "5"
    assert not _engine.pv_unset("$puts(x)")
    assert not _engine.pv_sets("$(puts(x){s.len})", "1")


def test_a_getter_that_fails_is_null() -> None:
    def get(inner: str, index: int | None) -> int:
        raise ValueError(inner)

    _engine.register_pv("fails", get, None)
    assert _engine.pv_get("$fails(x)") is None
    assert _engine.pv_is_null("$fails(x)")
