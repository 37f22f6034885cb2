"""Copies of messages for a capture server or a table (Kamailio's module siptrace).

What a script traces itself is copied in its worker. What belongs to a traced transaction or dialog, or to everything,
comes from the engine's tap in a thread of its own, so that no worker and no sender waits.
"""

import itertools
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from sipwright import log
from sipwright.decimal import decimal
from sipwright.modules.hep import Captured, encapsulate
from sipwright.settings.listen import join_host_port
from sipwright.settings.siptrace import SiptraceSettings

if TYPE_CHECKING:
    from sipwright._engine import Engine
    from sipwright.storage.database import Database

TRANSACTION_S: Final = 180
DIALOG_S: Final = 12 * 3_600
# What may still come after the end of a dialog (RFC 3261 timers B, F and H).
AFTERMATH_S: Final = 32
_WAIT_MS: Final = 200
_LAYOUT: Final = "sip_trace"
_DEFAULT_PORT: Final = 5_060
_READ: Final = re.compile(
    rb"^X-Siptrace-(Fromip|Toip|Time|Method|Dir):[ \t]*([^\r\n]*)\r\n", re.MULTILINE | re.IGNORECASE
)
# Traces are for people to look at: columns are read from the text, and a message that is none has them empty.
_FIELDS: Final = {
    "callid": re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]*)", re.MULTILINE | re.IGNORECASE),
    "fromtag": re.compile(rb"^(?:From|f)[ \t]*:[^\r\n]*;[ \t]*tag=([^;\r\n ]*)", re.MULTILINE | re.IGNORECASE),
    "totag": re.compile(rb"^(?:To|t)[ \t]*:[^\r\n]*;[ \t]*tag=([^;\r\n ]*)", re.MULTILINE | re.IGNORECASE),
    "method": re.compile(rb"^CSeq[ \t]*:[ \t]*\d+[ \t]+(\S+)", re.MULTILINE | re.IGNORECASE),
}
# Settings with the names that the table has for these columns.
_COLUMNS: Final = {"time_stamp": "date_column"} | {
    name: f"{name}_column"
    for name in ("callid", "traced_user", "msg", "method", "status", "fromip", "toip", "fromtag", "totag", "direction")
}
_WIDTHS: Final = {"callid": 255, "fromtag": 128, "totag": 128, "method": 50}


@dataclass(frozen=True, slots=True)
class Wish:
    """Where the copies of something go; what is empty follows from the settings."""

    destination: str = ""
    correlation: str = ""
    user: str = ""
    table: str = ""
    is_dialog: bool = False
    # To tag of stateless replies to the request; their ACKs are not traced then.
    passed_tag: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """A message with its path and direction."""

    captured: Captured
    direction: str


# Bits of `trace_mode`.
_AS_HEP: Final = 1
_TO_TABLE: Final = 2
_AS_IT_IS: Final = 4
# Shows a trace to the script, and calls the function unless the script drops it.
Show = Callable[[Trace, Callable[[], None]], None]


class Tracer:
    """Makes the copies. `is_on` is whether any are made; `show` is asked before one that `trace_mode` wants."""

    def __init__(
        self,
        settings: SiptraceSettings,
        engine: "Engine | None",
        database: "Callable[[], Database] | None",
        show: Show | None = None,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._show = show
        self._database = database if settings.trace_to_database else None
        self._wishes: dict[int, Wish] = {}
        self._keys = itertools.count(1)
        self._thread: threading.Thread | None = None
        self._stops = False
        self._lock = threading.Lock()
        # Made when it is first needed.
        self._socket: socket.socket | None = None
        self.sent = 0
        self.failed = 0
        self.is_on = False
        self.switch(settings.trace_on)

    def switch(self, on: bool) -> None:
        """Turns tracing on or off; off forgets what is traced."""
        self.is_on = on
        if self._engine is None:
            return
        everything = on and self._settings.trace_mode > 0
        if everything:
            self._begin()
        self._engine.trace_all(everything)
        if not on:
            self._engine.trace_sweep(True)
            self._wishes.clear()

    def watch(self, call_id: str, cseq: int | None, wish: Wish) -> bool:
        """Has what follows of a transaction (with `cseq`) or dialog traced; False when too much is traced already."""
        if self._engine is None:
            return False
        self._begin()
        key = next(self._keys)
        self._wishes[key] = replace(wish, is_dialog=cseq is None)
        seconds = DIALOG_S if cseq is None else TRANSACTION_S
        if not self._engine.trace_call(call_id, cseq, key, seconds):
            self._wishes.pop(key, None)
            return False
        return True

    def sweep(self) -> None:
        """Forgets what is over."""
        if self._engine is not None and self._engine.trace_sweep(False) == 0 and self._settings.trace_mode == 0:
            self._wishes.clear()

    def copy(self, trace: Trace, wish: Wish) -> None:
        """Makes the copies of one message."""
        settings = self._settings
        trace = self._from_here(trace)
        if settings.xheaders_read:
            read = with_path_of_headers(trace)
            if read is None:
                return
            trace = read
        if self._database is not None:
            self._store(self._database(), trace, wish)
        destination = wish.destination or settings.duplicate_uri
        if destination and settings.hep_mode_on:
            self._send_hep(destination, trace, wish.correlation)
        elif destination:
            self._send_plain(destination, trace)

    def log(self, captured: Captured) -> None:
        """Sends a log event to the capture server; ValueError when it is too long."""
        destination = self._settings.duplicate_uri
        if destination:
            self._put(destination, encapsulate(captured, 3, self._settings.hep_capture_id, self._settings.auth_key))

    def counters(self) -> dict[str, int]:
        """What is counted."""
        lost = self._engine.trace_lost() if self._engine is not None else 0
        return {"siptrace_sent": self.sent, "siptrace_failed": self.failed, "siptrace_lost": lost}

    def stop(self) -> None:
        """Ends the thread, after what it has."""
        self._stops = True
        if self._thread is not None:
            self._thread.join(2)
        if self._socket is not None:
            self._socket.close()

    # ---- the thread ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="siptrace", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        assert self._engine is not None
        while not self._stops:
            for key, sent, micros, proto, ours, theirs, data in self._engine.traced(_WAIT_MS):
                source, target = (ours, theirs) if sent else (theirs, ours)
                trace = Trace(Captured(data, proto, source, target, micros), "out" if sent else "in")
                if key == 0:
                    self._everything(trace)
                    continue
                wish = self._wishes.get(key, Wish())
                if wish.passed_tag and data.startswith(b"ACK ") and columns(data)["totag"] == wish.passed_tag:
                    continue
                self.copy(trace, wish)
                if wish.is_dialog and ends_dialog(data):
                    self._engine.trace_call(columns(data)["callid"], None, key, AFTERMATH_S)

    # ---- copies ----------------------------------------------------------------------------------------------------

    def _everything(self, trace: Trace) -> None:
        if self._show is None:
            self._mirror(trace)
        else:
            self._show(trace, lambda: self._mirror(trace))

    def _mirror(self, trace: Trace) -> None:
        """Makes the copies that `trace_mode` wants."""
        trace, mode, destination = self._from_here(trace), self._settings.trace_mode, self._settings.duplicate_uri
        if mode & _TO_TABLE and self._database is not None:
            self._store(self._database(), trace, Wish())
        if mode & _AS_HEP and destination:
            self._send_hep(destination, trace)
        if mode & _AS_IT_IS and destination:
            self._send_plain(destination, trace)

    def _from_here(self, trace: Trace) -> Trace:
        """The trace with the address that the settings have for what we send."""
        ours = self._settings.trace_local_ip
        if not ours or trace.direction != "out":
            return trace
        return replace(trace, captured=replace(trace.captured, source=_address(ours)))

    def _send_plain(self, destination: str, trace: Trace) -> None:
        self._put(destination, with_headers(trace) if self._settings.xheaders_write else trace.captured.payload)

    def _send_hep(self, destination: str, trace: Trace, correlation: str = "") -> None:
        settings, captured = self._settings, trace.captured
        if correlation:
            captured = replace(captured, correlation=correlation)
        try:
            self._put(
                destination, encapsulate(captured, settings.hep_version, settings.hep_capture_id, settings.auth_key)
            )
        except ValueError as error:
            self.failed += 1
            log.error(f"siptrace: {error}")

    def _put(self, destination: str, data: bytes) -> None:
        try:
            self._opened().sendto(data, _address(destination))
            self.sent += 1
        except (OSError, ValueError) as error:
            self.failed += 1
            log.debug(f"siptrace: {destination}: {error}")

    def _opened(self) -> socket.socket:
        with self._lock:
            if self._socket is None:
                self._socket = _socket_from(self._settings.force_send_sock)
            return self._socket

    def _store(self, database: "Database", trace: Trace, wish: Wish) -> None:
        table = wish.table or self._settings.table
        row = row_of(trace)
        names = {name: getattr(self._settings, setting) for name, setting in _COLUMNS.items()}
        users = ["", wish.user] if wish.user else [""]
        for user in users:
            values = {names.get(name, name): value for name, value in {**row, "traced_user": user}.items()}
            database.write("insert", table, values, layout=_LAYOUT, times=(names["time_stamp"],))


def _socket_from(uri: str) -> socket.socket:
    host, port = _address(uri) if uri else ("", 0)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.setblocking(False)
    if host:
        made.bind((host, port if uri.count(":") > 1 else 0))
    return made


def _address(uri: str) -> tuple[str, int]:
    """Host and port of `sip:host:port`, `proto:ip:port` or `ip:port`."""
    place = re.sub(r"^(?:sip|udp|tcp|tls|ws|wss):", "", uri).partition(";")[0]
    host, colon, port = place.rpartition(":")
    number = decimal(port, 65_535) if colon else None
    return (place.strip("[]"), _DEFAULT_PORT) if number is None else (host.strip("[]"), number)


def columns(data: bytes) -> dict[str, str]:
    """Call-ID, tags and method of a message, as far as it has them."""
    head = data.partition(b"\r\n\r\n")[0]
    found = {name: pattern.search(head) for name, pattern in _FIELDS.items()}
    return {
        name: match[1].strip().decode("utf-8", "replace")[: _WIDTHS[name]] if match else ""
        for name, match in found.items()
    }


def ends_dialog(data: bytes) -> bool:
    """Whether it is the final response to a BYE."""
    return data.startswith(b"SIP/2.0 ") and data[8:9] >= b"2" and columns(data)["method"] == "BYE"


def row_of(trace: Trace) -> dict[str, Any]:
    """The row of a message in the table, but for its user."""
    captured = trace.captured
    seconds, micros = divmod(captured.micros, 1_000_000)
    is_reply = captured.payload.startswith(b"SIP/2.0 ")
    status = captured.payload[8:11].decode("ascii", "replace") if is_reply else ""
    return {
        **columns(captured.payload),
        "time_stamp": seconds,
        "time_us": micros,
        "msg": captured.payload.decode("utf-8", "replace"),
        "status": status,
        "fromip": f"{captured.proto}:{join_host_port(*captured.source)}",
        "toip": f"{captured.proto}:{join_host_port(*captured.target)}",
        "direction": trace.direction,
    }


def with_headers(trace: Trace) -> bytes:
    """The message with its path in header fields, after the others."""
    row, captured = row_of(trace), trace.captured
    seconds, micros = divmod(captured.micros, 1_000_000)
    lines = (
        f"X-Siptrace-Fromip: {row['fromip']}\r\nX-Siptrace-Toip: {row['toip']}\r\nX-Siptrace-Time: {seconds} {micros}\r\n"
        f"X-Siptrace-Method: {row['method']}\r\nX-Siptrace-Dir: {trace.direction}\r\n"
    )
    head, blank, body = captured.payload.partition(b"\r\n\r\n")
    return head + b"\r\n" + lines.encode() + b"\r\n" + body if blank else captured.payload


def with_path_of_headers(trace: Trace) -> Trace | None:
    """The trace with the path that its header fields tell, and without these; None when it has none."""
    payload = trace.captured.payload
    head, blank, body = payload.partition(b"\r\n\r\n")
    found = {name.lower().decode(): value.decode("utf-8", "replace") for name, value in _READ.findall(head + b"\r\n")}
    if not found.keys() >= {"fromip", "toip", "time", "dir"}:
        return None
    rest = _READ.sub(b"", head + b"\r\n")
    seconds, _, micros = found["time"].partition(" ")
    at = decimal(seconds, 2**32), decimal(micros, 999_999)
    if at[0] is None or at[1] is None:
        return None
    captured = Captured(
        rest + (b"\r\n" + body if blank else b""),
        found["fromip"].partition(":")[0],
        _address(found["fromip"]),
        _address(found["toip"]),
        at[0] * 1_000_000 + at[1],
    )
    return Trace(captured, found["dir"])


def now_micros() -> int:
    """The time, in microseconds since 1970."""
    return time.time_ns() // 1_000
