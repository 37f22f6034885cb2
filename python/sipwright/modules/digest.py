"""Digest authentication (RFC 7616, RFC 8760 for SIP): reading credentials and computing responses. No I/O."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

MD5: Final = "MD5"
ALGORITHMS: Final = (MD5, "SHA-256", "SHA-512-256")
MAX_CREDENTIALS_CHARS: Final = 8_192

_HASHES: Final[Mapping[str, str]] = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_SESS: Final = "-SESS"
# A parameter: a name, and a quoted text with escapes or a token (RFC 3261 section 25.1). Phones put white space anywhere.
_PARAMETER: Final = re.compile(
    r'[\s,]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))\s*(?=,|$)'
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


class CredentialsError(ValueError):
    """A header field that has no digest credentials in it, or lacks some that are needed."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Digest credentials as a client sent them: parameters by lower-case name, without quotes and escapes."""

    parameters: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """A parameter, "" when it is not there."""
        return self.parameters.get(name, "")

    @property
    def username(self) -> str:
        """The user name as it was sent, with its domain if it has one."""
        return self.get("username")

    @property
    def user(self) -> str:
        """The user name without its domain."""
        return self.username.partition("@")[0]

    @property
    def domain(self) -> str:
        """What follows the @ of the user name, or ""."""
        return self.username.partition("@")[2]

    @property
    def realm(self) -> str:
        """The realm."""
        return self.get("realm")

    @property
    def algorithm(self) -> str:
        """The algorithm in capitals, `-SESS` included; MD5 when none was sent, or one that nobody knows."""
        given = self.get("algorithm").upper() or MD5
        return given if given.removesuffix(_SESS) in _HASHES else MD5

    @property
    def hash_name(self) -> str:
        """`MD5`, `SHA-256` or `SHA-512-256`."""
        return self.algorithm.removesuffix(_SESS)

    def check(self) -> None:
        """That nothing is missing. Raises CredentialsError."""
        wanted = ["username", "realm", "nonce", "uri", "response"]
        if self.get("qop"):
            wanted += ["nc", "cnonce"]
        missing = [name for name in wanted if not self.get(name)]
        if missing:
            raise CredentialsError(f"the credentials have no {', '.join(missing)}")
        if self.get("qop") and not re.fullmatch("[0-9a-fA-F]{8}", self.get("nc")):
            raise CredentialsError("nc is not of eight hexadecimal digits")


def parse(text: str) -> Credentials:
    """The credentials of an Authorization or Proxy-Authorization. Raises CredentialsError."""
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() != "digest":
        raise CredentialsError("the scheme is not Digest")
    if len(text) > MAX_CREDENTIALS_CHARS:
        raise CredentialsError("the credentials are too long")
    found: dict[str, str] = {}
    position = 0
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None:
            if rest[position:].strip(" \t\r\n,"):
                raise CredentialsError("the credentials are not parameters")
            break
        name, quoted, token = match.groups()
        if name.lower() in found:
            raise CredentialsError(f"{name} is there twice")
        found[name.lower()] = token if quoted is None else _ESCAPE.sub(r"\1", quoted)
        position = match.end()
    return Credentials(found)


def quoted(text: str) -> str:
    """A quoted-string (RFC 3261 section 25.1). Raises ValueError for what cannot stand in one."""
    if re.search("[\r\n\0]", text):
        raise ValueError("there is a line break in it")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def digest_of(hash_name: str, data: bytes) -> str:
    """The hash in lower-case hexadecimal digits; `hash_name` is one of `ALGORITHMS`."""
    return hashlib.new(_HASHES[hash_name], data, usedforsecurity=False).hexdigest()


def ha1(hash_name: str, username: str, realm: str, password: str) -> str:
    """H(user:realm:password): what a database keeps instead of a password."""
    return digest_of(hash_name, _octets(f"{username}:{realm}:{password}"))


def ha1_of(credentials: Credentials, password: str) -> str:
    """HA1 for the user name and realm of the credentials."""
    return ha1(credentials.hash_name, credentials.username, credentials.realm, password)


def response(credentials: Credentials, ha1_hex: str, method: str, body: bytes) -> str:
    """What the response must be if the user knows the password (RFC 7616 section 3.4.1)."""
    return _response(credentials, ha1_hex, method, lambda hash_name: digest_of(hash_name, body))


def rspauth(credentials: Credentials, ha1_hex: str, body: bytes) -> str:
    """What proves to the client that we know it, too (RFC 7616 section 3.5)."""
    return _response(credentials, ha1_hex, "", lambda hash_name: digest_of(hash_name, body))


def is_same(expected: str, given: str) -> bool:
    """Compares two responses in a time that says nothing about where they differ."""
    return hmac.compare_digest(_octets(expected), _octets(given.lower()))


def _response(credentials: Credentials, ha1_hex: str, method: str, body_hash: Callable[[str], str]) -> str:
    hash_name, nonce, cnonce = credentials.hash_name, credentials.get("nonce"), credentials.get("cnonce")

    def hashed(*parts: str) -> str:
        return digest_of(hash_name, _octets(":".join(parts)))

    a1 = ha1_hex.lower()
    if credentials.algorithm.endswith(_SESS):
        a1 = hashed(a1, nonce, cnonce)
    qop = credentials.get("qop")
    a2 = [method, credentials.get("uri")]
    if qop.lower() == "auth-int":
        a2.append(body_hash(hash_name))
    middle = [credentials.get("nc"), cnonce, qop] if qop else []
    return hashed(a1, nonce, *middle, hashed(*a2))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
