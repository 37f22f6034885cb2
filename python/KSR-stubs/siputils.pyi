# Written by `python -m sipwright.kemi.stubs`.
"""KSR.siputils: functions of Kamailio's module."""


def add_uri_param(param: str, /) -> int:
    """Adds `name=value` to the request-URI."""

def cmp_aor(a: str, b: str, /) -> int:
    """Whether two URIs have the same user and host."""

def cmp_hdr_name(a: str, b: str, /) -> int:
    """Whether two names are of the same header field, compact forms included."""

def cmp_uri(a: str, b: str, /) -> int:
    """Whether two URIs are equal by RFC 3261 section 19.1.4."""

def contact_param_check(name: str, /) -> int:
    """Whether the URI of a contact has the parameter."""

def contact_param_decode(name: str, /) -> int:
    """Gives contacts back the URI that is in the parameter."""

def contact_param_decode_ruri(name: str, /) -> int:
    """Makes the URI that is in a parameter of the request-URI the request-URI; -1 when there is none."""

def contact_param_encode(name: str, address: str, /) -> int:
    """Hides the URI of each contact, as base64url, in a parameter of the URI of `address`."""

def contact_param_rm(name: str, /) -> int:
    """Removes a parameter from the URIs of contacts."""

def decode_contact() -> int:
    """Gives the request-URI back what `encode_contact` hid in it; -1 when there is nothing."""

def decode_contact_header() -> int:
    """Gives contacts back what `encode_contact` hid in them."""

def encode_contact(prefix: str, host: str, /) -> int:
    """Hides URIs of contacts in the user of others: `sip:prefix*user*password*host*port*transport@host`; -1 without a contact."""

def has_totag() -> int:
    """Whether To has a tag, which makes it a request within a dialog (RFC 3261 section 12.2)."""

def hdr_date_check(seconds: int, /) -> int:
    """Whether Date is not older than so many seconds: 1, -4 when it is, -1 without one that can be read."""

def is_alphanum(text: str, /) -> int:
    """Whether a text has only letters and digits: 1, -2 when it is empty, -3 otherwise."""

def is_alphanumex(text: str, also: str, /) -> int:
    """As `is_alphanum`, with the bytes of `also` allowed too."""

def is_first_hop() -> int:
    """Whether no proxy is between the sender and this server: one Via in a request; in a response no Record-Route, or ours on top."""

def is_first_hop_mode(mode: int, /) -> int:
    """As `is_first_hop`; mode 1 also wants the source to be the Via's host."""

def is_gruu() -> int:
    """Whether the request-URI is a GRUU (RFC 5627): 1 public, 2 temporary, else -1."""

def is_http() -> int:
    """Whether the message is HTTP: always -1."""

def is_numeric(text: str, /) -> int:
    """Whether a text has only digits: 1, or -2."""

def is_reply() -> int:
    """Whether the message is a response: 1 or -1."""

def is_request() -> int:
    """Whether the message is a request: 1 or -1."""

def is_sip() -> int:
    """Whether the message is SIP: always 1."""

def is_tel_number(text: str, /) -> int:
    """Whether a text is digits after an optional plus: 1, or -2."""

def is_uri(text: str, /) -> int:
    """Whether a text is a `sip`, `sips`, `tel` or `urn` URI."""

def is_user(user: str, /) -> int:
    """Whether the credentials are of that user."""

def options_reply() -> int:
    """Answers OPTIONS for this server with what it can; -1 for another method or a request-URI with a user."""

def sip_parse_headers() -> int:
    """Whether all header fields can be read: always 1, since messages with others do not reach scripts."""

def uri_param(name: str, /) -> int:
    """Whether the request-URI has the parameter without a value."""

def uri_param_any(name: str, /) -> int:
    """Whether the request-URI has the parameter, with a value or not."""

def uri_param_rm(name: str, /) -> int:
    """Removes a parameter from the request-URI; -1 when it is not there."""

def uri_param_value(name: str, value: str, /) -> int:
    """Whether the request-URI has the parameter with that value."""
