"""Extended AVPs as modules written in Python work with them."""

from collections.abc import Iterator
from typing import Any

import pytest

from sipwright import _engine


@pytest.fixture(autouse=True)
def message() -> Iterator[None]:
    """A message of its own for each test."""
    _engine.begin_fake()
    yield
    _engine.end_fake()


def test_a_value_with_fields_is_what_a_script_sees() -> None:
    _engine.xavp_set("dst", [("uri", "sip:a@h"), ("weight", 5), ("uri", "sip:older@h")])
    assert _engine.pv_get("$xavp(dst=>uri)") == "sip:a@h"
    assert _engine.pv_get("$xavp(dst=>uri[1])") == "sip:older@h"
    assert _engine.pv_get("$xavp(dst=>weight)") == 5
    assert _engine.xavp_get("dst") == [("uri", "sip:a@h"), ("weight", 5), ("uri", "sip:older@h")]


def test_what_a_script_sets_is_read() -> None:
    _engine.pv_sets("$xavp(a=>b)", "1")
    _engine.pv_seti("$xavp(a[0]=>c)", 2)
    _engine.pv_sets("$xavp(a)", "text")
    assert _engine.xavp_get("a") == "text"
    assert _engine.xavp_get("a", 1) == [("c", 2), ("b", "1")]
    assert _engine.xavp_get("a", -1) == [("c", 2), ("b", "1")]
    assert _engine.xavp_get("a", 2) is None
    assert _engine.xavp_count("a") == 2


def test_values_are_added_at_either_end_and_removed() -> None:
    for name, last in (("first", False), ("second", True), ("third", True), ("zeroth", False)):
        _engine.xavp_add("d", [("uri", name)], last=last)
    assert [_engine.pv_get(f"$xavp(d[{i}]=>uri)") for i in range(5)] == ["zeroth", "first", "second", "third", None]
    assert _engine.xavp_rm("d")
    assert _engine.xavp_rm("d", -1)
    assert not _engine.xavp_rm("d", 2)
    assert [_engine.xavp_get("d", i) for i in range(3)] == [[("uri", "first")], [("uri", "second")], None]
    assert _engine.xavp_rm_all("d") == 2
    assert _engine.xavp_count("d") == 0


def test_setting_replaces_all_values() -> None:
    _engine.xavp_add("a", 1)
    _engine.xavp_add("a", 2)
    _engine.xavp_set("a", "only")
    assert (_engine.xavp_count("a"), _engine.xavp_get("a")) == (1, "only")


def test_lists_in_lists() -> None:
    value: list[tuple[str, Any]] = [("a", [("b", 1), ("c", [("d", "deep")])])]
    _engine.xavp_set("n", value)
    assert _engine.xavp_get("n") == value
    assert _engine.pvx_xavp_getd("n") == [{"a": [{"b": [1], "c": [{"d": ["deep"]}]}]}]


def test_dicts_and_keys_of_values() -> None:
    assert _engine.pvx_xavp_getd("k") is None
    assert _engine.pvx_xavp_get_keys("k", 0) is None
    _engine.xavp_set("k", [("a", "1"), ("b", 2), ("a", "3")])
    _engine.xavp_add("k", "no fields")
    assert _engine.pvx_xavp_getd("k") == [{"a": ["1", "3"], "b": [2]}]
    assert _engine.pvx_xavp_getd_p1("k", 0) is None
    assert _engine.pvx_xavp_getd_p1("k", 1) == {"a": ["1", "3"], "b": [2]}
    assert _engine.pvx_xavp_get_keys("k", 1) == ["a", "b", "a"]


@pytest.mark.parametrize("value", [None, 1.5, b"bytes", [("a",)], [("a", None)], [1]])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        _engine.xavp_set("a", value)  # type: ignore[arg-type]


def test_names_and_depth_are_bounded() -> None:
    with pytest.raises(ValueError, match="name is empty"):
        _engine.xavp_set("", 1)
    with pytest.raises(ValueError, match="name is empty"):
        _engine.xavp_set("a", [("", 1)])
    deep: object = 1
    for _ in range(20):
        deep = [("x", deep)]
    with pytest.raises(ValueError, match="too deep"):
        _engine.xavp_set("a", deep)  # type: ignore[arg-type]
    assert _engine.xavp_count("a") == 0
