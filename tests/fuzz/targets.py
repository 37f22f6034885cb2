"""What Python reads that others write, each as a function that takes bytes and raises only when something is wrong.

A target swallows the errors that the documentation of the reader names; every other exception is a finding.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sipwright.control.rpc import Rpc, RpcError
from sipwright.modules import bencode, binrpc, digest, media_sdp, rtpengine, rtpproxy
from sipwright.modules import dispatcher as dispatchers
from sipwright.modules import permissions as addresses
from sipwright.modules.dialog_requests import values_of
from sipwright.modules.hep import Captured, encapsulate
from sipwright.modules.nonces import Nonces
from sipwright.modules.sdp import Sdp, attribute, has_name, with_version
from sipwright.modules.siptrace import Trace, columns, with_path_of_headers
from sipwright.modules.uac_reg import granted
from sipwright.record import capture as recorded
from sipwright.settings.auth import AuthSettings
from sipwright.settings.errors import SettingsError
from sipwright.settings.kamailio.regex import Substitution
from sipwright.settings.kamailio.translate import read_kamailio_cfg
from sipwright.settings.listen import Listen
from sipwright.settings.tls_cfg import read_tls_cfg
from sipwright.sharing import records
from sipwright.storage.errors import DatabaseUrlError
from sipwright.storage.urls import masked, read_url
from sipwright.testing import capture as captures
from sipwright.testing.message import SipMessage

Target = Callable[[bytes], None]
TARGETS: Final[dict[str, Target]] = {}
MAX_INPUT: Final = 65_536
# Instrumented code and slow machines included.
MAX_SECONDS: Final = 1.0


def target(function: Target) -> Target:
    """Adds a target under the name of its function."""
    TARGETS[function.__name__] = function
    return function


def check(function: Target, data: bytes) -> None:
    """Gives a target one input and watches its processor time, that of this thread alone. TimeoutError."""
    before = time.thread_time()
    function(data[:MAX_INPUT])
    took = time.thread_time() - before
    if took > MAX_SECONDS:
        raise TimeoutError(f"{len(data)} bytes took {took:.2f} s")


def text_of(data: bytes) -> str:
    """Text for readers of texts: what is no UTF-8 does not come to them."""
    return data.decode("utf-8", "replace")


# ---- what anybody may send -------------------------------------------------------------------------------------------


@target
def credentials(data: bytes) -> None:
    """Authorization of a request, and the nonce in it."""
    try:
        found = digest.parse(text_of(data))
        found.check()
    except digest.CredentialsError:
        return
    expected = digest.response(found, digest.ha1_of(found, "password"), "INVITE", data)
    assert not digest.is_same(expected, found.get("response")) or len(expected) >= 32
    digest.rspauth(found, "0" * 32, data)
    nc = int(found.get("nc"), 16) if found.get("qop") else None
    _NONCES.use(_NONCES.check(found.get("nonce"), 1_700_000_000.0), nc)


_NONCES: Final = Nonces(AuthSettings(nonce_count=True))


@target
def sdp(data: bytes) -> None:
    """A session description that scripts read and change (sdpops)."""
    text = text_of(data)
    found = Sdp.parse(text)
    if found is None:
        return
    assert str(found) == text
    for key in ("body", "sess_version", "o:ip", "c:ip", "c:af", "m0:rtp:port", "m0:rtcp:port", "m1:b:AS", "m0:raw"):
        attribute(found, key)
    assert all(0 <= one.port <= 65_535 for one in found.media)
    found.keep_payloads("audio", has_name(["PCMU", "opus"]))
    found.remove_lines("a=", "video")
    with_version(found, -1)
    again = Sdp.parse(str(found))
    assert again is not None
    assert len(again.media) == len(found.media)


@target
def media(data: bytes) -> None:
    """The description in a body and what a media proxy makes of it: the first line is the Content-Type."""
    content_type, _, body = data.partition(b"\n")
    place = media_sdp.locate(body, text_of(content_type))
    if place is None:
        return
    start, end = place
    assert 0 <= start <= end <= len(body)
    description = body[start:end]
    call = rtpproxy.Call("call", "a", "b", "192.0.2.1", True)
    exchange = rtpproxy.Exchange(call, rtpproxy.read_flags("rco"), True)
    try:
        made = exchange.run(description, lambda _: "40000 192.0.2.9", "192.0.2.9")
    except rtpproxy.Refused:
        return
    assert len(media_sdp.parse(made).media) == len(media_sdp.parse(description).media)


@target
def trace_headers(data: bytes) -> None:
    """A message that tells its path in X-Siptrace header fields."""
    captured = Captured(data, "udp", ("192.0.2.1", 5060), ("192.0.2.2", 5060), 0)
    found = with_path_of_headers(Trace(captured, "in"))
    columns(data)
    if found is not None:
        with contextlib.suppress(ValueError):
            encapsulate(found.captured, 3, 1)


@target
def answers_of_registrars(data: bytes) -> None:
    """Contact and Expires of a registrar that we are registered with, in lines."""
    lines = text_of(data).split("\n")
    contacts = [(lines[0], line) for line in lines[1:]]
    assert 0 <= granted(contacts, "sip:us", lines[-1], 60) <= 2**32


@target
def dialog_routes(data: bytes) -> None:
    """Record-Route values of the responses in a dialog."""
    text = text_of(data)
    assert sum(map(len, values_of([text]))) <= len(text)


# ---- what control clients send ---------------------------------------------------------------------------------------


def _rpc() -> Rpc:
    def echo(a: int, b: float = 1.0, c: str = "") -> list[Any]:
        return [a, b, c]

    def fails(*words: str) -> None:
        raise RpcError(-32000, "".join(map(str, words)))

    rpc = Rpc()
    rpc.add("test.echo", echo)
    rpc.add("test.fails", fails)
    rpc.add("htable.get", lambda table, key: {table: key})
    return rpc


_RPC: Final = _rpc()


@target
def json_rpc(data: bytes) -> None:
    """A JSON-RPC request; the answer is JSON."""
    answering = _RPC.handle(data)
    try:
        answering.send(None)
    except StopIteration as ended:
        answer = ended.value
    else:
        raise AssertionError("no method here waits")
    if answer is not None:
        json.loads(answer.encode(), parse_constant=_no_constant)
    try:
        request = json.loads(data)
    except (ValueError, RecursionError):
        return
    json.dumps(_RPC.call_here(request))


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON (RFC 8259 section 6)")


@target
def binary_rpc(data: bytes) -> None:
    """Kamailio's binary RPC: whole, in pieces, and answered."""
    whole = _packets(data, len(data) or 1)
    assert _packets(data, 1 + len(data) // 5) == whole
    for packet in whole[0]:
        binrpc.packet_of(binrpc.reply(packet.cookie, packet.values))


def _packets(data: bytes, step: int) -> tuple[list[binrpc.Packet], bool]:
    found: list[binrpc.Packet] = []
    buffer = bytearray()
    try:
        for at in range(0, len(data), step):
            buffer += data[at : at + step]
            found.extend(binrpc.packets(buffer))
    except binrpc.BinrpcError:
        return found, False
    return found, True


# ---- what other servers send -----------------------------------------------------------------------------------------


@target
def media_proxy(data: bytes) -> None:
    """An answer of rtpengine, or of RTPProxy."""
    with contextlib.suppress(rtpproxy.Refused):
        rtpproxy.Answer.read(data.decode("utf-8", "surrogateescape"), "192.0.2.9")
    try:
        answer = rtpengine.read_answer(data)
    except rtpengine.Refused:
        return
    assert bencode.decode(bencode.encode(answer)) == answer
    rtpengine.totals(answer)
    rtpengine.mos(answer)
    rtpengine.mos(answer, "caller")
    rtpengine.as_text(answer, "j")
    rtpengine.as_text(answer, "r")


@target
def shared_record(data: bytes) -> None:
    """A record that another server has put into Redis."""
    try:
        found = records.read(text_of(data))
    except ValueError:
        return
    assert records.read(records.write(*found)) == found


# ---- files -----------------------------------------------------------------------------------------------------------


class _Scratch:
    """A file that is written anew for each input; targets of children do not share it."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def written(self, data: bytes, name: str) -> Path:
        """The file, with these bytes."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sipwright-fuzz-")
        path = Path(self._folder.name) / name
        # Cheaper than a new file, of which the kernel would have to make an inode each time.
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(data)
        return path


_SCRATCH: Final = _Scratch()


def _explains(error: Exception) -> None:
    assert str(error), "an error says what is wrong"


@target
def kamailio_cfg(data: bytes) -> None:
    """A kamailio.cfg."""
    try:
        read_kamailio_cfg(_SCRATCH.written(data, "kamailio.cfg"), environ={})
    except SettingsError as error:
        _explains(error)


@target
def tls_cfg(data: bytes) -> None:
    """A tls.cfg."""
    try:
        read_tls_cfg(_SCRATCH.written(data, "tls.cfg"))
    except SettingsError as error:
        _explains(error)


def _ignored(_: str) -> None:
    """Warnings go nowhere here."""


@target
def dispatcher_list(data: bytes) -> None:
    """The list file of dispatcher."""
    for strict in (True, False):
        try:
            groups = dispatchers.make_groups(
                dispatchers.list_rows(text_of(data), "dispatcher.list"), strict=strict, warn=_ignored
            )
        except dispatchers.ListError:
            continue
        for group in groups.values():
            priorities = [one.priority for one in group.destinations]
            assert priorities == sorted(priorities, reverse=True)


@target
def address_file(data: bytes) -> None:
    """The address file of permissions."""
    entries, problems = addresses.read_address_file(text_of(data))
    table = addresses.AddressTable(entries)
    assert len(table.entries) + len(table.rejected) == len(entries)
    assert all(problem.startswith("line ") for problem in problems)
    for group in {1, *(entry.group for entry in entries[:8])}:
        table.allows(group, "192.0.2.1", 5060)
        table.group_of("2001:db8::1", 0)


@target
def capture_file(data: bytes) -> None:
    """A packet capture, for both readers."""
    path = _SCRATCH.written(data, "capture")
    with contextlib.suppress(captures.CaptureError):
        captures.read_capture(path)
    with contextlib.suppress(recorded.CaptureError):
        recorded.read(path)
    with contextlib.suppress(ValueError):
        SipMessage.parse(data)


@target
def settings_text(data: bytes) -> None:
    """Texts in settings with a grammar of their own: sockets, URLs of databases, substitutions."""
    text = text_of(data)
    with contextlib.suppress(ValueError):
        assert Listen.parse(text).sockets()
    try:
        shown = masked(read_url(text))
        assert "secret" not in shown or "secret" in text
    except DatabaseUrlError:
        pass
    with contextlib.suppress(ValueError):
        Substitution.parse(text, lambda part: part)
