"""Debian's Kamailio reads the same kamailio.cfg: it accepts and refuses the same, listens on the same, and shows the same of KSR."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipwright.settings import SettingsError
from sipwright.settings.kamailio import modules, read_kamailio_cfg
from support.kamailio_cfg import given as settings_of
from support.kamailio_cfg import lab
from support.tools import tool

MODULE_DIRECTORY = Path("/usr/lib/x86_64-linux-gnu/kamailio/modules")
HEAD = "auto_aliases=no\n"
TAIL = '\nloadmodule "sl.so"\nrequest_route { sl_send_reply("200", "OK"); }\n'
# Two servers that start at the same time may not listen on the same port, but -c opens none.
UDP = "listen=udp:127.0.0.1:15990;\n"


def kamailio(path: Path, *options: str, timeout_s: float = 30) -> tuple[bool, list[str]]:
    """Whether Kamailio accepts the file, and the sockets that it would open."""
    argv = [tool("kamailio"), "-c", "-f", str(path), *options]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=timeout_s, cwd=path.parent)
    sockets = re.findall(r"^\s+(udp|tcp|tls): \S+ \[(\S+)\]:(\d+)", done.stdout + done.stderr, re.M)
    return done.returncode == 0, [":".join(socket) for socket in sockets]


def ours(path: Path, *defines: str) -> tuple[bool, list[str]]:
    """The same of us. Native routes, which Kamailio runs, do not count."""
    try:
        found = read_kamailio_cfg(path, defines)
    except SettingsError:
        return False, []
    refusals = [
        entry for entry in found.refusals if entry.kind != "route" and entry.name not in ("cfgengine", "loadmodule")
    ]
    wrong = [entry for entry in found.report if entry.status == "unknown" and entry.kind != "directive"]
    listen = settings_of(found)["listen"]
    assert isinstance(listen, list)
    return not refusals and not wrong, [f"{one.proto}:{one.host}:{one.port}" for one in listen]


SAME = [
    "debug=2; children=2",
    "debug=2 children=2",
    "debug\n=\n2",
    "debug=2;;\n;",
    "// hello\n/* a\n * b */ debug=2",
    "/* a /* b */ */ debug=2",
    "#!define X 5 # comment\nchildren=X",
    "#!define X \nchildren=X",
    "#!define X 5\n#!define X 6",
    "#!define X 5\n#!trydef X 6\n#!redefine X 7\nchildren=X",
    "children=Y",
    "foo=1",
    "foo.bar=1",
    'foo.bar=1 desc "x"',
    'foo.bar="a" "b" descr "x"',
    "foo.bar=1 2",
    "foo.bar=abc",
    'foo.bar="a"+"b"',
    'foo.bar="a\nb"',
    "foo-bar.x=1",
    "#!ifdef A\nchildren=zzz\n#!else\nchildren=3\n#!endif",
    "#!ifdef A\nchildren=3",
    "#!endif",
    "#!else",
    "#!ifdef A\n##!endif\n",
    'children="3"',
    "children=0x3",
    "children=010",
    "children=yes",
    "debug=-1",
    "fork=YES",
    "fork=Yes",
    "auto_aliases=enable",
    "log_facility=LOG_LOCAL0",
    'log_facility="LOG_LOCAL0"',
    'log_name="a"',
    "log_name=abc",
    'cfgengine = "native"',
    'mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"',
    'import_file "nope.cfg"',
    '#!import_file "nope.cfg"',
    '!!import_file "nope.cfg"',
    'include_file "nope.cfg"',
    "import_file nope",
    'include_file "kamailio.cfg"',
    "alias=a.b c.d\nchildren=2",
    'alias="a.b":5060',
    "alias=(a.b, c.d)",
    "alias=a.b,c.d",
    "alias=*.b",
    "port=5060",
    "port=5060 5061",
    "flags a:1, b:2;",
    "flags a:1 b:2",
    "avpflags x;",
    '#!subst "/A/b/"',
    '#!subst "/A/b"',
    "#!subst /A/b/",
    '#!substdef "!A!b!g"\nx.y="A"',
    '#!substdef "!A!b!g"\nx.y=A',
    '#!substdefs "!A!b!g"\nx.y=A',
    "#!defenv GONE_FOR_SURE",
    "#!trydefenv GONE_FOR_SURE",
    "#!defenvs PATH\nx.y=PATH",
    'modparam("tm", "fr_timer", 1)',
    'loadmodule "tm"\nmodparam("tm", "fr_timer", 5000)',
    'loadmodule "tm"\nmodparam("t.*", "fr_timer", 5000);',
    'loadmodule "tm"\nmodparam("tm|gone", "fr_timer", yes)',
    'loadmodule "tm"\nmodparam("tm", "fr_timer", 2 + 3)',
    'loadmodule "tm"\nmodparam("tm", "nope", 1)',
    'loadmodule "tm"\nmodparamx("tm", "fr_timer", 1)',
    '#!define M "tm"\n#!define V 5\nloadmodule M\nmodparam(M, "fr_timer", V)',
    'loadmodule "htable"\nmodparam("htable", "htable", "a=>" "size=4;")',
    "loadmodule tm",
    'loadmodule("tm")',
    'loadmodule "tm"\nloadmodule "tm.so"',
    'loadmodule "/usr/lib/x86_64-linux-gnu/kamailio/modules/tm.so"',
    'loadmodulex "tm"',
    '#!ifdef MOD_tm\nchildren=x\n#!endif\nloadmodule "tm.so"\n#!ifndef MOD_tm\nchildren=x\n#!endif',
    "#!ifdef KAMAILIO_5\nchildren=x\n#!endif",
    "route[X] { exit; }",
    "route[X]\n{ exit; }\nbranch_route[Y] { drop; } failure_route[1] { exit; }",
    "onreply_route[x] { # }\n exit; }",
    "event_route[tm:local-request] { exit; }",
    "route[X] { exit;",
]


@pytest.mark.parametrize("text", SAME)
def test_same_verdict(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "kamailio.cfg"
    path.write_text(HEAD + UDP + text + TAIL)
    assert ours(path)[0] == kamailio(path)[0]


LISTEN = [
    "listen=127.0.0.1:15990",
    "listen=127.0.0.1",
    "port=5070\nlisten=127.0.0.1",
    "listen=lo:15990",
    "listen=udp:lo",
    'listen=udp:"127.0.0.1":15990',
    "listen=udp:[::1]:15990",
    "listen=UDP:127.0.0.1:15990",
    "listen=udp:(127.0.0.1, 127.0.0.2):15990",
    "listen=udp:127.0.0.1:15990 tcp:127.0.0.1:15991",
    "listen=udp:127.0.0.1:15990 advertise 1.2.3.4:5060",
    'listen=udp:127.0.0.1:15990 advertise 1.2.3.4 name "x"',
    "listen=udp:127.0.0.1:15990 virtual",
    "disable_tcp=yes\nlisten=127.0.0.1",
    'enable_tls=yes\nloadmodule "tls"\nlisten=127.0.0.1:15990',
    'enable_tls=yes\nloadmodule "tls"\nlisten=tls:127.0.0.1',
    'enable_tls=yes\nloadmodule "tls"\ntls_port_no=15999\nlisten=tls:127.0.0.1',
    "listen=udp:127.0.0.1\nlisten=tls:127.0.0.1",
    "#!define IP 127.0.0.1 # home\nlisten=udp:IP:15999",
    "#!define IP 127.0.0.1\n#!define P 15990\nlisten=udp:IP:P",
    "#!define ALL_OF_IT udp:127.0.0.1:15990\nlisten=ALL_OF_IT",
    '#!substdef "!MY_IP!127.0.0.1!g"\nlisten=udp:MY_IP:15990',
    "listen\n=\nudp:127.0.0.1\n:15990\nchildren=2",
    "",
    "listen=udp:127.0.0.1:15990-15995",
    "listen=udp:127.0.0.1,udp:127.0.0.2",
    "listen=udp:*:15990",
    "listen=udp:256.1.1.1",
    "listen udp:127.0.0.1",
    "listen=udp:127.0.0.1 name x",
    "listen=Udp:127.0.0.1:15990",
]


@pytest.mark.parametrize("text", LISTEN)
def test_same_sockets(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kamailio.cfg"
    path.write_text(HEAD + text + TAIL)
    (verdict, found), (expected, sockets) = ours(path), kamailio(path)
    assert verdict == expected
    if expected:
        assert sorted(found) == sorted(sockets)


def test_same_defines_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "kamailio.cfg"
    path.write_text(HEAD + "#!ifdef HERE\nlisten=ADDRESS\n#!endif\n" + TAIL)
    defines = ("HERE", "ADDRESS=udp:127.0.0.1:15990")
    options = [word for define in defines for word in ("-A", define)]
    assert ours(path, *defines) == kamailio(path, *options) == (True, ["udp:127.0.0.1:15990"])


STRINGS = [
    r'"a\qb"',
    r'"a\.b\1z"',
    r'"a\x41b\101\12z"',
    r'"a\\b\"c"',
    '"a\\\nb"',
    r"'a\qb'",
    '"a" "b"',
    '"SUB" "b SUB SUB"',
    "DEFINED",
]
SUBSTITUTIONS = [
    r'#!subst "/a\.b/X/"',
    r'#!subst "/(a)\.(b)/\2\1/g"',
    r'#!subst "/(a)\\.(b)/\\2\\1/"',
    r"#!subst '/(a)\.(b)/\2\1/g'",
    r'#!subst "/a\.b/x\/y/"',
    '#!subst "!^a!b!"',
    '#!subst "/A/b/gi"',
    '#!subst "/a/$$b/"',
    '#!subst "/a/$env(LANG)/"',
    '#!subst "/a/b/"\n#!subst "/b/c/"',
    '#!substdef "!axb!y!g"',
    '#!substdef "!a.b!y!g"',
    '#!define D "q"\n#!subst "/a/$def(D)/"',
    '#!subst "/a[[:alpha:]]b/w/g"',
]


def same_name(path: Path, text: str) -> None:
    """Both read the same name of a socket."""
    path.write_text(HEAD + text + TAIL)
    argv = [tool("kamailio"), "-c", "-f", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=30)
    expected = re.search(r"\]:15990 name (.*)", done.stdout + done.stderr)
    assert expected is not None, done.stderr
    listen = settings_of(read_kamailio_cfg(path))["listen"]
    assert isinstance(listen, list)
    assert listen[0].name is not None
    # The line of the listing ends with the first line of the name.
    assert listen[0].name.partition("\n")[0] == expected[1]


@pytest.mark.parametrize("string", STRINGS)
def test_same_strings(tmp_path: Path, string: str) -> None:
    text = f'#!define DEFINED "x" "y"\n#!subst "/SUB/s/g"\nlisten=udp:127.0.0.1:15990 name {string};'
    same_name(tmp_path / "kamailio.cfg", text)


@pytest.mark.parametrize("directive", SUBSTITUTIONS)
def test_same_substitutions(tmp_path: Path, directive: str) -> None:
    same_name(tmp_path / "kamailio.cfg", f'{directive}\nlisten=udp:127.0.0.1:15990 name "a.b axb aab";')


PIECES = st.sampled_from(
    [
        *("debug=1\n", "children=N\n", "fork=no;", "mhomed=yes ", 'x.y="S"\n', "x.y=S\n", "alias=a.b\n", "/* c */", "# c\n"),
        *("#!ifdef N\n", "#!ifndef N\n", "#!else\n", "#!endif\n", "#!define N 3\n", "#!trydef N 4\n", "#!redefine N 5\n"),
        *('#!define S "s"\n', '#!substdef "!S!t!g"\n', 'loadmodule "pv"\n', '#!ifdef MOD_pv\n', 'log_name="a" "b"\n'),
    ]
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_same_verdict_on_any_mixture(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kamailio.cfg"
    path.write_text(HEAD + UDP + text + TAIL)
    try:
        expected = kamailio(path, timeout_s=5)[0]
    except subprocess.TimeoutExpired:
        # Defines may lead it into a loop without an end.
        return
    assert ours(path)[0] == expected, text


SCRIPT = """
import os
import KSR

def mod_init():
    parts = {name: dir(getattr(KSR, name)) for name in dir(KSR) if type(getattr(KSR, name)).__name__ == "module"}
    open(%r, "w").write(repr(sorted(parts)))
    os._exit(0)
"""
# Beside those of the modules in question: modules that these need.
MODULES = [
    "",
    "tm",
    "kemix",
    "pv",
    "sl tm tmx rr",
    "htable xlog",
    "usrloc registrar",
    "textops textopsx siputils",
    "corex path",
]


@pytest.mark.parametrize("loaded", MODULES)
def test_same_parts_of_ksr(tmp_path: Path, loaded: str) -> None:
    shown = tmp_path / "shown"
    script = tmp_path / "route.py"
    script.write_text(SCRIPT % str(shown))
    path = tmp_path / "kamailio.cfg"
    # First, so that its mod_init comes before those of modules that need others.
    text = lab(script, "listen=udp:127.0.0.1:15990", "")
    path.write_text(text + "".join(f'loadmodule "{name}.so"\n' for name in loaded.split()))
    subprocess.run([tool("kamailio"), "-DD", "-E", "-f", str(path)], capture_output=True, timeout=30, cwd=tmp_path)
    expected = shown.read_text()
    shown.unlink()
    trial = [sys.executable, "-m", "sipwright.script.trial", str(script), "-"]
    names = ['"app_python3"', *(f'"{name}"' for name in loaded.split())]
    subprocess.run(trial, input=f'{{"modules": [{", ".join(names)}]}}', capture_output=True, text=True, timeout=30)
    assert shown.read_text() == expected


def test_parameters_of_modules_are_kamailios(tmp_path: Path) -> None:
    """The table of parameters names those that Kamailio has, with their types."""
    here = {path.stem for path in MODULE_DIRECTORY.glob("*.so")}
    # Drivers that cannot be loaded beside others of their kind.
    offered = [name for name in modules.parameters() if not modules.why_not_offered(name) and name != "tls_wolfssl"]
    first = ["db_sqlite", "sl", "tm", "rr", "pv", "usrloc", "dialog"]
    loaded = first + [name for name in offered if name in here and name not in first]
    lines = [UDP + f'mpath="{MODULE_DIRECTORY}/"', *(f'loadmodule "{name}.so"' for name in loaded)]
    asked = [(module, *item) for module in loaded for item in modules.parameters().get(module, {}).items()]
    values = {"text": '"1"', "number": "1"}
    lines += [f'modparam("{module}", "{name}", {values[kind]})' for module, name, kind in asked]
    path = tmp_path / "kamailio.cfg"
    path.write_text("\n".join([*lines, "request_route { exit; }"]) + "\n")
    done = subprocess.run(
        [tool("kamailio"), "-c", "-f", str(path)], capture_output=True, text=True, errors="replace", timeout=30
    )
    unknown = re.findall(r"parameter <(\S+)> of type <\S+> not found in module <(\S+)>", done.stdout + done.stderr)
    assert unknown == []
    assert len(asked) > 800
    assert set(offered) - here <= {"app_python3s"}
