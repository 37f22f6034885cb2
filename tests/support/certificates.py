"""Certification authorities and all that they issue, apart from what the server makes itself."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Kind = Literal["ecdsa", "rsa", "ed25519"]
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DAY = dt.timedelta(days=1)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Certificates:
    """PEM files: the authority, the server's certificate and its key."""

    ca: Path
    certificate: Path
    key: Path

    def settings(self) -> dict[str, object]:
        """As settings of the server."""
        return {"tls.certificate": self.certificate, "tls.private_key": self.key}


@dataclass(frozen=True)
class Issued:
    """A certificate with the PEM files of its chain and of its key."""

    x509: x509.Certificate
    chain: Path
    key: Path

    @property
    def serial(self) -> int:
        return self.x509.serial_number


@dataclass
class Authority:
    """Issues certificates, further authorities, revocation lists and OCSP responses into a directory."""

    directory: Path
    name: str = "Sipwright test CA"
    parent: Authority | None = None
    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    path_length: int | None = None

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        issuer = self.parent or self
        constraints = x509.BasicConstraints(ca=True, path_length=self.path_length)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.x509 = (
            _builder(self.name, issuer.subject if self.parent else _subject(self.name), self.key, (now() - DAY, 60))
            .add_extension(constraints, critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(issuer.key, _hash(issuer.key))
        )
        self.file = self.directory / f"{self.name.replace(' ', '-').lower()}.pem"
        self.file.write_bytes(_pem(self.x509))

    @property
    def subject(self) -> x509.Name:
        return self.x509.subject

    def chain(self) -> list[x509.Certificate]:
        """This authority and those above it, without the root."""
        return [self.x509, *self.parent.chain()] if self.parent else []

    def issue(
        self,
        name: str = "localhost",
        names: Iterable[str] | None = LOOPBACK,
        *,
        file: str | None = None,
        kind: Kind = "ecdsa",
        days: int = 30,
        since: dt.datetime | None = None,
        purposes: Sequence[x509.ObjectIdentifier] = (),
        passphrase: bytes | None = None,
        subject: x509.Name | None = None,
    ) -> Issued:
        """A certificate; `names` are hosts, addresses, `sip:` URIs or mail addresses, None for no subjectAltName."""
        key = make_key(kind)
        builder = _builder(name, self.subject, key, (since or now() - DAY, days + 1), subject)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if names is not None:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(text) for text in names]), critical=False
            )
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        made = builder.sign(self.key, _hash(self.key))
        stem = file or f"{name.replace('*', 'any')}-{made.serial_number % 10_000_000}"
        chain, key_file = self.directory / f"{stem}.pem", self.directory / f"{stem}.key"
        chain.write_bytes(b"".join(_pem(cert) for cert in [made, *self.chain()]))
        key_file.write_bytes(key_pem(key, passphrase))
        return Issued(made, chain, key_file)

    def expired(self, name: str = "localhost") -> Issued:
        """A certificate that was valid until yesterday."""
        return self.issue(name, days=8, since=now() - 10 * DAY)

    def revoke(self, *revoked: Issued, valid_days: int = 2, file: str = "crl.pem") -> Path:
        """A revocation list, PEM; out of date when `valid_days` is negative."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.subject)
        builder = builder.last_update(now() - 10 * DAY).next_update(now() + valid_days * DAY)
        builder = builder.add_extension(x509.CRLNumber(1), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        for issued in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(issued.serial).revocation_date(now() - DAY)
            builder = builder.add_revoked_certificate(entry.build())
        path = self.directory / file
        path.write_bytes(builder.sign(self.key, _hash(self.key)).public_bytes(serialization.Encoding.PEM))
        return path

    def ocsp_response(self, issued: Issued, file: str = "ocsp.der") -> Path:
        """A response that the certificate is good, DER."""
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=issued.x509,
            issuer=self.x509,
            algorithm=hashes.SHA1(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=now() - DAY,
            next_update=now() + DAY,
            revocation_time=None,
            revocation_reason=None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.x509)
        path = self.directory / file
        path.write_bytes(builder.sign(self.key, _hash(self.key)).public_bytes(serialization.Encoding.DER))
        return path


def make_key(kind: Kind = "ecdsa") -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(65_537, 2_048)
    return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key, passphrase: bytes | None = None, traditional: bool = False) -> bytes:
    """PKCS#8, encrypted if there is a passphrase, or OpenSSL's old format."""
    form = serialization.PrivateFormat.TraditionalOpenSSL if traditional else serialization.PrivateFormat.PKCS8
    secret = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, secret)


def make(directory: Path) -> Certificates:
    """An authority and a server's certificate, valid for loopback and the domain example.com."""
    authority = Authority(directory)
    issued = authority.issue(names=(*LOOPBACK, "example.com"), file="server")
    return Certificates(authority.file, issued.chain, issued.key)


CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
SIP_DOMAIN = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.20")


def _builder(
    name: str, issuer: x509.Name, key: Key, valid: tuple[dt.datetime, int], subject: x509.Name | None = None
) -> x509.CertificateBuilder:
    since, days = valid
    return (
        x509.CertificateBuilder()
        .subject_name(subject or _subject(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + days * DAY)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(text: str) -> x509.GeneralName:
    if text.startswith(("sip:", "sips:", "https:")):
        return x509.UniformResourceIdentifier(text)
    if "@" in text:
        return x509.RFC822Name(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _hash(key: Key) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _pem(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(serialization.Encoding.PEM)
