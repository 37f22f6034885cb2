"""KSR.siptrace: copies of messages for a capture server or a table, with Kamailio's return codes."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sipwright import _engine, log
from sipwright.control.rpc import INVALID_PARAMS, RpcError
from sipwright.kemi.calls import ksr
from sipwright.modules.hep import LOG, Captured
from sipwright.modules.siptrace import Trace, Tracer, Wish, now_micros
from sipwright.settings.listen import socket_text
from sipwright.settings.siptrace import SiptraceSettings

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = [
    "hlog",
    "hlog_cid",
    "sip_trace",
    "sip_trace_dst",
    "sip_trace_dst_cid",
    "sip_trace_dst_cid_type",
    "sip_trace_mode",
    "sip_trace_msg",
]

_SWEEP_S: Final = 60.0
_EVENT: Final = "siptrace:msg"

_settings = SiptraceSettings()
_tracer = Tracer(_settings, None, None)
# The trace whose event route this worker runs.
_worker = threading.local()


def configure(host: "Host") -> None:
    """Begins to trace if the settings say so."""
    global _settings, _tracer
    _settings = host.settings.siptrace
    has_table = bool(_settings.db_url or host.settings.database.url)
    show = (lambda trace, copy: _show(host, trace, copy)) if _settings.evcb_msg else None
    _tracer = Tracer(_settings, host.engine, (lambda: host.database(_settings.db_url)) if has_table else None, show)
    host.variable("siptrace", lambda inner, _: _of_trace(inner))
    host.rpc.add("siptrace.status", _status)
    host.count(_tracer.counters)
    if host.engine is not None:
        host.every(_SWEEP_S, _tracer.sweep)
        host.at_stop(_tracer.stop)


@ksr("siptrace.sip_trace")
def sip_trace() -> int:
    """Copies the message in work: 1; -1 while tracing is off."""
    return _trace(Wish(), "m")


@ksr("siptrace.sip_trace_dst")
def sip_trace_dst(destination: str) -> int:
    """As `sip_trace`, to `sip:host:port` instead of `siptrace.duplicate_uri`."""
    return _trace(Wish(destination), "m")


@ksr("siptrace.sip_trace_dst_cid")
def sip_trace_dst_cid(destination: str, correlation: str) -> int:
    """As `sip_trace_dst`, with a correlation id for HEP 3."""
    return _trace(Wish(destination, correlation), "m")


@ksr("siptrace.sip_trace_dst_cid_type")
def sip_trace_dst_cid_type(destination: str, correlation: str, mode: str) -> int:
    """As `sip_trace_dst_cid`, in a mode of `sip_trace_mode`."""
    return _trace(Wish(destination, correlation), mode)


@ksr("siptrace.sip_trace_mode")
def sip_trace_mode(mode: str) -> int:
    """Copies the message in work (`m`), and what else belongs to its transaction (`t`) or dialog (`d`): 1; -1 while tracing is off."""
    return _trace(Wish(), mode)


@ksr("siptrace.sip_trace_msg")
def sip_trace_msg(text: str, source: str, target: str, time: str, correlation: str) -> int:
    """Copies a message that the script has as a text. Addresses are `proto:ip:port`, the time `seconds microseconds`: 1, or -1."""
    if not _tracer.is_on:
        return -1
    try:
        proto, host, port = _split(source)
        _, other, other_port = _split(target)
        seconds, _, micros = time.partition(" ")
        at = int(seconds) * 1_000_000 + int(micros or 0) if time else now_micros()
    except ValueError as error:
        log.error(f"KSR.siptrace.sip_trace_msg: {error}")
        return -1
    captured = Captured(text.encode("utf-8", "surrogateescape"), proto, (host, port), (other, other_port), at)
    _tracer.copy(Trace(captured, "in"), Wish(correlation=correlation))
    return 1


@ksr("siptrace.hlog")
def hlog(text: str) -> int:
    """Sends a log line to the capture server, with the Call-ID for a correlation id: 1, or -1."""
    return _log(_engine.current().call_id, text)


@ksr("siptrace.hlog_cid")
def hlog_cid(correlation: str, text: str) -> int:
    """As `hlog`, with a correlation id: 1, or -1."""
    return _log(correlation, text)


def _trace(wish: Wish, mode: str) -> int:
    if not _tracer.is_on:
        return -1
    message = _engine.current()
    wish = Wish(
        wish.destination, wish.correlation, _variable(_settings.traced_user_avp), _variable(_settings.trace_table_avp)
    )
    _tracer.copy(_arrived(message), wish)
    kind = mode[:1].lower()
    if kind in ("t", "d"):
        if not _settings.trace_sl_acks:
            wish = replace(wish, passed_tag=str(_engine.pv_get("$ltt(s)") or ""))
        watched = _tracer.watch(message.call_id, message.cseq if kind == "t" else None, wish)
        return 1 if watched else -1
    return 1


def _show(host: "Host", trace: Trace, copy: Callable[[], None]) -> None:
    """Runs the event route with the message of the trace; what is no SIP message is copied as it is."""

    def run() -> None:
        captured = trace.captured
        if not _engine.begin_shown(captured.payload, captured.proto, *captured.source):
            copy()
            return
        _worker.trace = trace
        try:
            host.run_route(_settings.evcb_msg, _EVENT)
            dropped = _engine.take_drop()
        finally:
            _worker.trace = None
            _engine.end_fake()
        if not dropped:
            copy()

    host.call(run)


def _of_trace(what: str) -> str | int | None:
    """`$siptrace(what)`, in the event route."""
    trace: Trace | None = getattr(_worker, "trace", None)
    if trace is None:
        return None
    if what == "direction":
        return trace.direction
    side, _, part = what.partition("_")
    captured = trace.captured
    address = {"src": captured.source, "dst": captured.target}.get(side)
    if address is None:
        return None
    host, port = address
    parts: dict[str, str | int] = {
        "addr": socket_text(captured.proto, host, port),
        "host": f"[{host}]" if ":" in host else host,
        "hostip": host,
        "port": port,
        "proto": captured.proto,
    }
    return parts.get(part)


def _arrived(message: "Message") -> Trace:
    """The message in work as it came."""
    source = message.source
    captured = Captured(message.raw(), source.proto, (source.ip, source.port), message.dst_address, now_micros())
    return Trace(captured, "in")


def _variable(name: str) -> str:
    return str(_engine.pv_get(name) or "") if name else ""


def _log(correlation: str, text: str) -> int:
    message = _engine.current()
    ours = message.dst_address
    try:
        theirs = _split(_settings.duplicate_uri.removeprefix("sip:"))[1:]
        captured = Captured(text.encode(), "udp", ours, theirs, now_micros(), LOG, correlation)
        _tracer.log(captured)
    except ValueError as error:
        log.error(f"KSR.siptrace.hlog: {error}")
        return -1
    return 1


def _split(address: str) -> tuple[str, str, int]:
    """`[proto:]ip:port`; ValueError for anything else."""
    place, _, port = address.rpartition(":")
    proto, colon, host = place.partition(":")
    if not colon or "[" in proto:
        proto, host = "udp", place
    if not host or not port.isdigit():
        raise ValueError(f"{address!r} is not proto:ip:port")
    return proto.lower(), host.strip("[]"), int(port)


def _status(wish: str = "check") -> str:
    """Turns tracing `on` or `off`, or only tells (`check`)."""
    if wish not in ("on", "off", "check"):
        raise RpcError(INVALID_PARAMS, "the parameter is on, off or check")
    if wish != "check":
        _tracer.switch(wish == "on")
    return "Enabled" if _tracer.is_on else "Disabled"
