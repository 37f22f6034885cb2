"""Registers accounts with other servers, and shows them to administrators (RFC 3261 section 10.2)."""

import time
from typing import TYPE_CHECKING, Any, Final

from sipwright import log
from sipwright.control.rpc import FAILED, INVALID_PARAMS, RpcError
from sipwright.decimal import decimal
from sipwright.modules.digest_client import Account, choose
from sipwright.modules.requests import OutgoingRequest
from sipwright.modules.uac_reg import (
    AUTH_SENT,
    COLUMNS,
    DISABLED,
    INITIALIZED,
    MAX_EXPIRES_S,
    Registration,
    Registrations,
    from_row,
    granted,
)

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

_ROUTE: Final = "uac:registered"
# How often is looked whether one is due.
_TICK_S: Final = 1.0
_CHALLENGES: Final = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
_TOO_BRIEF: Final = 423


class UacRegistrar:
    """Sends REGISTERs of the accounts that are due, answers challenges, and notes what becomes of them."""

    def __init__(self, host: "Host") -> None:
        settings = host.settings.uac
        self._settings = settings
        self._database = host.database(settings.reg_db_url) if settings.reg_db_url else None
        self.registrations = Registrations(
            settings.reg_timer_interval_s,
            settings.reg_retry_interval_s,
            settings.reg_random_delay_s,
            settings.reg_keep_callid,
        )
        self._is_active = settings.reg_active
        self._reloaded_at = float("-inf")
        self._was_read = self._database is None
        host.route(_ROUTE, self._answered)
        host.count(self.registrations.counters)
        for name in ("dump", "info", "enable", "disable", "reload", "refresh", "active", "add", "remove", "unregister"):
            host.rpc.add(f"uac.reg_{name}", getattr(self, name), blocking=name in ("reload", "refresh"))
        host.every(_TICK_S, self._tick, blocking=True)

    def _tick(self) -> None:
        if not self._was_read:
            self._read_first()
        if self._is_active and len(self.registrations):
            for one in self.registrations.due(time.monotonic()):
                self._register(one)

    def _read_first(self) -> None:
        from sipwright.storage.errors import DatabaseError

        try:
            self._read_table()
        except DatabaseError as error:
            log.error(f"uac: the table {self._settings.reg_db_table} cannot be read yet: {error}")
            return
        self._was_read = True

    # ---- registering -----------------------------------------------------------------------------------------------

    def _register(self, one: Registration, credentials: str = "", expires_s: int | None = None) -> None:
        contact = f"Contact: <{self._contact(one)}>\r\n"
        expires = f"Expires: {one.expires if expires_s is None else expires_s}\r\n"
        request = OutgoingRequest(
            "REGISTER",
            f"sip:{one.r_domain}",
            from_uri=one.aor,
            to_uri=one.aor,
            from_tag=one.from_tag,
            call_id=one.call_id,
            cseq=one.cseq,
            next_hop=one.auth_proxy,
            socket=one.socket or self._settings.default_socket,
            headers=contact + expires + credentials,
            callback=_ROUTE,
            event=one.l_uuid,
        )
        try:
            request.send()
        except ValueError as error:
            log.error(f"uac: REGISTER of {one.l_uuid}: {error}")
            self.registrations.failed(one, time.monotonic())

    def _contact(self, one: Registration) -> str:
        return f"sip:{one.l_uuid}@{one.contact_addr or self._settings.reg_contact_addr}"

    def _answered(self, message: "Message", l_uuid: str) -> None:
        one = self.registrations.get(l_uuid)
        if one is None or message.call_id != one.call_id or message.cseq != one.cseq:
            return
        if one.flags & DISABLED:
            return
        now = time.monotonic()
        code = int(message.Status) if message.Type == "SIP_REPLY" else 408
        if 200 <= code < 300:
            asked = one.expires
            contacts = [(contact.uri, contact.params.get("expires")) for contact in message.contacts()]
            self.registrations.accepted(
                one, granted(contacts, self._contact(one), message.header("Expires"), asked), now
            )
        elif (code in _CHALLENGES and not one.flags & AUTH_SENT and self._authenticate(message, one, code)) or (
            code == _TOO_BRIEF and self._lengthen(message, one)
        ):
            return
        else:
            log.error(f"uac: REGISTER of {l_uuid} with {one.r_domain}: {code}")
            self.registrations.failed(one, now)

    def _authenticate(self, message: "Message", one: Registration, code: int) -> bool:
        challenge, name = _CHALLENGES[code]
        account = Account(one.auth_username, *one.secret)
        for found in choose(message.headers(challenge), one.realm):
            if account.fits(found.algorithm.removesuffix("-SESS")):
                one.flags |= AUTH_SENT
                one.cseq += 1
                value = found.answer(account, "REGISTER", f"sip:{one.r_domain}")
                self._register(one, f"{name}: {value}\r\n")
                return True
        return False

    def _lengthen(self, message: "Message", one: Registration) -> bool:
        """RFC 3261 section 10.2.8: again, for as long as the other server wants it at least."""
        least = decimal(message.header("Min-Expires") or "", MAX_EXPIRES_S)
        if least is None or least <= one.expires:
            return False
        one.expires = least
        one.cseq += 1
        one.flags &= ~AUTH_SENT
        self._register(one)
        return True

    # ---- table -----------------------------------------------------------------------------------------------------

    def _read_table(self, l_uuid: str | None = None) -> list[Registration]:
        """The rows of the table, or one; takes them all if none is named."""
        assert self._database is not None
        from sqlalchemy import select

        from sipwright.storage.tables import named, uacreg

        table = named(uacreg, self._settings.reg_db_table)
        statement = select(*(table.c[name] for name in COLUMNS))
        if l_uuid is not None:
            statement = statement.where(table.c.l_uuid == l_uuid)
        found = []
        for row in self._database.query(statement):
            try:
                found.append(from_row(row))
            except ValueError as error:
                log.error(f"uac: {self._settings.reg_db_table}: {error}")
        if l_uuid is None:
            self.registrations.replace_all(found, time.monotonic())
        return found

    def load_one(self, l_uuid: str) -> bool:
        """Reads one registration from the table again; whether it is there."""
        found = self._read_table(l_uuid) if self._database is not None else []
        for one in found:
            self.registrations.put(one, time.monotonic())
        return bool(found)

    # ---- control ---------------------------------------------------------------------------------------------------

    def dump(self) -> list[dict[str, Any]]:
        """All registrations."""
        return [_shown(one, self._contact_addr(one)) for one in self.registrations]

    def info(self, attribute: str, value: str) -> dict[str, Any]:
        """One registration."""
        one = self._found(attribute, value)
        return _shown(one, self._contact_addr(one))

    def enable(self, attribute: str, value: str) -> None:
        """Enables one registration, which begins at once."""
        self.registrations.switch(self._found(attribute, value), True, time.monotonic())

    def disable(self, attribute: str, value: str) -> None:
        """Disables one registration; the other server forgets it in time."""
        self.registrations.switch(self._found(attribute, value), False, time.monotonic())

    def unregister(self, attribute: str, value: str) -> None:
        """Takes one registration back at the other server, and disables it."""
        one = self._found(attribute, value)
        self.registrations.switch(one, False, time.monotonic())
        one.cseq += 1
        self._register(one, expires_s=0)

    def reload(self) -> None:
        """Reads the table again."""
        now = time.monotonic()
        if self._database is None:
            raise RpcError(FAILED, "uac.reg_db_url is empty")
        if now < self._reloaded_at + self._settings.reg_gc_interval_s:
            raise RpcError(FAILED, f"reloaded less than {self._settings.reg_gc_interval_s} s ago")
        self._read_table()
        self._reloaded_at = now

    def refresh(self, l_uuid: str) -> None:
        """Reads one registration from the table again."""
        if not self.load_one(str(l_uuid)):
            raise RpcError(FAILED, "Record not found")

    def active(self, on: int | str) -> dict[str, int]:
        """Whether registrations are done at all."""
        before, self._is_active = self._is_active, str(on) == "1"
        return {"omode": int(before), "nmode": int(self._is_active)}

    def add(self, *values: str | int) -> None:
        """Adds one registration, or replaces that with its l_uuid; `.` stands for an empty value."""
        row = [str(value) for value in values]
        if len(row) == len(COLUMNS) - 1:
            # Without contact_addr, as older versions have it.
            row.insert(-1, "")
        if len(row) != len(COLUMNS):
            raise RpcError(INVALID_PARAMS, f"the parameters are {', '.join(COLUMNS)}")
        try:
            one = from_row(row)
        except ValueError as error:
            raise RpcError(INVALID_PARAMS, f"Failed to add record - {error}") from None
        self.registrations.put(one, time.monotonic())

    def remove(self, l_uuid: str) -> None:
        """Forgets one registration; the other server forgets it in time."""
        if not self.registrations.remove(str(l_uuid)):
            raise RpcError(FAILED, "Record not found")

    def _found(self, attribute: str, value: str) -> Registration:
        try:
            found = self.registrations.find(attribute, str(value))
        except ValueError as error:
            raise RpcError(INVALID_PARAMS, f"Unsupported filter attribute: {error}") from None
        if found is None:
            raise RpcError(FAILED, "Record not found")
        return found

    def _contact_addr(self, one: Registration) -> str:
        return one.contact_addr or self._settings.reg_contact_addr


def _shown(one: Registration, contact_addr: str) -> dict[str, Any]:
    """Passwords are not shown."""
    now, wall = time.monotonic(), time.time()
    shown: dict[str, Any] = {name: getattr(one, name) for name in COLUMNS}
    for secret in ("auth_password", "auth_ha1"):
        shown[secret] = "***" if shown[secret] else ""
    shown["contact_addr"] = contact_addr
    # Before these Kamailio shows how the registration is doing.
    last = {name: shown.pop(name) for name in ("reg_delay", "contact_addr", "socket")}
    return {
        **shown,
        "diff_expires": round(one.until - now) if one.until else 0,
        "timer_expires": round(wall + one.due - now),
        "reg_init": int(bool(one.flags & INITIALIZED)),
        **last,
    }
