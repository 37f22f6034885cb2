"""Registrations with other servers: accounts, and when each has something to do (Kamailio's module uac). No I/O."""

import random
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Final

from sipwright.decimal import decimal

DISABLED: Final = 1
ONGOING: Final = 2
ONLINE: Final = 4
AUTH_SENT: Final = 8
INITIALIZED: Final = 16
# By what registrations are looked for.
ATTRIBUTES: Final = ("l_uuid", "l_username", "r_username", "auth_username")
# RFC 3261 section 20.19.
MAX_EXPIRES_S: Final = 2**32 - 1
_EMPTY: Final = "."
_FIRST_CSEQ: Final = 9


@dataclass(slots=True)
class Registration:
    """One account; columns of the table `uacreg` first. Times are seconds of the caller's clock."""

    l_uuid: str
    l_username: str
    l_domain: str
    r_username: str
    r_domain: str
    realm: str
    auth_username: str
    auth_password: str
    auth_ha1: str
    auth_proxy: str
    expires: int
    flags: int = 0
    reg_delay: int = 0
    contact_addr: str = ""
    socket: str = ""
    # When it is to be looked at next, and until when the other server keeps it.
    due: float = 0.0
    until: float = 0.0
    call_id: str = ""
    cseq: int = 0
    from_tag: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def aor(self) -> str:
        """The address-of-record at the other server."""
        return f"sip:{self.r_username}@{self.r_domain}"

    @property
    def local_uri(self) -> str:
        """Whom its calls are for here."""
        return f"sip:{self.l_username}@{self.l_domain}"

    @property
    def secret(self) -> tuple[str, bool]:
        """Password or HA1, and whether it is the latter."""
        return (self.auth_ha1, True) if self.auth_ha1 else (self.auth_password, False)

    def status(self) -> int:
        """What `uac_reg_status` gives."""
        if self.flags & DISABLED:
            return -3
        if self.flags & ONLINE:
            return 1
        return -2 if self.flags & ONGOING else -99


COLUMNS: Final = tuple(one.name for one in fields(Registration))[:15]


def from_row(row: Iterable[Any]) -> Registration:
    """A registration of the columns of the table, in their order. ValueError for what cannot be."""
    values = dict(zip(COLUMNS, row, strict=False))
    for name in ("auth_password", "auth_ha1", "auth_proxy", "contact_addr", "socket"):
        if values.get(name) in (_EMPTY, None):
            values[name] = ""
    for name in ("expires", "flags", "reg_delay"):
        values[name] = int(values.get(name) or 0)
    values["flags"] &= DISABLED
    made = Registration(**values)
    if made.auth_ha1 and len(made.auth_ha1) not in (32, 64):
        raise ValueError(f"{made.l_uuid}: auth_ha1 is no HA1")
    if not made.l_uuid or not made.r_domain or not made.r_username:
        raise ValueError("l_uuid, r_username and r_domain must not be empty")
    if made.expires <= 0:
        raise ValueError(f"{made.l_uuid}: expires is not positive")
    return made


class Registrations:
    """All accounts, by l_uuid."""

    def __init__(self, ahead_s: float, retry_s: int, random_s: int, keep_call_id: bool) -> None:
        self._ahead_s, self._retry_s, self._random_s = ahead_s, retry_s, random_s
        self._keep_call_id = keep_call_id
        self._all: dict[str, Registration] = {}

    def __iter__(self) -> Iterator[Registration]:
        return iter(list(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    def get(self, l_uuid: str) -> Registration | None:
        """The registration with this l_uuid."""
        return self._all.get(l_uuid)

    def put(self, one: Registration, now: float) -> None:
        """Adds one, or replaces that with its l_uuid; it begins after its delay."""
        delay = one.reg_delay or (random.uniform(0, self._random_s) if self._random_s else 0)
        one.due = now + delay
        self._all[one.l_uuid] = one

    def remove(self, l_uuid: str) -> bool:
        """Forgets one; whether it was there."""
        return self._all.pop(l_uuid, None) is not None

    def replace_all(self, fresh: Iterable[Registration], now: float) -> None:
        """Takes those of a table; the state of those that are as before stays."""
        before, self._all = self._all, {}
        for one in fresh:
            old = before.get(one.l_uuid)
            if old is not None and all(getattr(old, n) == getattr(one, n) for n in COLUMNS if n != "flags"):
                self._all[one.l_uuid] = old
            else:
                self.put(one, now)

    def find(self, attribute: str, value: str) -> Registration | None:
        """The first whose attribute has this value; ValueError for an attribute that is none."""
        if attribute not in ATTRIBUTES:
            raise ValueError(f"{attribute} is none of {', '.join(ATTRIBUTES)}")
        return next((one for one in self if getattr(one, attribute) == value), None)

    def by_user(self, username: str, domain: str = "") -> Registration | None:
        """The one of this user here."""
        fits = (one for one in self if one.l_username == username and (not domain or one.l_domain == domain))
        return next(fits, None)

    def due(self, now: float) -> list[Registration]:
        """Those to be registered or refreshed now; they count as ongoing from here on."""
        found = [one for one in self if one.due <= now and not one.flags & (DISABLED | ONGOING)]
        for one in found:
            if one.flags & ONLINE and one.until <= now:
                one.flags &= ~ONLINE
            one.flags = (one.flags | ONGOING | INITIALIZED) & ~AUTH_SENT
            if not one.call_id or not self._keep_call_id or not one.flags & ONLINE:
                one.call_id, one.cseq = secrets.token_hex(12), _FIRST_CSEQ
            one.cseq += 1
        return found

    def accepted(self, one: Registration, expires_s: int, now: float) -> None:
        """The other server keeps it for so long."""
        one.flags = (one.flags | ONLINE) & ~(ONGOING | AUTH_SENT)
        one.until = now + expires_s
        # Short ones are refreshed at half their time.
        one.due = one.until - min(self._ahead_s, expires_s / 2)

    def failed(self, one: Registration, now: float) -> None:
        """The other server refused it or did not answer."""
        one.flags &= ~(ONGOING | AUTH_SENT | ONLINE)
        one.call_id = ""
        if self._retry_s:
            one.due = now + self._retry_s
        else:
            one.flags |= DISABLED

    def switch(self, one: Registration, on: bool, now: float) -> None:
        """Enables one, which begins at once, or disables it."""
        if on:
            one.flags &= ~(DISABLED | ONGOING | AUTH_SENT)
            one.due = now
        else:
            one.flags = (one.flags | DISABLED) & ~(ONLINE | ONGOING | AUTH_SENT)

    def counters(self) -> dict[str, int]:
        """How many there are, in which state."""
        return {
            "uac_registrations": len(self),
            "uac_registrations_online": sum(bool(one.flags & ONLINE) for one in self),
            "uac_registrations_disabled": sum(bool(one.flags & DISABLED) for one in self),
        }


def granted(contacts: Iterable[tuple[str, str | None]], own: str, header: str | None, asked: int) -> int:
    """Seconds that a 200 grants our contact: of its `expires`, else of Expires, else what was asked for."""
    for uri, expires in contacts:
        if own in uri and (seconds := decimal(expires or "", MAX_EXPIRES_S)) is not None:
            return seconds
    seconds = decimal(header or "", MAX_EXPIRES_S)
    return asked if seconds is None else seconds
