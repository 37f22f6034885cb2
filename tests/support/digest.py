"""A client's side of digest authentication, written from RFC 7616 for tests: it shares no code with the server."""

from __future__ import annotations

import hashlib
import re

from support.messages import Sip

HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
CNONCE = "0a4f113b"


def challenge_of(reply: Sip, index: int = 0) -> dict[str, str]:
    """The parameters of a challenge in a 401 or 407."""
    (name,) = {"WWW-Authenticate", "Proxy-Authenticate"} & {header for header, _ in reply.headers}
    return parameters(reply.all(name)[index])


def parameters(value: str) -> dict[str, str]:
    assert value.startswith("Digest "), value
    return {name: text.strip('"') for name, text in re.findall(r'([a-z]+)=("[^"]*"|[^,\s]+)', value)}


def hashed(algorithm: str, *parts: str) -> str:
    return hashlib.new(HASHES[algorithm], ":".join(parts).encode()).hexdigest()


def credentials(
    challenge: dict[str, str],
    method: str,
    uri: str,
    user: str,
    password: str,
    nc: int = 1,
    body: str = "",
    **changed: str,
) -> str:
    """The value of Authorization that answers a challenge; `changed` are parameters sent, and computed with, otherwise."""
    given = {"realm": challenge["realm"], "nonce": challenge["nonce"], "qop": challenge.get("qop", ""), **changed}
    algorithm = changed.get("algorithm", challenge.get("algorithm", ""))
    qop = given["qop"].partition(",")[0]
    count = f"{nc:08x}"
    a1 = hashed(algorithm or "MD5", user, given["realm"], password)
    a2 = [method, uri] + ([hashed(algorithm or "MD5", body)] if qop == "auth-int" else [])
    middle = [count, CNONCE, qop] if qop else []
    response = hashed(algorithm or "MD5", a1, given["nonce"], *middle, hashed(algorithm or "MD5", *a2))
    parts = [f'username="{user}"', f'realm="{given["realm"]}"', f'nonce="{given["nonce"]}"', f'uri="{uri}"']
    parts.append(f'response="{changed.get("response", response)}"')
    parts += [f"qop={qop}", f"nc={count}", f'cnonce="{CNONCE}"'] if qop else []
    parts += [f"algorithm={algorithm}"] if algorithm else []
    return "Digest " + ", ".join(parts)
