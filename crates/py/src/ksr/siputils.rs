//! `KSR.siputils`: questions about a message (Kamailio's module siputils).

use sipwright_sip::script::siputils;

use super::{Out, ksr_table, on_context, read};
use crate::scope;

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
    /// Hides the URI of each contact, as base64url, in a parameter of the URI of `address`.
    contact_param_encode(name: Str, address: Str) -> Int = |c| {
        on_context(c, |x| siputils::contact_param_encode(x, c.bytes(0), c.bytes(1)))
    };
    /// Gives contacts back the URI that is in the parameter.
    contact_param_decode(name: Str) -> Int = |c| on_context(c, |x| siputils::contact_param_decode(x, c.bytes(0)));
    /// Makes the URI that is in a parameter of the request-URI the request-URI; -1 when there is none.
    contact_param_decode_ruri(name: Str) -> Int = |c| {
        on_context(c, |x| siputils::contact_param_decode_ruri(x, c.bytes(0)))
    };
    /// Removes a parameter from the URIs of contacts.
    contact_param_rm(name: Str) -> Int = |c| on_context(c, |x| siputils::contact_param_rm(x, c.bytes(0)));
    /// Whether the URI of a contact has the parameter.
    contact_param_check(name: Str) -> Int = |c| read(|x| siputils::contact_param_check(x, c.bytes(0)).into());
    /// Hides URIs of contacts in the user of others: `sip:prefix*user*password*host*port*transport@host`; -1 without a contact.
    encode_contact(prefix: Str, host: Str) -> Int = |c| {
        on_context(c, |x| siputils::encode_contact(x, c.bytes(0), c.bytes(1)))
    };
    /// Gives the request-URI back what `encode_contact` hid in it; -1 when there is nothing.
    decode_contact() -> Int = |c| on_context(c, siputils::decode_contact);
    /// Gives contacts back what `encode_contact` hid in them.
    decode_contact_header() -> Int = |c| on_context(c, siputils::decode_contact_header);
    /// Whether Date is not older than so many seconds: 1, -4 when it is, -1 without one that can be read.
    hdr_date_check(seconds: Int) -> Int = |c| read(|x| siputils::hdr_date_check(x, c.int(0)).into());
    /// Whether all header fields can be read: always 1, since messages with others do not reach scripts.
    sip_parse_headers() -> Int = |_| Out::Int(1);
    /// Answers OPTIONS for this server with what it can; -1 for another method or a request-URI with a user.
    options_reply() -> Int = |c| {
        let headers = on_context(c, siputils::options_headers);
        if let Out::Int(-1) = headers {
            return headers;
        }
        let core = scope::core();
        scope::with(|c| core.send_reply(c, 200, b"OK")).into()
    };
    /// Whether two URIs are equal by RFC 3261 section 19.1.4.
    cmp_uri(a: Str, b: Str) -> Int = |c| siputils::cmp_uri(c.bytes(0), c.bytes(1)).into();
    /// Whether two URIs have the same user and host.
    cmp_aor(a: Str, b: Str) -> Int = |c| siputils::cmp_aor(c.bytes(0), c.bytes(1)).into();
    /// Whether two names are of the same header field, compact forms included.
    cmp_hdr_name(a: Str, b: Str) -> Int = |c| siputils::cmp_hdr_name(c.bytes(0), c.bytes(1)).into();
}
