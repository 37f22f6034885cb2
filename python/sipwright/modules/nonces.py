"""Nonces: made and checked without a table of them (RFC 7616 section 5.4), and counted when the settings ask for it.

A nonce is the time it was made, a number if nonces are counted, and an HMAC over these and over parts of the request that
the settings name. So any node with the same `auth.secret` knows it again, and a client cannot make one up.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
import threading
from array import array
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sipwright.settings.auth import AuthSettings

_HEAD: Final = struct.Struct("!IBHI")
_MAC_BYTES: Final = 16
_COUNTED: Final = 1


class NonceState(Enum):
    """What a nonce that a client sent is worth."""

    VALID = "valid"
    EXPIRED = "expired"
    """Ours, but too old, or made for another request."""
    FORGED = "forged"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Nonce:
    """A nonce of a client: what it is worth, and its number if it is counted."""

    state: NonceState
    number: int = 0
    is_counted: bool = False


class Nonces:
    """Makes and checks nonces. Times are Unix times in seconds. Any thread may use it."""

    def __init__(self, settings: AuthSettings) -> None:
        self._settings = settings
        self._secret = settings.secret.encode() if settings.secret else secrets.token_bytes(32)
        self._counts = settings.nonce_count or settings.one_time_nonce
        self.counts = settings.nonce_count
        """Whether nc is looked at."""
        # Numbers of another process, or of this one before its last start, mean nothing here.
        self._epoch = secrets.randbits(16)
        self._lock = threading.Lock()
        self._next = 0
        self._size = settings.nonces_in_flight()
        # The last nc of each nonce; a one-time nonce that was used has the highest.
        self._seen = array("Q", bytes(8 * self._size)) if self._counts else array("Q")

    def make(self, now: float, bound: bytes = b"") -> str:
        """A new nonce; `bound` is what a request must have in common with this one."""
        flags, epoch, number = 0, 0, 0
        if self._counts:
            with self._lock:
                number = self._next
                self._next += 1
                self._seen[number % self._size] = 0
            flags, epoch = _COUNTED, self._epoch
        head = _HEAD.pack(int(now) & 0xFFFFFFFF, flags, epoch, number & 0xFFFFFFFF)
        return base64.b64encode(head + self._mac(head, bound)).decode("ascii")

    def check(self, text: str, now: float, bound: bytes = b"") -> Nonce:
        """What a nonce is worth, apart from how often it was used."""
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return Nonce(NonceState.MALFORMED)
        if len(data) != _HEAD.size + _MAC_BYTES:
            return Nonce(NonceState.MALFORMED)
        head, mac = data[: _HEAD.size], data[_HEAD.size :]
        if not hmac.compare_digest(mac, self._mac(head, bound)):
            return Nonce(NonceState.FORGED)
        made, flags, epoch, number = _HEAD.unpack(head)
        age = (int(now) - made + 0x80000000) % 0x100000000 - 0x80000000
        is_current = -self._settings.nonce_auth_max_drift_s <= age <= self._settings.nonce_expire_s
        counted = bool(flags & _COUNTED)
        if self._counts and (not counted or epoch != self._epoch or not self._is_in_flight(number)):
            is_current = False
        return Nonce(NonceState.VALID if is_current else NonceState.EXPIRED, number, counted)

    def use(self, nonce: Nonce, nc: int | None) -> bool:
        """Notes that a valid nonce was used with this nc (None without qop); False when it must not be used any more."""
        if not self._counts:
            return True
        if nc is None or not self._settings.nonce_count:
            if not self._settings.one_time_nonce:
                return True
            nc = 0xFFFFFFFF
        with self._lock:
            place = nonce.number % self._size
            if not self._is_in_flight(nonce.number) or self._seen[place] >= nc:
                return False
            self._seen[place] = nc
            return True

    def _is_in_flight(self, number: int) -> bool:
        return self._next - self._size <= number < self._next

    def _mac(self, head: bytes, bound: bytes) -> bytes:
        return hmac.digest(self._secret, head + bound, hashlib.sha256)[:_MAC_BYTES]
