//! Module siputils; what it does to contacts is in `contacts`.

use crate::header::HeaderId;
use crate::uri::{Uri, uri_eq};

use super::context::Context;
use super::core::is_token_text;
use super::corex::code;
use super::ruri::composed;

pub use super::contacts::{
    contact_param_check, contact_param_decode, contact_param_decode_ruri, contact_param_encode,
    contact_param_rm, decode_contact, decode_contact_header, encode_contact, hdr_date_check,
};

/// `KSR.siputils.has_totag`: whether To has a tag, which makes it a request within a
/// dialog (RFC 3261 section 12.2).
#[must_use]
pub fn has_totag(ctx: &Context) -> i32 {
    code(ctx.msg.to_tag().is_some_and(|tag| !tag.is_empty()))
}

/// `KSR.siputils.is_request`.
#[must_use]
pub fn is_request(ctx: &Context) -> i32 {
    code(ctx.is_request())
}

/// `KSR.siputils.is_reply`.
#[must_use]
pub fn is_reply(ctx: &Context) -> i32 {
    code(!ctx.is_request())
}

/// `KSR.siputils.is_sip`.
#[must_use]
pub fn is_sip(ctx: &Context) -> i32 {
    code(!ctx.msg.is_http())
}

/// `KSR.siputils.is_http`: an HTTP request, in the route of `xhttp:request`.
#[must_use]
pub fn is_http(ctx: &Context) -> i32 {
    code(ctx.msg.is_http())
}

/// `KSR.siputils.is_first_hop`: whether no proxy is between the sender and this server.
/// For a request: one Via. For a response: the top Record-Route is ours, or there is none.
#[must_use]
pub fn is_first_hop(ctx: &Context) -> i32 {
    is_first_hop_mode(ctx, 0)
}

/// `KSR.siputils.is_first_hop_mode`: mode 1 also wants the source to be the Via's host.
#[must_use]
pub fn is_first_hop_mode(ctx: &Context, mode: i64) -> i32 {
    let msg = &ctx.msg;
    if ctx.is_request() {
        let host = crate::uri::host_ip(msg.get(msg.via().host));
        let direct = mode & 1 == 0 || host == Some(ctx.flow.remote.ip().to_canonical());
        return code(msg.vias().nth(1).is_none() && direct);
    }
    let top = msg.values(HeaderId::RecordRoute).next();
    let uri = top.and_then(|s| crate::nameaddr::parse_nameaddr(msg.get(s)).ok());
    code(uri.is_none_or(|a| super::myself::uri_is_myself(ctx, a.uri)))
}

/// What `KSR.siputils.options_reply` answers with, put into [`Context::reply_headers`]; -1 for
/// another method or a request-URI with a user (RFC 3261 section 11.2).
pub fn options_headers(ctx: &mut Context) -> i32 {
    let uri = Uri::parse(ctx.uri()).ok();
    let has_user = uri.is_none_or(|uri| uri.user.is_some_and(|user| !user.is_empty()));
    if !ctx.is_request() || ctx.msg.method() != crate::method::Method::Options || has_user {
        ctx.complain("not OPTIONS with a request-URI without a user");
        return -1;
    }
    let lines = ctx.env.options_headers.clone();
    ctx.reply_headers.extend_from_slice(&lines);
    1
}

/// `KSR.siputils.is_uri`: whether a text is a `sip`, `sips`, `tel` or `urn` URI.
#[must_use]
pub fn is_uri(text: &[u8]) -> i32 {
    code(Uri::parse(text).is_ok_and(|u| {
        u.is_sip() && !u.host.is_empty()
            || u.scheme == crate::uri::Scheme::Tel
            || u.scheme_name.eq_ignore_ascii_case(b"urn")
    }))
}

/// `KSR.siputils.is_user`: whether the credentials are of that user.
#[must_use]
pub fn is_user(ctx: &Context, user: &[u8]) -> i32 {
    let ours = super::kx::get_au(ctx);
    code(ours.text().is_some_and(|u| *u == *user))
}

/// `KSR.siputils.is_numeric`: only digits; -2 otherwise.
#[must_use]
pub fn is_numeric(text: &[u8]) -> i32 {
    all_or(text, u8::is_ascii_digit, -2)
}

/// `KSR.siputils.is_alphanum`: only letters and digits; -2 when empty, -3 otherwise.
#[must_use]
pub fn is_alphanum(text: &[u8]) -> i32 {
    is_alphanumex(text, b"")
}

/// `KSR.siputils.is_alphanumex`: only letters, digits and bytes of `also`.
#[must_use]
pub fn is_alphanumex(text: &[u8], also: &[u8]) -> i32 {
    if text.is_empty() {
        return -2;
    }
    all_or(text, |c| c.is_ascii_alphanumeric() || also.contains(c), -3)
}

/// `KSR.siputils.is_tel_number`: digits after an optional plus; -2 otherwise.
#[must_use]
pub fn is_tel_number(text: &[u8]) -> i32 {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    all_or(digits, u8::is_ascii_digit, -2)
}

fn all_or(text: &[u8], good: impl Fn(&u8) -> bool, otherwise: i32) -> i32 {
    if !text.is_empty() && text.iter().all(good) {
        1
    } else {
        otherwise
    }
}

/// `KSR.siputils.is_gruu`: 1 public, 2 temporary GRUU in the request-URI, else -1 (RFC 5627).
#[must_use]
pub fn is_gruu(ctx: &Context) -> i32 {
    match Uri::parse(ctx.uri()).ok().and_then(|u| u.param(b"gr")) {
        None => -1,
        Some(b"") => 2,
        Some(_) => 1,
    }
}

/// `KSR.siputils.uri_param`: whether the request-URI has the parameter without a value.
#[must_use]
pub fn uri_param(ctx: &Context, name: &[u8]) -> i32 {
    uri_param_value(ctx, name, b"")
}

/// `KSR.siputils.uri_param_value`: whether the request-URI has it with that value.
#[must_use]
pub fn uri_param_value(ctx: &Context, name: &[u8], value: &[u8]) -> i32 {
    let found = Uri::parse(ctx.uri()).ok().and_then(|u| u.param(name));
    code(found.is_some_and(|v| v == value))
}

/// `KSR.siputils.uri_param_any`: whether the request-URI has it, with a value or not.
#[must_use]
pub fn uri_param_any(ctx: &Context, name: &[u8]) -> i32 {
    code(Uri::parse(ctx.uri()).is_ok_and(|u| u.params().has(name)))
}

/// `KSR.siputils.add_uri_param`: adds `name=value` to the request-URI.
pub fn add_uri_param(ctx: &mut Context, param: &[u8]) -> i32 {
    let param = param.strip_prefix(b";").unwrap_or(param);
    if !is_token_text(param) {
        return -1;
    }
    if param.is_empty() {
        return 1;
    }
    with_params(ctx, |params| {
        let separator: &[u8] = if params.is_empty() { b"" } else { b";" };
        Some([params, separator, param].concat())
    })
}

/// `KSR.siputils.uri_param_rm`: removes a parameter from the request-URI; -1 when it is
/// not there.
pub fn uri_param_rm(ctx: &mut Context, name: &[u8]) -> i32 {
    with_params(ctx, |params| without_param(params, name))
}

/// Parameters without those of that name; `None` when there is none.
pub(super) fn without_param(params: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let is_it = |p: &&[u8]| {
        let key = p.split(|c| *c == b'=').next().unwrap_or_default();
        key.trim_ascii().eq_ignore_ascii_case(name)
    };
    let all: Vec<&[u8]> = params.split(|c| *c == b';').collect();
    let kept: Vec<&[u8]> = all.iter().copied().filter(|p| !is_it(p)).collect();
    (kept.len() < all.len()).then(|| kept.join(&b";"[..]))
}

fn with_params(ctx: &mut Context, change: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> i32 {
    let Ok(mut uri) = Uri::parse(ctx.uri()) else {
        return -1;
    };
    let Some(params) = change(uri.params) else {
        return -1;
    };
    uri.params = &params;
    let Some(new) = composed(&uri) else {
        return -1;
    };
    ctx.set_uri(new);
    1
}

/// `KSR.siputils.cmp_uri`: whether two URIs are equal by RFC 3261 section 19.1.4.
#[must_use]
pub fn cmp_uri(a: &[u8], b: &[u8]) -> i32 {
    match (Uri::parse(a), Uri::parse(b)) {
        (Ok(a), Ok(b)) => code(uri_eq(&a, &b)),
        _ => -1,
    }
}

/// `KSR.siputils.cmp_aor`: whether two URIs have the same user and host.
#[must_use]
pub fn cmp_aor(a: &[u8], b: &[u8]) -> i32 {
    match (Uri::parse(a), Uri::parse(b)) {
        (Ok(a), Ok(b)) => code(a.user == b.user && a.host.eq_ignore_ascii_case(b.host)),
        _ => -1,
    }
}

/// `KSR.siputils.cmp_hdr_name`: whether two names are of the same header field, compact
/// forms included.
#[must_use]
pub fn cmp_hdr_name(a: &[u8], b: &[u8]) -> i32 {
    let (left, right) = (HeaderId::of(a), HeaderId::of(b));
    code(left == right && (left != HeaderId::Other || a.eq_ignore_ascii_case(b)))
}
