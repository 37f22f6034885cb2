"""What a certificate file says, for people."""

import contextlib
import ipaddress
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

DAY_S = 86_400


class CertificateError(Exception):
    """A file that is not there, cannot be read or has no certificate in it; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The first certificate of a PEM file. `not_before` and `not_after` are text as OpenSSL writes it."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: str
    not_after: str

    def days_left(self, now: float) -> int:
        """Whole days until it ends, negative after that; `now` is seconds since 1970."""
        return int((ssl.cert_time_to_seconds(self.not_after) - now) // DAY_S)


def read(path: Path) -> Certificate:
    """Reads a PEM file. Raises CertificateError."""
    try:
        # The decoder does not say why a file cannot be read.
        path.open("rb").close()
        # The standard library decodes a certificate file for its own tests only; nothing else there does.
        decoded = ssl._ssl._test_decode_cert(str(path))  # type: ignore[attr-defined]
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or "is not a PEM certificate"
        raise CertificateError(f"{path}: {reason}") from None
    names = tuple(_short(value) for _, value in decoded.get("subjectAltName", ()))
    subject, issuer = (_name(decoded.get(whose, ())) for whose in ("subject", "issuer"))
    return Certificate(subject, issuer, names, decoded["notBefore"], decoded["notAfter"])


def ends(certificate: Certificate) -> str:
    """The day on which it ends, `2027-03-12`."""
    return time.strftime("%Y-%m-%d", time.gmtime(ssl.cert_time_to_seconds(certificate.not_after)))


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    return ", ".join("=".join(pair) for part in parts for pair in part)


def _short(name: str) -> str:
    """An IPv6 address as one writes it; anything else as it is."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(name.strip()))
    return name
