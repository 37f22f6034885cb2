# Written by `python -m sipwright.kemi.stubs`.
"""KSR.nathelper: functions of Kamailio's module."""


def add_contact_alias() -> int:
    """As `set_contact_alias`, in the outgoing message only."""

def add_contact_alias_addr(ip: str, port: str, proto: str, /) -> int:
    """As `add_contact_alias`, with the given address, port and transport."""

def add_rcv_param(uri_param: int, /) -> int:
    """Adds `;received='sip:source'` to the contacts; with `uri_param` not 0 into the URI."""

def fix_nated_contact() -> int:
    """Puts the source address and port into the contacts. -1 when there is none."""

def fix_nated_register() -> int:
    """Remembers the source as the address of the binding, for `registrar.save`."""

def fix_nated_sdp(flags: int, /) -> int:
    """Changes SDP for a client behind NAT, the sum of: 1 `a=direction:active`, 2 the source address in `c=` and `a=rtcp`, 4 the line of `nathelper.nortpproxy_str`, 8 in `o=`. 1 when addresses were replaced, 2 when none were, -1 without SDP."""

def fix_nated_sdp_ip(flags: int, address: str, /) -> int:
    """As `fix_nated_sdp`, with the given address."""

def handle_ruri_alias() -> int:
    """Moves `;alias=` of the request-URI to the destination URI. 1 when it did, 2 when there is none, -1 when it is malformed."""

def handle_ruri_alias_mode(mode: int, /) -> int:
    """As `handle_ruri_alias`; mode 1 takes the last alias instead of the first."""

def is_rfc1918(address: str, /) -> int:
    """1 for a private IPv4 address, else -1."""

def nat_uac_test(tests: int, /) -> int:
    """1 when one of the tests says NAT, else -1; the bits of `tests` are Kamailio's, 1 to 256."""

def set_alias_to_pv(target: str, /) -> int:
    """Writes the URI that `;alias=` of the first contact stands for to a variable: 1; -1 when there is none or the variable cannot be written."""

def set_contact_alias() -> int:
    """Adds `;alias=address~port~transport` of the source to contacts that have none, visible at once. -1 when there is no contact."""

def set_contact_alias_trim() -> int:
    """As `set_contact_alias`; blanks around the contact never get into the URI here."""
