# Written by `python -m sipwright.kemi.stubs`.
"""KSR.registrar: functions of Kamailio's module."""


def add_sock_hdr(name: str, /) -> int:
    """Adds a header field `name` with the socket that the request came in on."""

def lookup(table: str, /) -> int:
    """Rewrites the request-URI to the best contact of its user and appends the others as branches: 1 found; -1 no contact; -2 none that allows the method (with `registrar.method_filtering`); -3 error."""

def lookup_branches(table: str, /) -> int:
    """As `lookup`, and for each branch that is a bare URI, whose contacts take its place."""

def lookup_to_dset(table: str, uri: str, /) -> int:
    """Appends all contacts of the user of `uri` as branches, and leaves the request-URI as it is."""

def lookup_uri(table: str, uri: str, /) -> int:
    """As `lookup`, for the user of `uri`."""

def lookup_xavp(table: str, uri: str, record: str, contact: str, /) -> int:
    """Copies the contacts of the user of `uri` to `$xavp(record=>...)` and, one for each, `$xavp(contact=>...)`. The attributes are those of `$ulc`. 1 found; -1 no contact; -3 error."""

def reg_fetch_contacts(table: str, uri: str, profile: str, /) -> int:
    """Copies the contacts of the user of `uri` to `$ulc(profile=>...)`: 1; -1 when there are none."""

def reg_free_contacts(profile: str, /) -> int:
    """Forgets what `reg_fetch_contacts` has copied: 1, even if there was nothing."""

def reg_from_user(table: str, uri: str, mode: int, /) -> int:
    """1 when the message comes from where a contact of the user of `uri` is registered, else -1: by transport, address and port, or with mode 1 by the address alone."""

def reg_send_reply() -> int:
    """Sends the answer that `save` made ready with the flags 2 and 16, or a bare 200."""

def registered(table: str, /) -> int:
    """1 when the user of the request-URI, or of To in a response, has a contact, else -1."""

def registered_action(table: str, uri: str, flags: int, actions: int, /) -> int:
    """As `registered_flags`; actions: 1 restores the values of the script kept with the contact, 2 leaves the XAVP of `registrar.xavp_rcd` as it is."""

def registered_flags(table: str, uri: str, flags: int, /) -> int:
    """As `registered_uri`, for a contact that has the value of `$xavp(CFG=>match_callid)` (flag 1), `match_received` (2) and `match_contact` (4), where CFG is `registrar.xavp_cfg`."""

def registered_uri(table: str, uri: str, /) -> int:
    """1 when the user of `uri` has a contact, else -1."""

def save(table: str, flags: int, /) -> int:
    """Applies the REGISTER to its To URI and answers it. 1 inserted, 2 updated, 3 deleted, 4 fetched; -1 refused, -2 too many contacts. Flags: 1 never to a database, 2 no reply, 4 one contact for each address-of-record, 8 no random expiry, 16 with 2: the reply's header fields are made ready."""

def save_uri(table: str, flags: int, uri: str, /) -> int:
    """As `save`, for the address-of-record `uri`."""

def set_q_override(q: str, /) -> int:
    """The contacts of this REGISTER get that q, from 0 to 1, whatever they say: 1; -1 when it is no q."""

def ulc_cget(profile: str, attr: str, index: int, /) -> str | int | None:
    """An attribute of the contact of that index of a profile, as `$(ulc(profile=>attr)[index])`."""

def ulc_rget(profile: str, attr: str, /) -> str | int | None:
    """An attribute of the record of a profile: aor, domain, aorhash or count."""

def unregister(table: str, uri: str, /) -> int:
    """Removes all contacts of the user of `uri`: 1; -1 when `uri` is none."""

def unregister_ruid(table: str, uri: str, ruid: str, /) -> int:
    """Removes the contact with the record id `ruid` of the user of `uri`: 1; -1 when `uri` is none, -3 when there is no such contact."""
