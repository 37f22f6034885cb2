//! URIs of contacts hidden in others and found again, parameters of theirs, and what else
//! module siputils does to a message.

use crate::header::HeaderId;
use crate::nameaddr::NameAddr;
use crate::uri::Uri;

use super::context::Context;
use super::corex::code;
use super::hdr::change;
use super::pv::{base64url, from_base64url};
use super::ruri::{composed, seturi};
use super::siputils::without_param;

/// `KSR.siputils.contact_param_encode`: each contact becomes `address` with the parameter `name`,
/// whose value is its URI in base64url. 1, also without a contact.
pub fn contact_param_encode(ctx: &mut Context, name: &[u8], address: &[u8]) -> i32 {
    if name.is_empty() || Uri::parse(address).is_err() {
        ctx.complain("not a parameter name and a URI");
        return -1;
    }
    rewrite(ctx, |uri| {
        Some([address, b";", name, b"=", &base64url(uri.raw)].concat())
    });
    1
}

/// `KSR.siputils.contact_param_decode`: contacts with the parameter become the URI in it. 1, also
/// when none has it.
pub fn contact_param_decode(ctx: &mut Context, name: &[u8]) -> i32 {
    rewrite(ctx, |uri| hidden(uri, name));
    1
}

/// `KSR.siputils.contact_param_decode_ruri`: the same of the request-URI; -1 when it has no such
/// parameter, or no URI is in it.
pub fn contact_param_decode_ruri(ctx: &mut Context, name: &[u8]) -> i32 {
    let found = Uri::parse(ctx.uri())
        .ok()
        .and_then(|uri| hidden(&uri, name));
    code(found.is_some_and(|uri| seturi(ctx, &uri)))
}

/// `KSR.siputils.contact_param_rm`: contacts lose the parameter of their URI. 1, also when none
/// has it.
pub fn contact_param_rm(ctx: &mut Context, name: &[u8]) -> i32 {
    rewrite(ctx, |uri| {
        let params = without_param(uri.params, name)?;
        composed(&Uri {
            params: &params,
            ..*uri
        })
    });
    1
}

/// `KSR.siputils.contact_param_check`: whether the URI of a contact has the parameter.
#[must_use]
pub fn contact_param_check(ctx: &Context, name: &[u8]) -> i32 {
    code(contacts(ctx).any(|contact| {
        Uri::parse(ctx.msg.get(contact.uri)).is_ok_and(|uri| uri.params().has(name))
    }))
}

/// `KSR.siputils.encode_contact`: contacts become `sip:prefix*user*password*host*port*transport@host`.
pub fn encode_contact(ctx: &mut Context, prefix: &[u8], host: &[u8]) -> i32 {
    let separator = separator(ctx);
    if ctx.msg.header(HeaderId::Contact).is_none() {
        return -1;
    }
    rewrite(ctx, |uri| {
        let port = uri.port.map(|port| port.to_string()).unwrap_or_default();
        let parts = [
            prefix,
            uri.user.unwrap_or_default(),
            uri.password.unwrap_or_default(),
            uri.host,
            port.as_bytes(),
            uri.param(b"transport").unwrap_or_default(),
        ];
        let text = [b"sip:", &parts.join(&separator)[..], b"@", host].concat();
        Uri::parse(&text).is_ok().then_some(text)
    });
    1
}

/// `KSR.siputils.decode_contact_header`: contacts of [`encode_contact`] become what they were.
pub fn decode_contact_header(ctx: &mut Context) -> i32 {
    let separator = separator(ctx);
    if ctx.msg.header(HeaderId::Contact).is_none() {
        return -1;
    }
    rewrite(ctx, |uri| decoded(uri, separator));
    1
}

/// `KSR.siputils.decode_contact`: the same of the request-URI; -1 when it is none of them.
pub fn decode_contact(ctx: &mut Context) -> i32 {
    let separator = separator(ctx);
    let found = Uri::parse(ctx.uri())
        .ok()
        .and_then(|uri| decoded(&uri, separator));
    code(found.is_some_and(|uri| seturi(ctx, &uri)))
}

fn decoded(uri: &Uri<'_>, separator: u8) -> Option<Vec<u8>> {
    let parts: Vec<&[u8]> = uri.user?.split(|c| *c == separator).collect();
    let [_prefix, user, password, host, port, transport] = parts[..] else {
        return None;
    };
    let mut text = b"sip:".to_vec();
    let mut add = |lead: &[u8], part: &[u8]| {
        if !part.is_empty() {
            text.extend_from_slice(lead);
            text.extend_from_slice(part);
        }
    };
    add(b"", user);
    add(b":", password);
    add(if user.is_empty() { b"" } else { b"@" }, host);
    add(b":", port);
    add(b";transport=", transport);
    Uri::parse(&text).is_ok().then_some(text)
}

/// What `contact_flds_separator` says, or Kamailio's default.
fn separator(ctx: &Context) -> u8 {
    ctx.env.contact_separator.unwrap_or(b'*')
}

/// The URI in a parameter.
fn hidden(uri: &Uri<'_>, name: &[u8]) -> Option<Vec<u8>> {
    let text = from_base64url(uri.param(name)?)?;
    Uri::parse(&text).is_ok().then_some(text)
}

fn contacts(ctx: &Context) -> impl Iterator<Item = NameAddr> + '_ {
    let msg = &ctx.msg;
    msg.values(HeaderId::Contact)
        .filter(|span| msg.get(*span) != b"*")
        .filter_map(|span| NameAddr::parse(msg.bytes(), span).ok())
}

/// Puts other URIs in the place of those of the contacts.
fn rewrite(ctx: &mut Context, new: impl Fn(&Uri<'_>) -> Option<Vec<u8>>) {
    let found: Vec<NameAddr> = contacts(ctx).collect();
    for contact in found {
        let text = Uri::parse(ctx.msg.get(contact.uri))
            .ok()
            .and_then(|uri| new(&uri));
        if let Some(text) = text {
            let text = if contact.bracketed {
                text
            } else {
                [b"<", &text[..], b">"].concat()
            };
            change(ctx, contact.uri, text);
        }
    }
}

/// `KSR.siputils.hdr_date_check`: 1 when Date is not older than so many seconds, -4 when it is,
/// -1 without one that can be read (RFC 3261 section 20.17).
#[must_use]
pub fn hdr_date_check(ctx: &Context, seconds: i64) -> i32 {
    let date = ctx.msg.find(b"Date").next().map(|h| ctx.msg.get(h.value));
    let now = i64::try_from(ctx.now / 1_000_000).unwrap_or(i64::MAX);
    match date.and_then(seconds_of) {
        None => -1,
        Some(then) if then < now.saturating_sub(seconds) => -4,
        Some(_) => 1,
    }
}

/// Seconds since 1970 of `Sat, 13 Nov 2010 23:29:00 GMT`.
fn seconds_of(date: &[u8]) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = std::str::from_utf8(date).ok()?;
    let mut words = text.split_once(", ")?.1.split_ascii_whitespace();
    let number = |word: Option<&str>| word?.parse::<i64>().ok();
    let day = number(words.next()).filter(|day| (1..=31).contains(day))?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)?;
    let year = number(words.next()).filter(|year| (1970..=9999).contains(year))?;
    let mut clock = words.next()?.split(':');
    let mut below = |most: i64| number(clock.next()).filter(|n| (0..most).contains(n));
    let (hour, minute, second) = (below(24)?, below(60)?, below(61)?);
    if words.next() != Some("GMT") {
        return None;
    }
    // Days since 1970, with years that begin in March.
    let month = i64::try_from(month).ok()?;
    let (years, months) = if month < 2 {
        (year - 1, month + 10)
    } else {
        (year, month - 2)
    };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day;
    Some((days - 719_469) * 86_400 + hour * 3_600 + minute * 60 + second)
}
