"""JSON-RPC over streams and for scripts: documents, reply names, outcomes, settings."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sipwright.control.jsonrpcs import write_reply
from sipwright.control.rpc import FAILED, METHOD_NOT_FOUND, Rpc, RpcError
from sipwright.modules.jsonrpcs import MAX_DOCUMENT_BYTES, STALE_S, Documents, outcome, reason, reply_name, shown
from sipwright.settings.jsonrpcs import DATAGRAM, FIFO, HTTP, JsonrpcsSettings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=3) | st.lists(JSON, max_size=3), max_size=4), st.data()
)
def test_documents_however_they_are_cut(documents: list[object], data: st.DataObject) -> None:
    stream = b" \n, ".join(json.dumps(document).encode() for document in documents)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    reader, found = Documents(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.feed(stream[start:end], 0.0)
    assert [json.loads(one) for one in found] == documents


def test_braces_in_texts_do_not_count() -> None:
    text = b'{"a": "}\\\\\\"{[", "b": [1, {}]}'
    assert Documents().feed(b"noise " + text + b"] more", 0.0) == [text]


def test_what_does_not_end_is_dropped() -> None:
    reader = Documents()
    assert reader.feed(b'{"a": ' + b" " * MAX_DOCUMENT_BYTES, 0.0) == []
    assert reader.feed(b"{}", 0.0) == [b"{}"]
    assert reader.feed(b'{"half": "', 10.0) == []
    assert reader.feed(b"{}", 10.1 + STALE_S) == [b"{}"]


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (b'{"reply_name": "answer.fifo"}', "answer.fifo"),
        (b'{"reply_name": "../etc/passwd"}', None),
        (b'{"reply_name": ".."}', None),
        (b'{"reply_name": ""}', None),
        (b'{"reply_name": 7}', None),
        (b"{}", None),
        (b"[]", None),
        (b"nonsense", None),
    ],
)
def test_names_of_reply_fifos(request_: bytes, name: str | None) -> None:
    assert reply_name(request_) == name


def test_outcomes() -> None:
    rpc = Rpc()
    rpc.add("twice", lambda n: 2 * n)

    def fail() -> None:
        raise RpcError(FAILED, "not today\r\nX: y")

    rpc.add("fail", fail, blocking=True)
    answer = rpc.call_here({"jsonrpc": "2.0", "method": "twice", "params": [4], "id": "x"})
    assert answer == {"jsonrpc": "2.0", "result": 8, "id": "x"}
    assert outcome(answer) == (200, "OK")
    assert rpc.call_here({"method": "twice", "params": {"n": 1}}) == {"jsonrpc": "2.0", "result": 2}
    failed = rpc.call_here({"method": "fail", "id": 1})
    assert (failed["id"], failed["error"]["code"]) == (1, FAILED)
    assert outcome(failed) == (500, "not today\r\nX: y")
    assert reason(outcome(failed)[1]) == "not today  X: y"
    assert rpc.call_here({"method": "none", "id": 1})["error"]["code"] == METHOD_NOT_FOUND
    assert "error" in rpc.call_here({"method": "twice", "params": [1, 2, 3]})
    assert "error" in rpc.call_here({"method": "twice", "params": "text"})
    assert "error" in rpc.call_here(None)
    assert shown({"a": 1}, pretty=True) == '{\n\t"a": 1\n}'


def test_it_runs_in_the_thread_that_calls() -> None:
    rpc = Rpc()
    rpc.add("where", lambda: threading.current_thread().name, blocking=True)
    assert rpc.call_here({"method": "where"})["result"] == threading.current_thread().name


def test_settings() -> None:
    assert JsonrpcsSettings().uses(HTTP)
    chosen = JsonrpcsSettings(transport=6)
    assert (chosen.uses(HTTP), chosen.uses(FIFO), chosen.uses(DATAGRAM)) == (False, True, True)
    JsonrpcsSettings(dgram_socket="udp:[::1]:8090")
    for text in ("udp:192.0.2.1:8090", "udp:127.0.0.1", "udp:127.0.0.1:0", "udp:localhost:1"):
        with pytest.raises(ValidationError):
            JsonrpcsSettings(dgram_socket=text)


def test_only_fifos_are_written_to(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "link").symlink_to(victim)
    for name in ("victim", "link"):
        with pytest.raises(OSError):
            write_reply(tmp_path / name, b"other")
    assert victim.read_text() == "mine"
