//! `KSR.siputils`: questions about a message (Kamailio's module siputils).

use sipwright_sip::script::siputils;

use super::{ksr_table, on_context, read};

ksr_table! { "siputils";
    /// Whether To has a tag, which makes it a request within a dialog (RFC 3261 section 12.2).
    has_totag() -> Int = |_| read(|x| siputils::has_totag(x).into());
    /// Whether the message is a request: 1 or -1.
    is_request() -> Int = |_| read(|x| siputils::is_request(x).into());
    /// Whether the message is a response: 1 or -1.
    is_reply() -> Int = |_| read(|x| siputils::is_reply(x).into());
    /// Whether the message is SIP: always 1.
    is_sip() -> Int = |_| read(|x| siputils::is_sip(x).into());
    /// Whether the message is HTTP: always -1.
    is_http() -> Int = |_| read(|x| siputils::is_http(x).into());
    /// Whether no proxy is between the sender and this server: one Via in a request; in a response no Record-Route, or ours on top.
    is_first_hop() -> Int = |_| read(|x| siputils::is_first_hop(x).into());
    /// As `is_first_hop`; mode 1 also wants the source to be the Via's host.
    is_first_hop_mode(mode: Int) -> Int = |c| read(|x| siputils::is_first_hop_mode(x, c.int(0)).into());
    /// Whether a text is a `sip`, `sips`, `tel` or `urn` URI.
    is_uri(text: Str) -> Int = |c| siputils::is_uri(c.bytes(0)).into();
    /// Whether the credentials are of that user.
    is_user(user: Str) -> Int = |c| read(|x| siputils::is_user(x, c.bytes(0)).into());
    /// Whether a text has only digits: 1, or -2.
    is_numeric(text: Str) -> Int = |c| siputils::is_numeric(c.bytes(0)).into();
    /// Whether a text has only letters and digits: 1, -2 when it is empty, -3 otherwise.
    is_alphanum(text: Str) -> Int = |c| siputils::is_alphanum(c.bytes(0)).into();
    /// As `is_alphanum`, with the bytes of `also` allowed too.
    is_alphanumex(text: Str, also: Str) -> Int = |c| siputils::is_alphanumex(c.bytes(0), c.bytes(1)).into();
    /// Whether a text is digits after an optional plus: 1, or -2.
    is_tel_number(text: Str) -> Int = |c| siputils::is_tel_number(c.bytes(0)).into();
    /// Whether the request-URI is a GRUU (RFC 5627): 1 public, 2 temporary, else -1.
    is_gruu() -> Int = |_| read(|x| siputils::is_gruu(x).into());
    /// Whether the request-URI has the parameter without a value.
    uri_param(name: Str) -> Int = |c| read(|x| siputils::uri_param(x, c.bytes(0)).into());
    /// Whether the request-URI has the parameter with that value.
    uri_param_value(name: Str, value: Str) -> Int = |c| {
        read(|x| siputils::uri_param_value(x, c.bytes(0), c.bytes(1)).into())
    };
    /// Whether the request-URI has the parameter, with a value or not.
    uri_param_any(name: Str) -> Int = |c| read(|x| siputils::uri_param_any(x, c.bytes(0)).into());
    /// Adds `name=value` to the request-URI.
    add_uri_param(param: Str) -> Int = |c| on_context(c, |x| siputils::add_uri_param(x, c.bytes(0)));
    /// Removes a parameter from the request-URI; -1 when it is not there.
    uri_param_rm(name: Str) -> Int = |c| on_context(c, |x| siputils::uri_param_rm(x, c.bytes(0)));
    /// Whether two URIs are equal by RFC 3261 section 19.1.4.
    cmp_uri(a: Str, b: Str) -> Int = |c| siputils::cmp_uri(c.bytes(0), c.bytes(1)).into();
    /// Whether two URIs have the same user and host.
    cmp_aor(a: Str, b: Str) -> Int = |c| siputils::cmp_aor(c.bytes(0), c.bytes(1)).into();
    /// Whether two names are of the same header field, compact forms included.
    cmp_hdr_name(a: Str, b: Str) -> Int = |c| siputils::cmp_hdr_name(c.bytes(0), c.bytes(1)).into();
}
