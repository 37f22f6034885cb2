//! Checks of a request before it is routed (module sanity).
//!
//! What the parser refuses never gets here; the checks that it makes anyway are kept so
//! that a script's bit masks mean what they mean in Kamailio.

use std::borrow::Cow;

use crate::header::HeaderId;
use crate::nameaddr::parse_nameaddr;
use crate::params::Params;
use crate::uri::Uri;

use super::context::Context;
use super::pv::parse_number;

/// Bits of the first argument of `sanity_check`, numbered as in module sanity.
pub mod message {
    /// SIP version of the Request-Line.
    pub const RURI_VERSION: i64 = 1;
    /// Scheme of the request-URI.
    pub const RURI_SCHEME: i64 = 2;
    /// Mandatory header fields.
    pub const REQUIRED_HEADERS: i64 = 4;
    /// Method of CSeq.
    pub const CSEQ_METHOD: i64 = 32;
    /// Number of CSeq.
    pub const CSEQ_VALUE: i64 = 64;
    /// Content-Length against the body.
    pub const CONTENT_LENGTH: i64 = 128;
    /// Value of Expires.
    pub const EXPIRES: i64 = 256;
    /// Extensions of Proxy-Require that this server does not know.
    pub const PROXY_REQUIRE: i64 = 512;
    /// URIs, as the second argument says.
    pub const URIS: i64 = 1024;
    /// Digest credentials.
    pub const DIGEST: i64 = 2048;
    /// Parameter `tag` more than once in From or To.
    pub const DUPLICATE_TAGS: i64 = 4096;
    /// Scheme of Authorization.
    pub const AUTH_SCHEME: i64 = 8192;
    /// What `sanity_check_defaults` checks.
    pub const DEFAULT: i64 = RURI_VERSION
        | RURI_SCHEME
        | REQUIRED_HEADERS
        | CSEQ_METHOD
        | CSEQ_VALUE
        | CONTENT_LENGTH
        | EXPIRES
        | PROXY_REQUIRE
        | DIGEST;
}

/// Bits of the second argument of `sanity_check`.
pub mod uri {
    /// Request-URI.
    pub const RURI: i64 = 1;
    /// From.
    pub const FROM: i64 = 2;
    /// To.
    pub const TO: i64 = 4;
    /// Contact.
    pub const CONTACT: i64 = 8;
    /// What `sanity_check_defaults` checks.
    pub const DEFAULT: i64 = RURI | FROM | TO;
}

/// Settings of module sanity, with Kamailio's defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SanityConfig {
    /// What `sanity_check_defaults` checks.
    pub checks: i64,
    /// Which URIs it checks.
    pub uris: i64,
    /// Further extensions that Proxy-Require may name.
    pub extensions: Vec<String>,
    /// What is wrong is answered by `sanity_reply` only.
    pub no_reply: bool,
}

impl Default for SanityConfig {
    fn default() -> Self {
        Self {
            checks: message::DEFAULT,
            uris: uri::DEFAULT,
            extensions: Vec::new(),
            no_reply: false,
        }
    }
}

/// A response code and its reason.
type Fault = (u16, Cow<'static, str>);

/// One check: what is wrong, if anything.
type Check = fn(&Context) -> Option<Fault>;

/// `KSR.sanity.sanity_check`: 1, or -1 with [`Context::sanity_reply`] saying what the
/// caller is to answer (not to an ACK). A 420 has its Unsupported header field in
/// [`Context::reply_headers`].
pub fn sanity_check(ctx: &mut Context, checks: i64, uris: i64) -> i32 {
    ctx.sanity_reply = None;
    if !ctx.is_request() {
        return 1;
    }
    if checks & message::PROXY_REQUIRE != 0 {
        proxy_require(ctx);
    }
    if ctx.sanity_reply.is_none() {
        ctx.sanity_reply = fault(ctx, checks, uris);
    }
    if ctx.sanity_reply.is_some() { -1 } else { 1 }
}

/// `KSR.sanity.sanity_check_defaults`.
pub fn sanity_check_defaults(ctx: &mut Context) -> i32 {
    let (checks, uris) = (ctx.env.sanity.checks, ctx.env.sanity.uris);
    sanity_check(ctx, checks, uris)
}

/// What is wrong first, in Kamailio's order.
fn fault(ctx: &Context, checks: i64, uris: i64) -> Option<Fault> {
    const TABLE: &[(i64, Check)] = &[
        (message::RURI_SCHEME, ruri_scheme),
        (message::CSEQ_METHOD, cseq_method),
        (message::CSEQ_VALUE, cseq_value),
        (message::CONTENT_LENGTH, content_length),
        (message::EXPIRES, expires),
        (message::DIGEST, digest),
        (message::DUPLICATE_TAGS, duplicate_tags),
        (message::AUTH_SCHEME, auth_scheme),
    ];
    let first = TABLE
        .iter()
        .filter(|(bit, _)| checks & bit != 0)
        .find_map(|(_, check)| check(ctx));
    first.or_else(|| (checks & message::URIS != 0).then(|| bad_uri(ctx, uris))?)
}

const fn bad(code: u16, reason: &'static str) -> Option<Fault> {
    Some((code, Cow::Borrowed(reason)))
}

fn ruri_scheme(ctx: &Context) -> Option<Fault> {
    match Uri::parse(ctx.uri()) {
        Err(_) => bad(400, "Bad Request URI"),
        Ok(u) if has_known_scheme(&u) => None,
        Ok(_) => bad(416, "Unsupported URI Scheme in Request URI"),
    }
}

fn has_known_scheme(uri: &Uri<'_>) -> bool {
    uri.is_sip()
        || uri.scheme == crate::uri::Scheme::Tel
        || uri.scheme_name.eq_ignore_ascii_case(b"urn")
}

fn cseq_method(ctx: &Context) -> Option<Fault> {
    let value = ctx.msg.value(HeaderId::CSeq)?;
    let method = value
        .trim_ascii_start()
        .iter()
        .position(|c| !c.is_ascii_digit())?;
    let method = value.trim_ascii_start()[method..].trim_ascii();
    if method == ctx.msg.method_name() {
        None
    } else {
        bad(400, "CSeq method does not match request method")
    }
}

/// RFC 3261 section 8.1.1.5: less than 2**31.
fn cseq_value(ctx: &Context) -> Option<Fault> {
    let digits = ctx.msg.value(HeaderId::CSeq)?.trim_ascii_start();
    let len = digits.iter().take_while(|c| c.is_ascii_digit()).count();
    match parse_number(&digits[..len]) {
        Some(0..=0x7fff_ffff) => None,
        _ => bad(400, "CSeq number is illegal"),
    }
}

fn content_length(ctx: &Context) -> Option<Fault> {
    let says = ctx.msg.content_length()?;
    if usize::try_from(says).ok() == Some(ctx.msg.body().len()) {
        None
    } else {
        bad(400, "Content-Length mis-match")
    }
}

/// RFC 3261 section 20.19: 0 to 2**32-1.
fn expires(ctx: &Context) -> Option<Fault> {
    match parse_number(ctx.msg.value(HeaderId::Expires)?) {
        Some(0..=0xffff_ffff) => None,
        _ => bad(400, "Expires value is illegal"),
    }
}

/// Answers 420 with the extensions that no server here knows (RFC 3261 section 16.3 step 5).
fn proxy_require(ctx: &mut Context) {
    let msg = std::sync::Arc::clone(&ctx.msg);
    let wanted: Vec<&[u8]> = msg
        .all(HeaderId::ProxyRequire)
        .flat_map(|h| msg.get(h.value).split(|c| *c == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|tag| !tag.is_empty())
        .filter(|tag| !KNOWN.iter().any(|k| k.eq_ignore_ascii_case(tag)))
        .filter(|tag| {
            let further = &ctx.env.sanity.extensions;
            !further
                .iter()
                .any(|k| k.as_bytes().eq_ignore_ascii_case(tag))
        })
        .collect();
    if wanted.is_empty() {
        return;
    }
    ctx.reply_headers.extend_from_slice(b"Unsupported: ");
    ctx.reply_headers
        .extend_from_slice(&wanted.join(&b", "[..]));
    ctx.reply_headers.extend_from_slice(b"\r\n");
    ctx.sanity_reply = bad(420, "Bad Extension");
}

/// Extensions that a proxy supports by forwarding (RFC 3327, RFC 5626).
const KNOWN: &[&[u8]] = &[b"path", b"outbound", b"privacy"];

fn digest(ctx: &Context) -> Option<Fault> {
    let credentials = ctx
        .msg
        .value(HeaderId::Authorization)
        .or_else(|| ctx.msg.value(HeaderId::ProxyAuthorization))?;
    let complete = [b"username", &b"realm"[..], b"nonce", b"uri", b"response"]
        .iter()
        .all(|name| super::pv::digest_param(credentials, name).is_some());
    if complete {
        None
    } else {
        bad(400, "Invalid digest credentials")
    }
}

fn duplicate_tags(ctx: &Context) -> Option<Fault> {
    let twice = |params: &[u8]| {
        Params::new(params)
            .filter(|(name, _)| name.eq_ignore_ascii_case(b"tag"))
            .count()
            > 1
    };
    let msg = &ctx.msg;
    if twice(msg.get(msg.from().params)) || twice(msg.get(msg.to().params)) {
        bad(400, "Multiple tags")
    } else {
        None
    }
}

fn auth_scheme(ctx: &Context) -> Option<Fault> {
    let value = ctx.msg.value(HeaderId::Authorization)?;
    let scheme = value.split(|c| *c == b' ').next().unwrap_or_default();
    if super::hdr::is_token(scheme) && scheme.len() < value.len() {
        None
    } else {
        bad(400, "Invalid Authorization header")
    }
}

fn bad_uri(ctx: &Context, which: i64) -> Option<Fault> {
    let msg = &ctx.msg;
    // A scheme that a proxy cannot route is as bad as no URI (RFC 4475 section 3.3.4).
    let malformed = |text: &[u8]| !Uri::parse(text).is_ok_and(|u| has_known_scheme(&u));
    if which & uri::RURI != 0 && malformed(ctx.uri()) {
        return bad(400, "Bad Request URI");
    }
    if which & uri::FROM != 0 && malformed(msg.get(msg.from().uri)) {
        return bad(400, "Invalid From Header");
    }
    if which & uri::TO != 0 && malformed(msg.get(msg.to().uri)) {
        return bad(400, "Invalid To Header");
    }
    let bad_contact = || {
        msg.values(HeaderId::Contact).any(|span| {
            let value = msg.get(span);
            value != b"*" && parse_nameaddr(value).map_or(true, |a| malformed(a.uri))
        })
    };
    if which & uri::CONTACT != 0 && bad_contact() {
        return bad(400, "Invalid Contact Header");
    }
    None
}
