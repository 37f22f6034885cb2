"""Users and hosts of addresses-of-record. Their canonical form is the engine's (`RegistrarRules.aor`)."""

import re
from typing import Final

_SCHEME: Final = re.compile(r"(sips?|tel):", re.IGNORECASE)


def user_and_host(uri: str) -> tuple[str, str] | None:
    """User ("" when there is none, without password) and host of a SIP or SIPS URI as they are written; None for others."""
    scheme = _SCHEME.match(uri)
    if scheme is None or scheme[1].lower() == "tel":
        return None
    user, at, rest = uri[scheme.end() :].rpartition("@") if "@" in uri else ("", "", uri[scheme.end() :])
    host = re.split(r"[;?]", rest, maxsplit=1)[0]
    host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return (user.partition(":")[0] if at else "", host) if host else None
