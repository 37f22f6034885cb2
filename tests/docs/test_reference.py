"""The reference is complete and current: functions, commands, RPC methods, counters and pseudo-variables."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from sipwright import _engine
from sipwright.cli import reference as cli_reference
from sipwright.control.client import call
from sipwright.control.server import SOCKET_NAME
from sipwright.kemi import reference as ksr_reference
from sipwright.settings.kamailio import globals as core
from sipwright.settings.kamailio import modules
from sipwright.settings.kamailio import reference as cfg_reference
from support.hosts import configured_host, rpc_methods
from support.process import wait_until
from support.servers import ROOT

REFERENCE = ROOT / "docs" / "reference"
ENGINE = ROOT / "crates" / "engine" / "src"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def test_ksr_functions_are_current() -> None:
    assert page("ksr.md") == ksr_reference.reference(), "run: python -m sipwright.kemi.reference"


def test_every_ksr_function_is_described() -> None:
    assert [function.dotted for function in ksr_reference.functions() if not function.is_described] == []


@pytest.mark.parametrize(
    ("doc", "is_described"),
    [("Is reply.", False), ("", False), ("No full stop", False), ("Whether it is a response: 1 or -1.", True)],
)
def test_a_name_is_no_description(doc: str, is_described: bool) -> None:
    assert ksr_reference.Function("siputils", "is_reply", "", "int", doc).is_described is is_described


def test_commands_are_current() -> None:
    assert page("cli.md") == cli_reference.reference(), "run: python -m sipwright.cli.reference"


def test_kamailio_cfg_is_current() -> None:
    assert page("kamailio-cfg.md") == cfg_reference.reference(), "run: python -m sipwright.settings.reference"


def test_every_parameter_of_kamailio_has_a_status() -> None:
    text = page("kamailio-cfg.md")
    for name in core.known() | {"listen", "alias", "cfgengine"}:
        assert f"`{name}`" in text or f"`{name}, " in text, name
    for module, names in modules.parameters().items():
        if not modules.why_not_offered(module):
            section = text.partition(f"\n### {module}\n")[2].partition("\n### ")[0]
            assert not [name for name in names if f"| `{name}` | " not in section], module


def test_every_command_is_in_the_reference() -> None:
    headings = set(re.findall(r"^## (sipwright.*)$", page("cli.md"), re.MULTILINE))
    assert headings == {path for path, _ in cli_reference.commands()}


# Control socket


# What the examples of methods with parameters were made with.
PARAMETERS: dict[str, list[object]] = {
    "autheph.add_secret": ["s3cret"],
    "autheph.rm_secret": [0],
    "permissions.testUri": [1, "192.0.2.1"],
    "stats.get_statistics": ["bad_msg_hdr"],
    "stats.fetch": ["bad_msg_hdr"],
    "stats.fetchn": ["bad_msg_hdr"],
    "stats.reset_statistics": ["bad_msg_hdr"],
    "stats.clear_statistics": ["bad_msg_hdr"],
    "cnt.get_raw": ["script", "calls"],
    "cnt.get_vars": ["script"],
    "cnt.help": ["script", "calls"],
    "cnt.list_vars": ["sl"],
    "cnt.var_list": ["sl"],
    "cfg.get": ["script", "workers"],
    "cfg.help": ["script", "workers"],
    "cfg.reset": ["core"],
    "cfg.set": ["core", "debug", 2],
    "cfg.seti": ["core", "debug", 2],
    "cfg.sets": ["core", "debug", 2],
    "cfg.set_now_int": ["core", "debug", 2],
    "cfg.set_now_string": ["core", "debug", 2],
    "core.echo": ["a", 1],
    "core.printi": [5],
    "core.prints": ["x"],
    "system.methodHelp": ["core.uptime"],
    "dns.locate": ["sip:127.0.0.1"],
    "rtpengine.enable": ["all", 1],
    "nathelper.enable_ping": [1],
    "ul.add": ["location", "carol", "sip:carol@192.0.2.2", 60, "1.0", "", 0, 0, -1],
    "ul.db_contacts": ["location"],
    "ul.db_expired_contacts": ["location"],
    "ul.db_users": ["location"],
    "ul.lookup": ["location", "bob"],
    "ul.rm": ["location", "carol"],
    "ul.rm_contact": ["location", "bob", "sip:bob@192.0.2.1"],
    "uac.reg_active": [1],
    "uac.reg_add": [
        "u1",
        "bob",
        "example.com",
        "bob",
        "far.test",
        "far.test",
        "bob",
        "pw",
        ".",
        ".",
        60,
        1,
        0,
        ".",
        ".",
    ],
    "uac.reg_disable": ["l_uuid", "u1"],
    "uac.reg_enable": ["l_uuid", "u1"],
    "uac.reg_info": ["l_uuid", "u1"],
    "uac.reg_remove": ["u1"],
    "dns.lookup": ["A", "localhost"],
    "dns.delete": ["A", "localhost"],
    "dispatcher.add": [5, "sip:127.0.0.1:5"],
    "dispatcher.remove": [5, "sip:127.0.0.1:5"],
    "dispatcher.set_state": ["a", 1, "all"],
    "dispatcher.set_duid_state": ["a", 1, "a"],
    "dispatcher.hash": [4, "bob", "example.com"],
    "cfgutils.rand_set_prob": [10],
    "mqueue.get_size": ["q"],
    "htable.dump": ["t"],
    "htable.get": ["t", "k"],
    "htable.seti": ["t", "k", 5],
    "htable.sets": ["t", "s", "x"],
    "htable.setxi": ["t", "x", 5, 60],
    "htable.setxs": ["t", "y", "x", 60],
    "htable.setex": ["t", "s", 60],
    "htable.delete": ["t", "d"],
    "htable.flush": ["u"],
    "cnt.get": ["script", "calls"],
    "cnt.reset": ["script", "calls"],
    "cnt.grp_get_all": ["script"],
    "pv.shvGet": ["n"],
    "pv.shvSet": ["n", "int", 7],
    "record.enable": [1],
    "record.call": ["docs"],
    "pl.set_pid": [-25, 0, 0],
    "pl.push_load": [0.5],
    "rl.set_pipe": [0, "TAILDROP", 200],
    "rl.set_queue": [0, "REGISTER", 0],
    "rl.set_pid": [-25, 0, 0],
    "rl.push_load": [0.5],
}
# They end the server or are an error (tests/protocol/test_control_methods.py), need a TLS connection (tests/protocol/test_tls_control.py), a pipe or an item that a script made
# (tests/unit/test_floods.py, tests/unit/test_small_modules.py), a database (tests/unit/test_htable.py), Redis
# (tests/protocol/test_redis_sharing.py), or WebSocket (tests/protocol/test_websocket.py).
CALLED_ELSEWHERE = (
    {
        "core.kill",
        "system.methodSignature",
        "tls.kill",
        "tls.show",
        "pl.set_pipe",
        "mqueue.fetch",
        "htable.reload",
        "htable.store",
    }
    | {
        "rtpengine.reload",
        "rtpproxy.enable",
        "uac.reg_refresh",
        "uac.reg_reload",
        "uac.reg_unregister",
        "usrloc.share",
        "htable.share",
        "ws.dump",
        "ws.close",
    }
    # They need a transaction (tests/protocol/test_metrics.py).
    | {"tm.cancel", "tm.reply", "tm.reply_callid", "tm.t_uac_start", "tm.t_uac_wait", "tm.t_uac_wait_block"}
    | {
        # They show dialogs; tests/unit/test_dialog.py has some.
        method
        for method in rpc_methods()
        if method.startswith("dlg.") and method != "dlg.stats_active"
    }
)
SETTINGS: dict[str, object] = {
    "dispatcher.reload_delta_s": 0,
    "permissions.reload_delta_s": 0,
    "mqueue.mqueue": "name=q",
    "nathelper.natping_interval_s": 60,
    "htable.tables.t.autoexpire_s": 0,
    "htable.tables.u.autoexpire_s": 0,
    "cfgutils.hash_file": __file__,
    "counters.script_counter": "calls",
    "pv.shvset": "n=i:7",
    "http_client.httpcon": "server=>http://127.0.0.1/api",
}
DESTINATIONS = "1 sip:127.0.0.1:6004 0 5 weight=50;duid=a\n"


def section(method: str) -> str:
    found = re.search(rf"^### `{re.escape(method)}`\n(.*?)(?=^### |\Z)", page("rpc.md"), re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/reference/rpc.md does not describe {method}"
    return found[1]


def example(method: str) -> Any:
    found = re.search(r"```json\n(.*?)```", section(method), re.DOTALL)
    assert found is not None, f"{method} has no example"
    return json.loads(found[1])


@pytest.mark.parametrize("method", rpc_methods())
def test_rpc_methods_are_described(method: str) -> None:
    text = section(method)
    assert re.search(r"^Parameters: ", text, re.MULTILINE)
    assert "Result: " in text
    example(method)


def test_no_rpc_method_is_invented() -> None:
    assert set(re.findall(r"^### `(.*)`$", page("rpc.md"), re.MULTILINE)) == set(rpc_methods())


def test_rpc_examples_are_shaped_like_the_results(start: Start, tmp_path: Path) -> None:
    destinations = tmp_path / "dispatcher.list"
    destinations.write_text(DESTINATIONS)
    server = start(
        None, "udp", "tcp", "tls", settings={**SETTINGS, "record.enabled": True, "dispatcher.list_file": destinations}
    )
    stream = next(listen for listen in server.listen if listen.proto == "tcp")
    with socket.create_connection((stream.host, stream.port), timeout=5) as phone:
        data_dir = server.directory / "data"
        wait_until((data_dir / SOCKET_NAME).exists, 5, "the control socket")
        wait_until(lambda: bool(call(data_dir, "core.connections")), 5, "the connection is listed")
        phone.sendall(registration(f"{stream.host}:{stream.port}"))
        assert phone.recv(65_536).startswith(b"SIP/2.0 200")
        for name in ("k", "d"):
            call(data_dir, "htable.seti", ["t", name, 5])
        call(data_dir, "htable.sets", ["t", "s", "x"])
        for method in sorted(set(rpc_methods()) - CALLED_ELSEWHERE):
            assert_shape(example(method), call(data_dir, method, PARAMETERS.get(method, [])), method)


def registration(domain: str) -> bytes:
    lines = (
        f"REGISTER sip:{domain} SIP/2.0",
        "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKdocs",
        f"From: <sip:bob@{domain}>;tag=1",
        f"To: <sip:bob@{domain}>",
        "Call-ID: docs",
        "CSeq: 1 REGISTER",
        "Contact: <sip:bob@192.0.2.1>",
        "Max-Forwards: 70",
        "Content-Length: 0",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def assert_shape(shown: Any, real: Any, where: str) -> None:
    """Same types all the way down; in objects, the same names, except that an example may leave counters out."""
    if where == "core.stats":
        assert shown.keys() <= real.keys(), where
        return
    assert type(shown) is type(real), where
    if isinstance(shown, dict):
        assert shown.keys() == real.keys(), where
        for key in shown:
            assert_shape(shown[key], real[key], f"{where}.{key}")
    elif isinstance(shown, list) and shown and real:
        assert_shape(shown[0], real[0], f"{where}[0]")


# Counters


def in_rust(file: str, macro: str) -> dict[str, str]:
    """Counters of a `counters!` or `stats!` block with their doc comments."""
    text = (ENGINE / file).read_text()
    block = text[text.index(f"\n{macro}! {{") :]
    entries = re.findall(r"((?:^    ///.*\n)+)    (\w+),$", block[: block.index("\n}\n")], re.MULTILINE)
    return {name: " ".join(line.strip(" /") for line in doc.splitlines()) for doc, name in entries}


def counters_in_code() -> dict[str, str | None]:
    files = [("core.rs", "counters"), ("stats.rs", "stats"), ("dns/mod.rs", "counters")]
    found: dict[str, str | None] = {}
    for file, macro in files:
        found |= in_rust(file, macro)
    binding = (ROOT / "crates/py/src/engine.rs").read_text()
    control = (ROOT / "python/sipwright/control/methods.py").read_text()
    names = re.findall(r'all\s*\.push\(\(\s*"(\w+)"', binding) + re.findall(r'counters\["(\w+)"\] =', control)
    return found | dict.fromkeys(names) | dict.fromkeys(configured_host().counters())


def test_counters_are_described() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page("counters.md"), re.MULTILINE))
    expected = counters_in_code()
    assert len(expected) > 50
    assert sorted(rows) == sorted(expected)
    assert {name: doc for name, doc in rows.items() if expected[name] not in (None, doc)} == {}


def test_the_engine_counts_what_its_source_says() -> None:
    engine = _engine.Engine(json.dumps({}))
    assert set(engine.stats()) >= set(in_rust("core.rs", "counters"))


# Pseudo-variables

Row = tuple[str, str, str, str]
NAMES = ROOT / "crates/sip/src/script/pv/names.rs"


def rows() -> list[Row]:
    """A row for each variable with its inner name, type, what may be set, and meaning."""
    found: list[Row] = []
    for line in page("pseudo-variables.md").partition("## Not here")[0].splitlines():
        if line.startswith("| `$"):
            names, kind, sets, meaning = (cell.strip() for cell in line.strip("|").split("|"))
            found += [(name, kind, sets, meaning) for name in re.findall(r"`(\$[^`]+)`", names)]
    return found


def bare(name: str) -> str:
    return name.removeprefix("$").partition("(")[0]


OF_MODULES = configured_host().variables
WITHOUT_INNER_NAME = (
    "DLG_count",
    "DLG_status",
    "DLG_lifetime",
    "RANDOM",
    "http_req_id",
    "rtimer_worker",
    "rtpestat",
    "rtpstat",
    "rtppstat",
    "http_ok",
    "http_err",
    "http_rs",
    "http_rr",
    "http_rb",
    "http_bs",
    "http_mb",
    "http_ml",
)


def supported() -> dict[str, bool]:
    """Names in the code, and whether they take an inner name."""
    table = re.findall(r"^    \w+ = (.*?)(, inner)?;$", NAMES.read_text(), re.MULTILINE)
    found = {name: bool(inner) for names, inner in table for name in re.findall(r'"([^"]+)"', names)}
    tls = re.findall(r'^    "(tls\w*)",$', (ENGINE / "tls/vars.rs").read_text(), re.MULTILINE)
    found |= {name: name == "tls" or name.endswith("_san_count") for name in tls}
    # The bindings answer for this one.
    found["ltt"] = True
    return found | {name: name not in WITHOUT_INNER_NAME for name in OF_MODULES}


def test_variables_are_those_of_the_code() -> None:
    assert len(supported()) > 150
    assert {bare(name): "(" in name for name, *_ in rows()} == supported()


def test_missing_variables_are_missing() -> None:
    missing = re.findall(r"`\$([^`(]+)", page("pseudo-variables.md").partition("## Not here")[2])
    assert len(missing) > 80
    assert set(missing) & set(supported()) == set()


def test_transformations_are_those_of_the_code() -> None:
    code = "".join(path.read_text() for path in sorted((NAMES.parent / "transform").glob("*.rs")))
    known = set(re.findall(r'^\s+\w+ = "([a-z0-9.]+)", \d(?:, \d)?;$', code, re.MULTILINE))
    known |= {name.rpartition(".")[2] for name in re.findall(r'"([a-z]+\.?[a-z_]+)"(?= (?:=>|\|))', code)}
    known |= set(re.findall(r'"([a-z_0-9]+)"(?: \| "[a-z_.]+")* =>', code))
    known -= {"s", "urialias", "sock", "url", "sql", "str"}
    known |= {"val.int", "val.str"}
    text = page("pseudo-variables.md").partition("## Transformations")[2].partition("## Not here")[0]
    shown = {name for line in re.findall(r"^- `\w+\.`: (.*(?:\n  .*)*)", text, re.MULTILINE) for name in words(line)}
    assert shown == known


def words(text: str) -> list[str]:
    return re.findall(r"`([a-zA-Z0-9_.]+)`", text)


INNER = {
    "index": "12",
    "name": "To",
    "path": "a=>b",
    "pv": "$hdr(To)",
    "text": "a $ru b",
    "n": "3",
    "it": "i",
    "format": "%Y",
}


def spellings(name: str, meaning: str) -> list[str]:
    """The variable with inner names that make sense."""
    match = re.search(r"\((.*)\)", name)
    if match is None:
        return [name]
    if match[1] in ("part", "which", "what"):
        return [f"${bare(name)}({part})" for part in words(meaning) if part not in ("ksr_onsend_route",)]
    return [f"${bare(name)}({INNER.get(match[1], 'x')})"]


# Those of modules need a server, and have their own tests.
@pytest.mark.parametrize("row", [row for row in rows() if bare(row[0]) not in OF_MODULES], ids=lambda row: row[0])
def test_variables_have_the_type_that_is_said(row: Row) -> None:
    name, kind, sets, meaning = row
    allowed = {"str": str, "int": int, "None": type(None)}
    kinds = tuple(allowed[word] for word in re.findall(r"str|int|None", kind))
    _engine.begin_fake()
    try:
        for spelling in spellings(name, meaning):
            assert isinstance(_engine.pv_get(spelling), kinds), spelling
        if not sets:
            assert not any(settable(spelling) for spelling in spellings(name, meaning))
        else:
            _engine.pv_sets("$br", "sip:branch@example.com")
            assert any(settable(spelling) for spelling in spellings(name, meaning))
    finally:
        _engine.end_fake()


def settable(name: str) -> bool:
    texts = ("sip:new@example.com", "example.com", "new")
    return bool(_engine.pv_seti(name, 5080) or any(_engine.pv_sets(name, text) for text in texts))


def test_pages_name_their_generator() -> None:
    for name in ("ksr.md", "cli.md"):
        command = re.search(r"`python -m ([\w.]+)`", page(name))
        assert command is not None
        assert Path(ROOT / "python" / (command[1].replace(".", "/") + ".py")).is_file()
