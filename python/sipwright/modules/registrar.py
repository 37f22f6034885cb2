"""What a REGISTER does to a location table (RFC 3261 section 10.3), and how it is answered.

Results and answers are those of Kamailio's `save()`, but for what docs/reference/differences.md names. A REGISTER that
only prolongs its binding does not come here: the engine does it (`RegistrarRules.refresh`).
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sipwright._engine import Binding, RegistrarRules
from sipwright.modules.usrloc import ALL_METHODS, MEMORY_ONLY, NO_Q, NO_USER_AGENT, Location, is_live, match, new_ruid
from sipwright.settings.registrar import RegistrarSettings

INSERTED: Final = 1
UPDATED: Final = 2
DELETED: Final = 3
FETCHED: Final = 4
FAILED: Final = -1
TOO_MANY: Final = -2

# Flags of save().
SAVE_MEMORY_ONLY: Final = 1
NO_REPLY: Final = 2
ONE_CONTACT: Final = 4
NO_RANGE: Final = 8
PREPARE_REPLY: Final = 16

MAX_EXPIRES: Final = 2**31 - 1


class Contact(Protocol):
    """One value of a Contact header field; `uri` is "*" for the star."""

    @property
    def uri(self) -> str: ...
    @property
    def params(self) -> Mapping[str, str]: ...


@dataclass(slots=True)
class Registration:
    """A REGISTER as far as the registrar needs it; names as in `Binding`.

    `gruu` is user and host of the address-of-record if the client wants GRUUs. `via_count` is 1 when it came from the
    client itself. `q`, `max_contacts` and `granted_s` are what the script wants instead of what the request says.
    """

    aor: str
    contacts: Sequence[Contact]
    call_id: str
    cseq: int
    expires: str | None = None
    user_agent: str = NO_USER_AGENT
    methods: int = ALL_METHODS
    path: str = ""
    supported: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    received: str = ""
    socket: str = ""
    connection: int = 0
    cflags: int = 0
    server_id: int = 0
    attributes: str = ""
    via_count: int = 1
    gruu: tuple[str, str] | None = None
    q: int | None = None
    max_contacts: int | None = None
    granted_s: int | None = None


@dataclass(slots=True)
class Outcome:
    """What `save()` returns, and the answer: status, reason and header lines without their CRLF."""

    result: int
    status: int = 200
    reason: str = "OK"
    headers: list[str] = field(default_factory=list)


class _Refused(Exception):
    def __init__(self, outcome: Outcome, *, tell_contacts: bool = True) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome
        self.tell_contacts = tell_contacts


def register(
    table: Location,
    request: Registration,
    settings: RegistrarSettings,
    rules: RegistrarRules,
    now: int,
    save_flags: int = 0,
) -> Outcome:
    """Applies a REGISTER to the table, all of it or nothing, and returns the result and the answer.

    Raises what the table raises that is not in memory when its database is away; nothing has changed then.
    """
    return _Registrar(table, request, settings, rules, now, save_flags).register()


@dataclass(slots=True)
class _Registrar:
    table: Location
    request: Registration
    settings: RegistrarSettings
    rules: RegistrarRules
    now: int
    save_flags: int

    def register(self) -> Outcome:
        aor, tell = self.request.aor, True
        with self.table.changing(aor):
            try:
                outcome = Outcome(self._apply())
            except _Refused as refusal:
                outcome, tell = refusal.outcome, refusal.tell_contacts
            bindings = self.table.bindings(aor) if tell else []
        if line := self.rules.contact_line(bindings, self.request.gruu, self.now):
            outcome.headers.insert(0, line)
        if outcome.status == 200:
            outcome.headers += self._extensions()
        if outcome.status >= 500 and self.settings.retry_after_s:
            outcome.headers.append(f"Retry-After: {self.settings.retry_after_s}")
        return outcome

    def _apply(self) -> int:
        request = self.request
        if any(contact.uri == "*" for contact in request.contacts):
            return self._remove_all()
        self._check_extensions()
        if not request.contacts:
            return FETCHED
        existing = self.table.bindings(request.aor)
        wanted = [(contact, self._binding(contact)) for contact in request.contacts]
        changes: list[tuple[Binding, Binding | None]] = []
        for _, new in wanted:
            old = match(new, existing, self.table.settings.matching_mode)
            if old is None or not self._is_repeated(old):
                changes.append((new, old))
        if self.save_flags & ONE_CONTACT:
            return self._replace_all(existing, changes)
        self._check_room(existing, changes)
        return self._store(changes)

    # ---- one contact ----

    def _binding(self, contact: Contact) -> Binding:
        request, params = self.request, contact.params
        if len(contact.uri) > self.settings.contact_max_size_bytes:
            raise _bad("Contact/received too long", tell_contacts=False)
        q = request.q if request.q is not None else parse_q(params.get("q"))
        if q is None:
            raise _bad("Invalid q param in contact")
        expires = self._granted_expires(params.get("expires"))
        methods = params.get("methods")
        return Binding(
            request.aor,
            contact.uri,
            self.now + expires,
            q=self.settings.default_q if q == NO_Q else q,
            call_id=request.call_id,
            cseq=request.cseq,
            user_agent=request.user_agent,
            received=request.received or params.get("received", "").strip('"'),
            path=request.path if self.settings.use_path else "",
            socket=request.socket,
            connection=request.connection,
            cflags=request.cflags,
            methods=request.methods if methods is None else _mask(methods),
            instance=_unquoted(params.get("+sip.instance", "")),
            reg_id=self._reg_id(params),
            server_id=request.server_id,
            attributes=request.attributes,
            flags=MEMORY_ONLY if self.save_flags & SAVE_MEMORY_ONLY else 0,
            modified_at=self.now,
            seen_at=self.now,
        )

    def _reg_id(self, params: Mapping[str, str]) -> int:
        """The flow that the contact names, if it counts (RFC 5626 section 6)."""
        text = params.get("reg-id", "")
        if "+sip.instance" not in params or not (text.isascii() and text.isdigit() and len(text) < 10):
            return 0
        if self.settings.outbound_mode == 0 or self.settings.regid_mode == 1 or self._edge_has_flows():
            return int(text)
        return 0

    def _edge_has_flows(self) -> bool:
        """Whether the request came from the client itself, or through an edge proxy that keeps its flow."""
        if self.request.via_count <= 1:
            return True
        edge = self.request.path.rpartition("<")[2].partition(">")[0]
        return any(param.partition("=")[0].lower() == "ob" for param in edge.split(";")[1:])

    def _granted_expires(self, param: str | None) -> int:
        """Seconds that a contact is bound for; 0 removes it (RFC 3261 section 10.3 step 6)."""
        settings, request = self.settings, self.request
        asked, percent = _seconds(param if param is not None else request.expires), settings.expires_range
        if request.granted_s is not None and asked != 0:
            asked = request.granted_s
        if asked is None:
            asked, percent = settings.default_expires_s, settings.default_expires_range
        if asked == 0:
            return 0
        if percent and not self.save_flags & NO_RANGE:
            asked -= random.randint(0, asked * percent // 100)
        if asked < settings.min_expires_s:
            if settings.min_expires_mode == 1:
                headers = [f"Min-Expires: {settings.min_expires_s}", "P-Registrar-Error: Interval too brief"]
                raise _Refused(Outcome(FAILED, 423, "Interval Too Brief", headers))
            asked = settings.min_expires_s
        return min(asked, settings.max_expires_s or MAX_EXPIRES, MAX_EXPIRES)

    def _is_repeated(self, old: Binding) -> bool:
        """Whether the binding was made by this very request, which is then a retransmission; an older one is refused."""
        request = self.request
        if old.call_id != request.call_id or not is_live(old, self.now):
            return False
        delay = self.table.settings.cseq_delay_s
        if request.cseq < old.cseq or (request.cseq == old.cseq and self.now - old.modified_at >= delay):
            raise _bad("Invalid CSeq number")
        return request.cseq == old.cseq

    # ---- the whole request ----

    def _check_extensions(self) -> None:
        request, settings = self.request, self.settings
        if request.path and settings.use_path and settings.path_mode == 2 and "path" not in request.supported:
            headers = [
                "Unsupported: path",
                f"Path: {request.path}",
                "P-Registrar-Error: No support for found Path indicated",
            ]
            raise _Refused(Outcome(FAILED, 420, "Bad Extension", headers))
        if settings.outbound_mode == 0:
            if "outbound" in request.required:
                headers = ["Unsupported: outbound", "P-Registrar-Error: No support for Outbound on server"]
                raise _Refused(Outcome(FAILED, 420, "Bad Extension", headers), tell_contacts=False)
            return
        if settings.outbound_mode == 2 and not self._supports_outbound():
            headers = ["Require: outbound", "P-Registrar-Error: No support for Outbound indicated"]
            raise _Refused(Outcome(FAILED, 421, "Extension Required", headers), tell_contacts=False)
        flows = any("reg-id" in contact.params for contact in request.contacts)
        if flows and "outbound" in request.supported and not self._edge_has_flows():
            headers = ["P-Registrar-Error: No support for Outbound on edge proxy"]
            raise _Refused(Outcome(FAILED, 439, "First Hop Lacks Outbound Support", headers), tell_contacts=False)

    def _supports_outbound(self) -> bool:
        return "outbound" in self.request.supported or "outbound" in self.request.required

    def _extensions(self) -> list[str]:
        """What a 200 says of Path and outbound."""
        request, settings = self.request, self.settings
        lines = []
        if request.path and settings.use_path and settings.path_mode != 0 and "path" in request.supported:
            lines.append(f"Path: {request.path}")
        if settings.outbound_mode:
            lines.append("Supported: outbound")
            if self._supports_outbound():
                lines.append("Require: outbound")
                if settings.flow_timer_s:
                    lines.append(f"Flow-Timer: {settings.flow_timer_s}")
        return lines

    def _remove_all(self) -> int:
        request = self.request
        if len(request.contacts) > 1:
            raise _bad("* used in contact and more than 1 contact", tell_contacts=False)
        if _seconds(request.expires) != 0:
            raise _bad("* used in contact and expires is not zero", tell_contacts=False)
        for binding in self.table.live(request.aor, self.now):
            self._is_repeated(binding)
        self.table.remove_all(request.aor)
        return DELETED

    def _replace_all(self, existing: list[Binding], changes: list[tuple[Binding, Binding | None]]) -> int:
        """With the flag for one contact: the last contact of the request replaces all others."""
        if not changes:
            return INSERTED
        kept = changes[-1]
        for one in existing:
            if kept[1] is None or one.ruid != kept[1].ruid:
                self.table.remove(one)
        return self._store([kept])

    def _check_room(self, existing: list[Binding], changes: list[tuple[Binding, Binding | None]]) -> None:
        ruids = {one.ruid for one in existing if is_live(one, self.now)}
        before, added = len(ruids), 0
        for new, old in changes:
            if not is_live(new, self.now):
                ruids.discard(old.ruid if old else "")
            elif old is None or old.ruid not in ruids:
                added += 1
        count = len(ruids) + added
        limit = self.settings.max_contacts if self.request.max_contacts is None else self.request.max_contacts
        if count > before and limit and count > limit:
            headers = ["P-Registrar-Error: Too many registered contacts"]
            raise _Refused(Outcome(TOO_MANY, 503, "Service Unavailable", headers))
        if count > before and self.table.is_full:
            raise _Refused(Outcome(FAILED, 503, "Service Unavailable", ["P-Registrar-Error: Location table is full"]))

    def _store(self, changes: list[tuple[Binding, Binding | None]]) -> int:
        result, removed = INSERTED, False
        for new, old in changes:
            if not is_live(new, self.now):
                removed |= old is not None and self.table.remove(old)
                continue
            new.ruid = old.ruid if old else new_ruid()
            self.table.put(new)
            result = UPDATED if old else INSERTED
        return DELETED if removed else result


def parse_q(text: str | None) -> int | None:
    """A qvalue in thousandths, -1 when there is none; None when it is malformed.

    As Kamailio, more than three digits after the point are cut off (RFC 3261 section 25.1 allows three).
    """
    if text is None:
        return NO_Q
    whole, point, digits = text.partition(".")
    if (
        whole not in ("0", "1", "")
        or not (digits + whole)
        or not (digits == "" or (digits.isascii() and digits.isdigit()))
    ):
        return None
    q = int(whole or "0") * 1000 + int(digits[:3].ljust(3, "0") or 0) if point else int(whole) * 1000
    return q if q <= 1000 else None


def _seconds(text: str | None) -> int | None:
    """Delta seconds; a malformed value counts as none (RFC 3261 section 10.2.1.1)."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return min(int(text[:20]), MAX_EXPIRES)


def _mask(methods: str) -> int:
    from sipwright.modules.usrloc import methods_mask

    return methods_mask(methods.strip('"'))


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _bad(why: str, *, tell_contacts: bool = True) -> _Refused:
    return _Refused(Outcome(FAILED, 400, "Bad Request", [f"P-Registrar-Error: {why}"]), tell_contacts=tell_contacts)
