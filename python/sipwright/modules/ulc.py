"""Copies of bindings for scripts: `$ulc(profile=>attribute)` and what `reg_fetch_contacts` fills it with."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sipwright._engine import Binding

Value = str | int | None
MAX_PROFILES: Final = 64


@dataclass(frozen=True, slots=True)
class Profile:
    """The contacts of one address-of-record, as they were when they were fetched."""

    table: str
    aor: str
    contacts: list[Binding] = field(default_factory=list)


# A contact's attributes by the name that scripts use.
CONTACT: Final[dict[str, Callable[[Binding], Value]]] = {
    "addr": lambda one: one.uri,
    "path": lambda one: one.path,
    "received": lambda one: one.received,
    "expires": lambda one: one.expires_at,
    "callid": lambda one: one.call_id,
    "q": lambda one: one.q,
    "cseq": lambda one: one.cseq,
    "flags": lambda one: one.flags,
    "cflags": lambda one: one.cflags,
    "user_agent": lambda one: one.user_agent,
    "socket": lambda one: one.socket or None,
    "modified": lambda one: one.modified_at,
    "methods": lambda one: signed(one.methods),
    "ruid": lambda one: one.ruid,
    "regid": lambda one: one.reg_id,
    "instance": lambda one: one.instance or None,
    "conid": lambda one: one.connection or None,
    "server_id": lambda one: one.server_id,
}
RECORD: Final[dict[str, Callable[[Profile], Value]]] = {
    "aor": lambda profile: profile.aor,
    "domain": lambda profile: profile.table,
    # Kamailio's number of the record's slot; there are no slots here.
    "aorhash": lambda _profile: 0,
    "count": lambda profile: len(profile.contacts),
}
_profiles = threading.local()


def signed(methods: int) -> int:
    """The bits of methods as Kamailio shows them: all of them are -1."""
    return methods - (1 << 32) if methods & 1 << 31 else methods


def keep(name: str, profile: Profile) -> bool:
    """Keeps a profile for scripts of this worker; False when it has too many of them."""
    profiles = _all()
    if name not in profiles and len(profiles) >= MAX_PROFILES:
        return False
    profiles[name] = profile
    return True


def free(name: str) -> None:
    """Forgets a profile."""
    _all().pop(name, None)


def attribute(name: str, attribute: str, index: int | None = 0) -> Value:
    """An attribute of a profile, or of its contact of that index; negative ones as 0, as in Kamailio."""
    profile = _all().get(name)
    if profile is None or not profile.contacts or (index or 0) >= len(profile.contacts):
        return None
    if attribute in RECORD:
        return RECORD[attribute](profile)
    get = CONTACT.get(attribute)
    return None if get is None else get(profile.contacts[max(index or 0, 0)])


def variable(inner: str, index: int | None) -> Value:
    """`$(ulc(profile=>attribute)[index])`."""
    name, _, attribute_name = inner.partition("=>")
    return attribute(name.strip(), attribute_name.strip(), index)


def _all() -> dict[str, Profile]:
    found: dict[str, Profile] | None = getattr(_profiles, "all", None)
    if found is None:
        found = _profiles.all = {}
    return found
