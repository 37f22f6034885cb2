"""Defines, conditions, substitutions and includes of kamailio.cfg."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipwright.settings import SettingsError
from sipwright.settings.kamailio.expression import ExpressionError, evaluate
from support.kamailio_cfg import read, values


@pytest.mark.parametrize(
    ("text", "children"),
    [
        ("#!define N 3\nchildren=N", 3),
        ("#!def N 3\nchildren=N", 3),
        ("!!define N 3\nchildren=N", 3),
        ("  #!define\tN\t3  \nchildren=N", 3),
        ("children=1 #!define N 3\nchildren=N", 3),
        ("#!define N 3 # a comment\nchildren=N", 3),
        ("#!define N 1\\\n2\nchildren=N", 12),
        ("#!define N \\\n   4\nchildren=N", 4),
        ("#!define A B\n#!define B 2\nchildren=A", 2),
        ("#!define ALL children = 7; debug = 1;\nALL", 7),
        ("#!trydef N 3\n#!trydefine N 4\nchildren=N", 3),
        ("#!define N 3\n#!redefine N 4\n#!redef N 5\nchildren=N", 5),
        ("#!ifdef N\nchildren=zzz(\n#!else\nchildren=3\n#!endif", 3),
        ("#!ifndef N\nchildren=3\n#!else\nchildren=4\n#!endif", 3),
        ("#!ifdef A\n#!ifdef B\nchildren=1\n#!else\nchildren=2\n#!endif\n#!else\nchildren=3\n#!endif", 3),
        ("#!define B\n#!ifdef A\n#!else\n#!ifdef B\nchildren=2\n#!endif\n#!endif", 2),
        ("#!ifdef A\n##!endif\nchildren=2", 2),
        ("#!ifdef A\nfoo bar #!endif\nchildren=2", 2),
        ("#!ifdef A\n#!else\n#!else\nchildren=9\n#!endif\nchildren=2", 2),
        ("#!ifdef KAMAILIO_5_6\nchildren=2\n#!endif", 2),
        ('#!ifdef MOD_tm\nchildren=9\n#!endif\nloadmodule "tm.so"\n#!ifdef MOD_tm\nchildren=2\n#!endif', 2),
        ("#!ifexp KAMAILIO_VERSION >= 5006000 && !defined_nowhere\nchildren=2\n#!endif", 2),
        ("#!defexp N 2 * (3 + 1) - 10 / 4 % 2\nchildren=N", 8),
        ("#!trydefenv NOT_SET\n#!ifdef NOT_SET\nchildren=3\n#!else\nchildren=2\n#!endif", 2),
        ("#!undef N\nchildren=2", 2),
        ("#!KAMAILIO\n#!OPENSER\n#!ALL\nchildren=2", 2),
    ],
)
def test_children(tmp_path: Path, text: str, children: int) -> None:
    assert values(read(tmp_path, text))["children"] == children


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('#!define N "x"\nlog_name=N', "x"),
        ('#!define N "x"\nlog_name=N "y" N', "xyx"),
        ('#!define N x\nlog_name="N"', "N"),
        ('#!subst "/x/N/"\nlog_name="xx"', "Nx"),
        ('#!subst "/x/N/g"\nlog_name="xxX"', "NNX"),
        ('#!subst "/x/N/gi"\nlog_name="xxX"', "NNN"),
        (r'#!subst "!([a-c]+)-([[:digit:]]+)!\2+\1!"' + '\nlog_name="abc-12"', "12+abc"),
        (r'#!subst "/a\/b/c/"' + '\nlog_name="a/b"', "c"),
        ('#!substdef "!DBURL!mysql://u@h/db!g"\nlog_name="DBURL"', "mysql://u@h/db"),
        ('#!substdefs "!NAME!abc!g"\nlog_name=NAME', "abc"),
        ('#!substdef "!NAME!$env(PUBLIC_IP)!g"\nlog_name="NAME"', "192.0.2.9"),
        ('#!define A 1\n#!substdefs "!NAME!$def(A)!g"\nlog_name=NAME', "1"),
        ('#!define A "1"\n#!substdefs "!NAME!$defs(A)!g"\nlog_name=NAME', "1"),
        ('#!subst "/X/Y/"\n#!substdefs "!X!z!"\nlog_name=Y', "z"),
        ('#!subst "!a\\\\.b!c!"\nlog_name="a.b"', "c"),
        ("#!defenvs HOME\nlog_name=HOME", "/home/sip"),
        ("#!defenvs H=HOME\nlog_name=H", "/home/sip"),
        ("#!trydefenvs HOME\nlog_name=HOME", "/home/sip"),
        ("#!defexps N 1 + 1\nlog_name=N", "2"),
    ],
)
def test_strings(tmp_path: Path, text: str, name: str) -> None:
    assert values(read(tmp_path, text))["log_name"] == name


def test_defines_of_the_command_line(tmp_path: Path) -> None:
    cfg = read(tmp_path, "#!ifdef WITH_X\nchildren=N\nlog_name=S\n#!endif", "WITH_X", "N=3", 'S="text"')
    assert values(cfg) == {"children": 3, "log_name": "text"}


def test_a_comment_in_a_define_ends_the_line(tmp_path: Path) -> None:
    """As in Kamailio, where the define's text is put into the line."""
    cfg = read(tmp_path, "#!define IP 127.0.0.1 # home\nlisten=udp:IP:15999\nchildren=2")
    assert [(line.host, line.port) for line in cfg.sockets] == [("127.0.0.1", None)]
    assert values(cfg) == {"children": 2}


def test_includes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "b.cfg").write_text("children=2\n")
    (tmp_path / "conf.d" / "a.cfg").write_text("children=1\n#!define FROM_A\n")
    text = 'import_file "gone.cfg"\n#!import_file "gone.cfg"\n!!include_file "inner.cfg"\n'
    text += 'include_file "conf.d/*.cfg"\nimport_file "none/*.cfg"\n#!ifdef FROM_A\ndebug=1\n#!endif\n'
    cfg = read(tmp_path, text, inner="children=7")
    assert [item.value for item in cfg.globals] == [7, 1, 2, 1]
    # First from the working directory.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "inner.cfg").write_text("children=8")
    monkeypatch.chdir(elsewhere)
    assert [item.value for item in read(tmp_path, 'include_file "inner.cfg"').globals] == [8]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!define A 1\n#!define A 2", "kamailio.cfg:2: A is defined already; #!redefine changes it"),
        ("#!define", "kamailio.cfg:1: #!define: needs a name"),
        ("#!define A-B 1", "'-' is not allowed in a name"),
        ("#!define A A\nchildren=A", "kamailio.cfg:2: the define A leads back to itself"),
        ("#!define A B\n#!define B A\nchildren=A", "leads back to itself"),
        ("#!define A\nchildren=A\nfork=no", "'=' cannot begin a statement"),
        ("\n#!ifdef A\nchildren=1", "kamailio.cfg:2: the #!ifdef (or #!ifndef, #!ifexp) has no #!endif"),
        ("#!ifdef A\n#!endif\n#!endif", "kamailio.cfg:3: #!endif without an #!ifdef"),
        ("#!ifdef\n#!endif", "#!ifdef: needs a name"),
        ("#!ifexp 1 +\n#!endif", "something is missing at its end"),
        ("#!ifexp (1\n#!endif", "a parenthesis is not closed"),
        ("#!subst /a/b/", "with the quotes"),
        ('#!subst "/a/b"', "must be three parts"),
        ('#!subst "/a/b/x"', "flag 'x' is not known"),
        ('#!subst "/(a/b/"', "is no regular expression"),
        ('#!subst "/a/\\1/"', "names a group"),
        ("#!defenv GONE", "the environment variable GONE is not set; #!trydefenv does without it"),
        ('include_file "gone.cfg"', "kamailio.cfg:1: include_file: there is no file gone.cfg"),
        ("import_file gone", "import_file must be in quotes"),
        ('include_file "kamailio.cfg"', "a file includes itself: "),
        ('include_file "inner.cfg"', "inner.cfg:1: a file includes itself: "),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text, inner='include_file "kamailio.cfg"')
    assert message in str(caught.value)


def test_what_looks_like_a_directive_is_told(tmp_path: Path) -> None:
    cfg = read(tmp_path, "#!ifdf X\n#! define A\n#!else\n# plain\nchildren=1")
    assert [(place.line, text.split(",")[0]) for place, text in cfg.warnings] == [
        (1, "#!ifdf is no directive of Kamailio"),
        (3, "#!else without an #!ifdef before it; it changes nothing"),
    ]
    assert "did you mean #!ifdef?" in cfg.warnings[0][1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3 == 9", 1),
        ("-3 + 0x10", 13),
        ("!0 && 1 || 0", 1),
        ('"a" + \'b\' == "ab"', 1),
        ('NAME == "text"', 1),
        ("NUMBER > 2", 1),
        ("EMPTY", 1),
        ("GONE", 0),
        ("7 % 4", 3),
    ],
)
def test_expressions(text: str, value: int) -> None:
    assert evaluate(text, {"NAME": '"text"', "NUMBER": "3", "EMPTY": ""}) == value


@pytest.mark.parametrize("text", ["", "1 1", "1 / 0", '"a" * 2', "a ? b", "LOOP", "(" * 60 + "1" + ")" * 60])
def test_bad_expressions(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, {"LOOP": "LOOP + 1"})
