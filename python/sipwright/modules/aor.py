"""Addresses-of-record in the canonical form by which bindings are kept (RFC 3261 section 10.3 step 5)."""

import re
from functools import lru_cache
from typing import Final

_SCHEME: Final = re.compile(r"(sips?|tel):", re.IGNORECASE)
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_VISUAL_SEPARATORS: Final = str.maketrans("", "", "-.()")


# Every lookup and every refresh asks again for the same few thousand. Only short ones are kept, since anybody can
# send a URI: the cache stays under some 15 MB.
_CACHED: Final = 16_384
_CACHED_LENGTH: Final = 200


def canonical_aor(uri: str, use_domain: bool = False, case_sensitive: bool = False) -> str | None:
    """The key of a SIP, SIPS or TEL URI: its user, with `@domain` if `use_domain`; None for any other text.

    Parameters, headers, port and password do not count, escapes are resolved, and the domain is compared without
    regard to case; so is the user unless `case_sensitive`. A URI without a user stands for its domain.
    """
    form = _canonical if len(uri) <= _CACHED_LENGTH else _canonical.__wrapped__
    return form(uri, use_domain, case_sensitive)


@lru_cache(maxsize=_CACHED)
def _canonical(uri: str, use_domain: bool, case_sensitive: bool) -> str | None:
    scheme = _SCHEME.match(uri)
    if scheme is None:
        return None
    rest = uri[scheme.end() :]
    if scheme[1].lower() == "tel":
        number = rest.partition(";")[0].translate(_VISUAL_SEPARATORS)
        return number or None
    # An unescaped "@" occurs only after the user; a user may hold ";" and "?", which end a host.
    user, at, host = rest.partition("@")
    domain = _host(host if at else user)
    if not domain:
        return None
    name = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), user.partition(":")[0])
    if not at or not name:
        return domain
    if not case_sensitive:
        name = name.lower()
    return f"{name}@{domain}" if use_domain else name


def _host(text: str) -> str:
    host = re.split(r"[;?]", text, maxsplit=1)[0]
    if host.startswith("["):
        return host.partition("]")[0][1:].lower()
    return host.partition(":")[0].lower()


def user_and_host(uri: str) -> tuple[str, str] | None:
    """User ("" when there is none, without password) and host of a SIP or SIPS URI as they are written; None for others."""
    scheme = _SCHEME.match(uri)
    if scheme is None or scheme[1].lower() == "tel":
        return None
    user, at, rest = uri[scheme.end() :].rpartition("@") if "@" in uri else ("", "", uri[scheme.end() :])
    host = re.split(r"[;?]", rest, maxsplit=1)[0]
    host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return (user.partition(":")[0] if at else "", host) if host else None
