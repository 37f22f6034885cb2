"""Properties of the reader of kamailio.cfg: what is written is read, and no text does harm."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipwright.settings import SettingsError
from sipwright.settings.kamailio.statements import KamailioCfg, Word, parse

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{2,8}x", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=20)
NUMBERS = st.integers(-(2**31), 2**31 - 1)
SPACES = st.sampled_from(["", " ", "\n", "\t", " # c \"'/*\n", "\n// }\n", "/* x /* y */ ' \" */", "\n#!KAMAILIO\n"])


def read(text: str, *defines: str) -> KamailioCfg:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "kamailio.cfg"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return parse(path, defines, environ={})


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@st.composite
def assignments(draw: st.DrawFn) -> tuple[str, list[tuple[str, int | str]]]:
    """A text of `group.name = value` statements with comments between their tokens, and what it says."""
    values = draw(st.lists(st.tuples(NAMES, NUMBERS | TEXTS), max_size=6))
    text = ""
    for name, value in values:
        shown = quoted(value) if isinstance(value, str) else str(value)
        end = ";" if draw(st.booleans()) else "\n;"
        text += "".join([draw(SPACES), "g.", name, draw(SPACES), "=", draw(SPACES), shown, draw(SPACES), end])
    return text, [(f"g.{name}", value) for name, value in values]


@QUICK
@given(assignments())
def test_what_is_written_is_read(case: tuple[str, list[tuple[str, int | str]]]) -> None:
    text, expected = case
    assert [(item.name, item.value) for item in read(text).globals] == expected


@QUICK
@given(st.dictionaries(NAMES, TEXTS | NUMBERS, max_size=5), st.data())
def test_defines_stand_for_their_values(defines: dict[str, int | str], data: st.DataObject) -> None:
    lines = [f"#!define {name} {quoted(value) if isinstance(value, str) else value}" for name, value in defines.items()]
    lines += [f"g.v{number} = {name}" for number, name in enumerate(defines)]
    assert [item.value for item in read("\n".join(lines)).globals] == list(defines.values())
    # The same from the command line.
    options = [f"{name}={quoted(value) if isinstance(value, str) else value}" for name, value in defines.items()]
    found = read("\n".join(f"g.v{number} = {name}" for number, name in enumerate(defines)), *options).globals
    assert [item.value for item in found] == list(defines.values())


CONDITION: st.SearchStrategy[list[object]] = st.deferred(lambda: st.lists(STATEMENT, max_size=3))
STATEMENT: st.SearchStrategy[object] = st.integers(0, 99) | st.tuples(
    st.sampled_from(["ifdef", "ifndef"]), st.booleans(), CONDITION, CONDITION
)


def written(statements: list[object]) -> str:
    text = ""
    for statement in statements:
        if isinstance(statement, int):
            text += f"g.v = {statement}\n"
        else:
            assert isinstance(statement, tuple)
            kind, known, then, otherwise = statement
            text += f"#!{kind} {'KNOWN' if known else 'OTHER'}\n{written(then)}#!else\n{written(otherwise)}#!endif\n"
    return text


def counted(statements: list[object]) -> list[int]:
    numbers: list[int] = []
    for statement in statements:
        if isinstance(statement, int):
            numbers.append(statement)
        else:
            assert isinstance(statement, tuple)
            kind, known, then, otherwise = statement
            numbers += counted(then if known is (kind == "ifdef") else otherwise)
    return numbers


@QUICK
@given(CONDITION)
def test_conditions_of_any_depth(statements: list[object]) -> None:
    text = f"#!define KNOWN\n{written(statements)}"
    assert [item.value for item in read(text).globals] == counted(statements)


FRAGMENTS = st.sampled_from(
    [
        *("#!define A ", "#!define A B\n", "#!define B A\n", "#!ifdef A\n", "#!else\n", "#!endif\n", "A", "B", "#!ifexp "),
        *("#!subst \"/a(/b/\"\n", "#!subst \"/a*/b\\1/g\"\n", "#!substdef \"!X!", "#!defenv X\n", "include_file \"kamailio.cfg\"\n"),
        *("listen=", "udp:", "127.0.0.1", "[::1]", ":5060", "advertise ", "name ", "\"", "'", "\\", "/*", "*/", "//", "#", "\n"),
        *("loadmodule \"tm\"\n", "modparam(\"t.*\",\"x\",", "1", ")", "(", "{", "}", "route", "[", "]", "$(x{", "$env(", "=", ";", "."),
        *("socket={bind=", "alias=", "flags ", "cfgengine ", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "\x00"),
    ]
)  # fmt: skip


@QUICK
@given(st.lists(FRAGMENTS | st.text(max_size=5), max_size=25).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SettingsError):
        cfg = read(text.encode("utf-8", "replace").decode())
        assert all(isinstance(item.value, int | str | Word) for item in cfg.globals)
