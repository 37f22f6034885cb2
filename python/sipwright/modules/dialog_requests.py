"""Requests that a proxy sends within a dialog of others: BYE, OPTIONS, REFER (RFC 3261 section 12.2.1.1)."""

import re
from typing import Final

from sipwright import _engine, log
from sipwright.modules.dialog import Dialog, Leg

# A quote or bracket that stays open reaches to the end, and nothing is tried twice: else a header field of 64 kB full of
# them would take a minute.
_VALUES: Final = re.compile(r'(?:[^,<"]|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|<[^>]*+(?:>|\Z))++', re.DOTALL)
_URI: Final = re.compile(r"<([^>]*)>")


def values_of(headers: list[str]) -> list[str]:
    """The values of header fields that may hold several with commas between them, in order."""
    return [value.strip() for header in headers for value in _VALUES.findall(header)]


def routes_to_callee(recorded: list[str], caller_routes: int, ours: int) -> tuple[str, ...]:
    """The route set from us to the callee, from the Record-Route values of its response, of which the last ones are those
    of proxies on the caller's side and `ours` our own."""
    theirs = recorded[: max(0, len(recorded) - caller_routes - ours)]
    return tuple(reversed(theirs))


def send(
    dialog: Dialog,
    method: str,
    to_callee: bool,
    extra: str = "",
    *,
    cseq: int | None = None,
    callback: str = "",
    event: str = "",
) -> bool:
    """Sends a request as if from the other side. Without `cseq` it takes the next number of that side. False, with a log
    line, when it cannot be sent."""
    target, other = (dialog.callee, dialog.caller) if to_callee else (dialog.caller, dialog.callee)
    from_uri, to_uri = (dialog.from_uri, dialog.to_uri) if to_callee else (dialog.to_uri, dialog.from_uri)
    if cseq is None:
        other.cseq += 1
        cseq = other.cseq
    if not target.contact:
        log.error(f"dialog: no Contact of the {'callee' if to_callee else 'caller'} of {dialog.call_id} is known")
        return False
    uri, routes = _aim(target)
    headers = (
        f"From: <{from_uri}>;tag={other.tag}\r\n"
        f"To: <{to_uri}>;tag={target.tag}\r\n"
        f"Call-ID: {dialog.call_id}\r\n"
        f"CSeq: {cseq} {method}\r\n" + "".join(f"Route: {route}\r\n" for route in routes) + extra
    )
    first = _URI.search(target.routes[0]) if target.routes else None
    hop = first.group(1) if first else ""
    try:
        _engine.send_request(
            method, uri, headers, b"", next_hop=hop, socket=target.socket, callback=callback, event=event
        )
    except ValueError as error:
        log.error(f"dialog: {method} of {dialog.call_id} cannot be sent: {error}")
        return False
    return True


def _aim(target: Leg) -> tuple[str, tuple[str, ...]]:
    """Request-URI and routes; a strict router on the way is the Request-URI itself (RFC 3261 section 12.2.1.1)."""
    first = _URI.search(target.routes[0]) if target.routes else None
    if first is None or re.search(r";lr(?:[;=?]|$)", first.group(1)):
        return target.contact, target.routes
    return first.group(1), (*target.routes[1:], f"<{target.contact}>")
