"""Answers to digest challenges (RFC 7616, RFC 8760 for SIP). No I/O."""

import secrets
from dataclasses import dataclass
from typing import Final

from sipwright.modules import digest
from sipwright.modules.digest import ALGORITHMS, Credentials, CredentialsError

# Digits of HA1 by algorithm; the two of SHA-256 and SHA-512-256 are alike.
_HA1_DIGITS: Final = {"MD5": 32, "SHA-256": 64, "SHA-512-256": 64}
_FIRST_USE: Final = "00000001"


@dataclass(frozen=True, slots=True)
class Account:
    """Who answers: `secret` is the password, or HA1."""

    username: str
    secret: str
    is_ha1: bool = False

    def fits(self, algorithm: str) -> bool:
        """Whether it can answer a challenge of this algorithm; one HA1 is for one algorithm."""
        return not self.is_ha1 or len(self.secret) == _HA1_DIGITS[algorithm]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate."""

    parameters: Credentials
    algorithm: str

    @property
    def realm(self) -> str:
        """The realm."""
        return self.parameters.realm

    @classmethod
    def read(cls, text: str) -> "Challenge | None":
        """Reads a challenge; None for one that is malformed, or of a scheme or algorithm that is not known."""
        try:
            found = digest.parse(text)
        except CredentialsError:
            return None
        named = (found.get("algorithm") or "MD5").upper()
        if named.removesuffix("-SESS") not in ALGORITHMS or not found.get("nonce") or "realm" not in found.parameters:
            return None
        return cls(found, named)

    def answer(self, account: Account, method: str, uri: str, body: bytes = b"", cnonce: str = "") -> str:
        """The value of the Authorization; ValueError for names that cannot be written."""
        given = self.parameters
        shown = {
            "username": account.username,
            "realm": given.realm,
            "nonce": given.get("nonce"),
            "uri": uri,
            "opaque": given.get("opaque"),
        }
        parts = [f"{name}={digest.quoted(value)}" for name, value in shown.items() if value or name != "opaque"]
        used = {**{name: value for name, value in shown.items() if value}, "algorithm": self.algorithm}
        offered = [word.strip().lower() for word in given.get("qop").split(",") if word.strip()]
        if offered:
            used |= {
                "qop": "auth" if "auth" in offered else offered[0],
                "nc": _FIRST_USE,
                "cnonce": cnonce or secrets.token_hex(8),
            }
            parts += [f"qop={used['qop']}", f"nc={_FIRST_USE}", f'cnonce="{used["cnonce"]}"']
        credentials = Credentials(used)
        known = account.secret if account.is_ha1 else digest.ha1_of(credentials, account.secret)
        parts += [
            f'response="{digest.response(credentials, known, method, body)}"',
            f"algorithm={given.get('algorithm') or 'MD5'}",
        ]
        return f"Digest {', '.join(parts)}"


def choose(values: list[str], realm: str = "") -> list[Challenge]:
    """The challenges that are understood, in their order, which is that of preference (RFC 8760 section 2.4).

    With a realm only those for it.
    """
    found = [challenge for text in values if (challenge := Challenge.read(text)) is not None]
    return [challenge for challenge in found if not realm or challenge.realm == realm]
