"""Passwords that end by themselves (draft-uberti-behave-turn-rest), as Kamailio's auth_ephemeral has them. No I/O."""

import base64
import hmac
from collections.abc import Sequence
from typing import Final

from sipwright.modules.digest import is_same

HASHES: Final = ("sha1", "sha256", "sha384", "sha512")
TIME_FIRST: Final = 1


def password(username: str, secret: str, algorithm: int) -> str:
    """The password of a user name: base64 of its HMAC."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), HASHES[algorithm])).decode("ascii")


def expires_at(username: str, username_format: int) -> int | None:
    """The Unix time in seconds that a user name holds, or None when it holds none."""
    name = username.partition("@")[0]
    before, _, after = name.partition(":")
    text = before if username_format == TIME_FIRST or not after else after
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def is_right(username: str, given: str, secrets: Sequence[str], algorithm: int) -> bool:
    """Whether a password was made from any of the secrets; takes the same time for each of them."""
    # The digests are compared in lower case, which base64 is not: hexadecimal forms of both are.
    results = [
        is_same(password(username, secret, algorithm).encode().hex(), given.encode().hex()) for secret in secrets
    ]
    return any(results)
