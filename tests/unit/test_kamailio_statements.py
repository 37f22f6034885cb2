"""kamailio.cfg, from its text to statements."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipwright.settings import SettingsError
from sipwright.settings.kamailio.statements import Block
from support.kamailio_cfg import read, values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debug=2", {"debug": 2}),
        ("debug = -1", {"debug": -1}),
        ("debug\n=\n3", {"debug": 3}),
        ("debug=2; children=4", {"debug": 2, "children": 4}),
        ("debug=2 children=4", {"debug": 2, "children": 4}),
        ("children=0x10", {"children": 16}),
        ("children=010", {"children": 8}),
        ("children=101b", {"children": 5}),
        ("fork=no\nlog_stderror=true", {"fork": 0, "log_stderror": 1}),
        ("fork=on disable_tcp=off auto_aliases=enable", {"fork": 1, "disable_tcp": 0, "auto_aliases": 1}),
        ("log_facility=LOG_LOCAL0", {"log_facility": "LOG_LOCAL0"}),
        ("tcp_source_ipv4=192.0.2.1", {"tcp_source_ipv4": "192.0.2.1"}),
        ('log_name="a\\tb\\"c\\x41\\101"', {"log_name": 'a\tb"cAA'}),
        (r'log_name="a\q\.\1b"', {"log_name": r"a\q\.\1b"}),
        ('log_name="a\\\nb"', {"log_name": "ab"}),
        ("log_name='a\\tb$x'", {"log_name": "a\\tb$x"}),
        ('log_name="one " "two"\n\n"three"', {"log_name": "one twothree"}),
        ('log_name="a#b//c/*d"', {"log_name": "a#b//c/*d"}),
        ('pstn.gw_ip = "1.2.3.4" desc "PSTN GW Address"', {"pstn.gw_ip": "1.2.3.4"}),
        ("pstn.gw_port = 5060", {"pstn.gw_port": 5060}),
        ('kemi.onsend_route_callback="none"', {"kemi.onsend_route_callback": "none"}),
        ("# debug=1\n// debug=1\n/* debug=1\n /* nested */ debug=1 */ debug=2 # end", {"debug": 2}),
        ("flags A:1, B:2;\navpflags c;\ndebug=1", {"debug": 1}),
        ('loadpath "/a:/b"', {"mpath": "/a:/b"}),
        ('mpath="/a"', {"mpath": "/a"}),
    ],
)
def test_globals(tmp_path: Path, text: str, expected: dict[str, object]) -> None:
    assert values(read(tmp_path, text)) == expected


def test_places(tmp_path: Path) -> None:
    cfg = read(
        tmp_path,
        '/* one\ntwo */ debug=1\n\ninclude_file "inner.cfg"\nfork=no\n',
        inner='\nlog_name="a\nb"\nchildren=1\n',
    )
    assert [(Path(item.place.file).name, item.place.line, item.name) for item in cfg.globals] == [
        ("kamailio.cfg", 2, "debug"),
        ("inner.cfg", 2, "log_name"),
        ("inner.cfg", 4, "children"),
        ("kamailio.cfg", 5, "fork"),
    ]
    assert [file.name for file in cfg.files] == ["kamailio.cfg", "inner.cfg"]


def test_modules(tmp_path: Path) -> None:
    cfg = read(
        tmp_path,
        '#!define KEMIMODULE "app_python3"\n#!define TIMEOUT 5000\n'
        'loadmodule "tm.so"\nloadmodule "/usr/lib/kamailio/modules/registrar.so" loadmodule "usrloc"\n'
        "loadmodule KEMIMODULE\n"
        'modparam("tm", "fr_timer", TIMEOUT)\n'
        'modparam( "usrloc|registrar|notloaded" , "received_avp" ,\n "$avp(x)" )\n'
        'modparam("t.*", "x", -1) modparam(KEMIMODULE, "load", "/etc/" "x.py");\n'
        'modparamx("tm", "y", "$env(PUBLIC_IP):$def(TIMEOUT) $$")',
    )
    assert [module.name for module in cfg.modules] == ["tm", "registrar", "usrloc", "app_python3"]
    assert [(one.modules, one.name, one.value) for one in cfg.parameters] == [
        (("tm",), "fr_timer", 5000),
        (("registrar", "usrloc"), "received_avp", "$avp(x)"),
        (("tm",), "x", -1),
        (("app_python3",), "load", "/etc/x.py"),
        (("tm",), "y", "192.0.2.9:5000 $"),
    ]


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ('request_route { if (x()) { exit; } y("}"); }', [("request_route", "", ("if", "x", "exit", "y"))]),
        ("route[A]{}\nroute[1] { # }\n}", [("route", "A", ()), ("route", "1", ())]),
        ("event_route[tm:local-request] { drop; }", [("event_route", "tm:local-request", ("drop",))]),
        ("route[X] { $var(a) = $(ru{s.replace,},{}); z(); }", [("route", "X", ("z",))]),
        ('route[X] { include_file "inner.cfg" }', [("route", "X", ("inner_function",))]),
        ("onreply_route[N]\n{\n xlog('$(hdr(X)[0])'); }", [("onreply_route", "N", ("xlog",))]),
    ],
)
def test_blocks(tmp_path: Path, text: str, blocks: list[tuple[str, str, tuple[str, ...]]]) -> None:
    cfg = read(tmp_path, text, inner="inner_function();")
    assert [(block.kind, block.name, block.calls) for block in cfg.blocks] == blocks
    assert all(isinstance(block, Block) for block in cfg.blocks)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("debug 2", "kamailio.cfg:1: debug: must be followed by = and a value"),
        ('\nlodmodule "tm"', "kamailio.cfg:2: lodmodule: must be followed by = and a value; did you mean loadmodule?"),
        ("= 2", "'=' cannot begin a statement"),
        ("debug=", "kamailio.cfg:1: debug: the end of the file is no value"),
        ('log_name="abc', 'a string that begins with " does not end'),
        ("/* a /* b */", "a comment that begins with /* does not end"),
        ("loadmodule tm", "loadmodule must be in quotes, not 'tm'; tm is not defined"),
        ('loadmodule "tm"\nloadmodule "tm.so"', "kamailio.cfg:2: the module tm is loaded twice, first in"),
        ('modparam("tm", "x", 1)', 'modparam("tm", ...): no such module is loaded; loadmodule comes first'),
        ('#!define DBUR "x"\nloadmodule "tm"\nmodparam("tm", "x", DBURL)', "DBURL is not defined; did you mean DBUR?"),
        (
            'loadmodule "tm"\nmodparam("tm" "x", 1)',
            "kamailio.cfg:2: modparam: the parameter's name must be in quotes, not '1'",
        ),
        ('loadmodule "tm"\nmodparam("t(m", "x", 1)', "is no regular expression"),
        ("route[X] { exit;", "kamailio.cfg:1: route: the block is not closed"),
        ("route[X", "route[: the end of the file cannot be part of its name"),
        ("a.b.c=1", "a.b: must be followed by ="),
        ('modparamx("tm", "x", "$ru")', "no such module is loaded"),
        ('loadmodule "tm"\nmodparamx("tm", "x", "$def(NO)")', "kamailio.cfg:2: $def(NO): NO is not defined"),
        ('loadmodule "tm"\nmodparamx("tm", "x", "$var(NO)")', "$var(NO) has no value before a message comes"),
        ("flags 1;", "flags: '1' is no name of a flag"),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
