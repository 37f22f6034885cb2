"""What a REGISTER does to a location table (RFC 3261 section 10.3), and how it is answered.

Results and answers are those of Kamailio's `save()`, but for bindings shorter than the minimum, which get 423 as
RFC 3261 asks, unless `registrar.too_brief` says otherwise.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sipwright.modules.usrloc import NO_Q, Binding, Table, new_ruid
from sipwright.settings.model import RegistrarSettings

INSERTED: Final = 1
UPDATED: Final = 2
DELETED: Final = 3
FETCHED: Final = 4
FAILED: Final = -1
TOO_MANY: Final = -2

# Flags of save().
MEMORY_ONLY: Final = 1
NO_REPLY: Final = 2
ONE_CONTACT: Final = 4

_MAX_EXPIRES: Final = 2**31 - 1
_Q: Final = re.compile(r"(?:0?(?:\.(\d{0,3}))?|1(?:\.0{0,3})?)")


class Contact(Protocol):
    """One value of a Contact header field; `uri` is "*" for the star."""

    @property
    def uri(self) -> str: ...
    @property
    def params(self) -> Mapping[str, str]: ...


@dataclass(slots=True)
class Registration:
    """A REGISTER as far as the registrar needs it; names as in `Binding`."""

    aor: str
    contacts: Sequence[Contact]
    call_id: str
    cseq: int
    expires: str | None = None
    user_agent: str = ""
    methods: frozenset[str] | None = None
    path: str = ""
    supported: frozenset[str] = frozenset()
    received: str = ""
    socket: int | None = None
    connection: int = 0
    flags: int = 0


@dataclass(slots=True)
class Outcome:
    """What `save()` returns, and the answer: status, reason and header lines without their CRLF."""

    result: int
    status: int = 200
    reason: str = "OK"
    headers: list[str] = field(default_factory=list)


class _Refused(Exception):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def register(
    table: Table, request: Registration, settings: RegistrarSettings, now: float, save_flags: int = 0
) -> Outcome:
    """Applies a REGISTER to the table, all of it or nothing, and returns the result and the answer."""
    with table.lock:
        try:
            outcome = Outcome(_apply(table, request, settings, now, save_flags))
        except _Refused as refusal:
            outcome = refusal.outcome
        bindings = table.live(request.aor, now)
    if bindings and outcome.status in (200, 400, 503):
        outcome.headers.insert(0, contact_header(bindings, now))
    if outcome.status == 200 and (line := _path_header(request, settings)):
        outcome.headers.append(line)
    if outcome.status >= 500 and settings.retry_after_s:
        outcome.headers.append(f"Retry-After: {settings.retry_after_s}")
    return outcome


def contact_header(bindings: Sequence[Binding], now: float) -> str:
    """The Contact header line that tells a user agent its bindings, without CRLF."""
    return "Contact: " + ", ".join(_contact_value(binding, now) for binding in bindings)


def parse_q(text: str | None) -> int | None:
    """A qvalue in thousandths, -1 when there is none; None when it is malformed (RFC 3261 section 25.1)."""
    if text is None:
        return NO_Q
    found = _Q.fullmatch(text)
    if found is None or not text or text == ".":
        return None
    return 1000 if text.startswith("1") else int((found[1] or "").ljust(3, "0"))


def _apply(table: Table, request: Registration, settings: RegistrarSettings, now: float, save_flags: int) -> int:
    if request.path and settings.use_path and settings.path_mode == 2 and "path" not in request.supported:
        raise _Refused(Outcome(FAILED, 420, "Bad Extension", ["Unsupported: path"]))
    if any(contact.uri == "*" for contact in request.contacts):
        return _remove_all(table, request, now)
    if not request.contacts:
        return FETCHED
    wanted = {contact.uri: _binding(contact, request, settings, now) for contact in request.contacts}
    existing = {binding.uri: binding for binding in table.live(request.aor, now)}
    changes = [new for uri, new in wanted.items() if not _is_repeated(existing.get(uri), request)]
    if save_flags & ONE_CONTACT:
        return _replace_all(table, existing, changes, now)
    _check_room(table, existing, changes, settings, now)
    return _store(table, existing, changes, now)


def _binding(contact: Contact, request: Registration, settings: RegistrarSettings, now: float) -> Binding:
    params = contact.params
    q = parse_q(params.get("q"))
    if q is None:
        raise _bad("Invalid q param in contact")
    expires = _granted_expires(params.get("expires"), request, settings)
    reg_id = params.get("reg-id", "")
    return Binding(
        aor=request.aor,
        uri=contact.uri,
        expires_at=now + expires,
        q=settings.default_q if q == NO_Q else q,
        call_id=request.call_id,
        cseq=request.cseq,
        user_agent=request.user_agent,
        received=request.received or params.get("received", ""),
        path=request.path if settings.use_path else "",
        socket=request.socket,
        connection=request.connection,
        flags=request.flags,
        methods=request.methods,
        instance=params.get("+sip.instance", ""),
        reg_id=int(reg_id) if reg_id.isascii() and reg_id.isdigit() and len(reg_id) < 10 else 0,
        modified_at=now,
    )


def _granted_expires(param: str | None, request: Registration, settings: RegistrarSettings) -> int:
    """Seconds that a contact is bound for; 0 removes it (RFC 3261 section 10.3 step 6)."""
    asked = next((n for n in (_seconds(param), _seconds(request.expires)) if n is not None), settings.default_expires_s)
    if asked == 0:
        return 0
    if asked < settings.min_expires_s:
        if settings.too_brief == "423":
            headers = [f"Min-Expires: {settings.min_expires_s}"]
            raise _Refused(Outcome(FAILED, 423, "Interval Too Brief", headers))
        asked = settings.min_expires_s
    return min(asked, settings.max_expires_s or _MAX_EXPIRES, _MAX_EXPIRES)


def _seconds(text: str | None) -> int | None:
    """Delta seconds; a malformed value counts as none (RFC 3261 section 10.2.1.1)."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return min(int(text[:20]), _MAX_EXPIRES)


def _is_repeated(existing: Binding | None, request: Registration) -> bool:
    """Whether the binding was made by this very request, which is then a retransmission; an older one is refused."""
    if existing is None or existing.call_id != request.call_id:
        return False
    if request.cseq < existing.cseq:
        raise _bad("Invalid CSeq number")
    return request.cseq == existing.cseq


def _remove_all(table: Table, request: Registration, now: float) -> int:
    if len(request.contacts) > 1:
        raise _bad("* used in contact and more than 1 contact")
    if _seconds(request.expires) != 0:
        raise _bad("* used in contact and expires is not zero")
    for binding in table.live(request.aor, now):
        _is_repeated(binding, request)
    table.remove_all(request.aor)
    return DELETED


def _replace_all(table: Table, existing: Mapping[str, Binding], changes: Sequence[Binding], now: float) -> int:
    """With the flag for one contact: the last contact of the request replaces all others."""
    if not changes:
        return INSERTED
    kept = changes[-1]
    for uri in [uri for uri in existing if uri != kept.uri]:
        table.remove(kept.aor, uri)
    return _store(table, existing, [kept], now)


def _check_room(
    table: Table, existing: Mapping[str, Binding], changes: Sequence[Binding], settings: RegistrarSettings, now: float
) -> None:
    uris = set(existing)
    for new in changes:
        (uris.add if new.expires_at > now else uris.discard)(new.uri)
    added = len(uris) - len(existing)
    if added > 0 and (settings.max_contacts and len(uris) > settings.max_contacts):
        headers = ["P-Registrar-Error: Too many registered contacts"]
        raise _Refused(Outcome(TOO_MANY, 503, "Service Unavailable", headers))
    if added > 0 and table.is_full:
        raise _Refused(Outcome(FAILED, 503, "Service Unavailable", ["P-Registrar-Error: Location table is full"]))


def _store(table: Table, existing: Mapping[str, Binding], changes: Sequence[Binding], now: float) -> int:
    result = INSERTED
    for new in changes:
        old = existing.get(new.uri)
        if new.expires_at <= now:
            if table.remove(new.aor, new.uri):
                result = DELETED
            continue
        new.ruid = old.ruid if old else new_ruid()
        table.put(new)
        result = UPDATED if old else INSERTED
    return result


def _bad(why: str) -> _Refused:
    return _Refused(Outcome(FAILED, 400, "Bad Request", [f"P-Registrar-Error: {why}"]))


def _path_header(request: Registration, settings: RegistrarSettings) -> str | None:
    if not request.path or not settings.use_path or settings.path_mode == 0 or "path" not in request.supported:
        return None
    return f"Path: {request.path}"


def _contact_value(binding: Binding, now: float) -> str:
    value = f"<{binding.uri}>"
    if binding.q != NO_Q:
        value += f";q={binding.q / 1000:g}"
    value += f";expires={max(0, round(binding.expires_at - now))}"
    if binding.received:
        value += f';received="{binding.received}"'
    if binding.instance:
        value += f';+sip.instance="{binding.instance.strip(chr(34))}"'
    if binding.reg_id:
        value += f";reg-id={binding.reg_id}"
    return value
