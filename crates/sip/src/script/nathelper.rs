//! NAT traversal of signalling (module nathelper).

use std::net::{IpAddr, SocketAddr};

use crate::header::HeaderId;
use crate::nameaddr::NameAddr;
use crate::types::{Proto, Span};
use crate::uri::{Uri, host_ip};

use super::avp::AvpKey;
use super::context::{Context, Value};
use super::corex::code;
use super::env::unbracket;
use super::hdr::change;
use super::pv::addr_uri;
use super::ruri::{Part, composed, with_part};

/// Settings of module nathelper, with Kamailio's defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatConfig {
    /// Parameter of contacts with where they really are.
    pub alias_name: String,
    /// Addresses reserved for protocols (192.0.0.0/24) count as private too.
    pub reserved_too: bool,
    /// Line that marks an SDP body as changed, with its line end.
    pub mark: String,
    /// `a=oldmediaip` tells the old addresses.
    pub tell_old: bool,
}

impl Default for NatConfig {
    fn default() -> Self {
        Self {
            alias_name: "alias".to_owned(),
            reserved_too: true,
            mark: "a=nortpproxy:yes\r\n".to_owned(),
            tell_old: true,
        }
    }
}

/// Bits of `nat_uac_test`.
pub mod test {
    /// A contact has a private address.
    pub const CONTACT_PRIVATE: i64 = 1;
    /// The top Via names another host than the source.
    pub const VIA_HOST: i64 = 2;
    /// The top Via has a private address.
    pub const VIA_PRIVATE: i64 = 4;
    /// The SDP has a private address.
    pub const SDP_PRIVATE: i64 = 8;
    /// The source port is not that of the top Via.
    pub const VIA_PORT: i64 = 16;
    /// The source is a private address.
    pub const SOURCE_PRIVATE: i64 = 32;
    /// It came over WebSocket.
    pub const WEBSOCKET: i64 = 64;
    /// A contact has another port than the source.
    pub const CONTACT_PORT: i64 = 128;
    /// The SDP has another address than the source.
    pub const SDP_SOURCE: i64 = 256;
}

/// Whether one sign of a NAT is there.
type Test = fn(&Context) -> bool;

/// `KSR.nathelper.nat_uac_test`: 1 when one of the tests says NAT, else -1.
#[must_use]
pub fn nat_uac_test(ctx: &Context, tests: i64) -> i32 {
    const TABLE: &[(i64, Test)] = &[
        (test::VIA_PORT, via_port),
        (test::VIA_HOST, via_host),
        (test::CONTACT_PRIVATE, |ctx| {
            contact_uris(ctx).any(|u| host_ip(u.host).is_some_and(|ip| hides(ctx, ip)))
        }),
        (test::SDP_PRIVATE, |ctx| {
            sdp_addresses(ctx).any(|ip| hides(ctx, ip))
        }),
        (test::VIA_PRIVATE, |ctx| {
            host_ip(ctx.msg.get(ctx.msg.via().host)).is_some_and(|ip| hides(ctx, ip))
        }),
        (test::SOURCE_PRIVATE, |ctx| hides(ctx, source(ctx).ip())),
        (test::WEBSOCKET, |ctx| {
            matches!(ctx.flow.proto, Proto::Ws | Proto::Wss)
        }),
        (test::CONTACT_PORT, |ctx| {
            contact_uris(ctx).any(|u| u.port_or_default() != source(ctx).port())
        }),
        (test::SDP_SOURCE, |ctx| {
            sdp_addresses(ctx).any(|ip| ip != source(ctx).ip())
        }),
    ];
    code(
        TABLE
            .iter()
            .any(|(bit, test)| tests & bit != 0 && test(ctx)),
    )
}

fn source(ctx: &Context) -> SocketAddr {
    SocketAddr::new(ctx.flow.remote.ip().to_canonical(), ctx.flow.remote.port())
}

fn via_port(ctx: &Context) -> bool {
    ctx.msg.via().port_or_default() != source(ctx).port()
}

fn via_host(ctx: &Context) -> bool {
    host_ip(ctx.msg.get(ctx.msg.via().host)) != Some(source(ctx).ip())
}

/// Whether an address is one that NATs hide: RFC 1918, RFC 6598 and RFC 6333 for IPv4.
#[must_use]
pub fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            ip.is_private() || a == 100 && b & 0xc0 == 64 || (a, b, c) == (192, 0, 0)
        }
        IpAddr::V6(_) => false,
    }
}

/// As [`is_private`], within the bounds of `nat_addr_mode`.
fn hides(ctx: &Context, ip: IpAddr) -> bool {
    let reserved_only = matches!(ip.to_canonical(), IpAddr::V4(ip) if {
        let [a, b, c, d] = ip.octets();
        (a, b, c) == (192, 0, 0) && d >= 8
    });
    is_private(ip) && (ctx.env.nat.reserved_too || !reserved_only)
}

/// `KSR.nathelper.is_rfc1918`: 1 for a private IPv4 address, else -1.
#[must_use]
pub fn is_rfc1918(ctx: &Context, address: &[u8]) -> i32 {
    code(host_ip(address).is_some_and(|ip| hides(ctx, ip)))
}

/// Addresses of the `c=` lines of an SDP body (RFC 8866 section 5.7).
fn sdp_addresses(ctx: &Context) -> impl Iterator<Item = IpAddr> + '_ {
    ctx.msg
        .body()
        .split(|c| *c == b'\n')
        .filter_map(|line| line.strip_prefix(b"c="))
        .filter_map(|line| {
            let address = line.trim_ascii().split(|c| *c == b' ').nth(2)?;
            host_ip(address.split(|c| *c == b'/').next()?)
        })
}

fn contacts(ctx: &Context) -> impl Iterator<Item = NameAddr> + '_ {
    let msg = &ctx.msg;
    msg.values(HeaderId::Contact)
        .filter(|span| msg.get(*span) != b"*")
        .filter_map(|span| NameAddr::parse(msg.bytes(), span).ok())
}

fn contact_uris(ctx: &Context) -> impl Iterator<Item = Uri<'_>> + '_ {
    contacts(ctx).filter_map(|c| Uri::parse(ctx.msg.get(c.uri)).ok())
}

/// Where `;alias=` goes in the URI.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Last,
}

/// `KSR.nathelper.set_contact_alias`: adds `;alias=address~port~transport` of the source
/// to contacts that have none. [`Context::contact_aliases`] shows the new URIs at once,
/// to the registrar for one. -1 when there is no contact.
pub fn set_contact_alias(ctx: &mut Context) -> i32 {
    let source = source(ctx);
    let proto = ctx.flow.proto;
    let changed = add_alias(ctx, Place::Last, source, proto);
    if let Some(changed) = changed {
        ctx.contact_aliases.extend(changed);
        1
    } else {
        -1
    }
}

/// `KSR.nathelper.set_contact_alias_trim`: as [`set_contact_alias`]; blanks around the
/// contact never get into the URI here.
pub fn set_contact_alias_trim(ctx: &mut Context) -> i32 {
    set_contact_alias(ctx)
}

/// `KSR.nathelper.add_contact_alias`: the same for the outgoing message only.
pub fn add_contact_alias(ctx: &mut Context) -> i32 {
    let source = source(ctx);
    let proto = ctx.flow.proto;
    code(add_alias(ctx, Place::First, source, proto).is_some())
}

/// `KSR.nathelper.add_contact_alias_addr`: with another address than the source's.
pub fn add_contact_alias_addr(ctx: &mut Context, ip: &[u8], port: &[u8], proto: &[u8]) -> i32 {
    let port = std::str::from_utf8(port).ok().and_then(|p| p.parse().ok());
    let (Some(ip), Some(port), Some(proto)) = (host_ip(ip), port, Proto::parse(proto)) else {
        ctx.complain("add_contact_alias: not an address, port and transport");
        return -1;
    };
    code(add_alias(ctx, Place::First, SocketAddr::new(ip, port), proto).is_some())
}

/// Adds aliases; the new URIs, or `None` without a contact.
fn add_alias(
    ctx: &mut Context,
    place: Place,
    source: SocketAddr,
    proto: Proto,
) -> Option<Vec<(Span, Vec<u8>)>> {
    let msg = std::sync::Arc::clone(&ctx.msg);
    let all: Vec<NameAddr> = contacts(ctx).collect();
    if all.is_empty() {
        return None;
    }
    let name = ctx.env.nat.alias_name.clone();
    let alias = alias_param(&name, source, proto);
    let mut changed = Vec::new();
    for contact in all {
        let Some(uri) = Uri::parse(msg.get(contact.uri)).ok().filter(Uri::is_sip) else {
            continue;
        };
        if uri.params().has(name.as_bytes()) {
            continue;
        }
        let Some(new) = with_alias(uri, &alias, place) else {
            continue;
        };
        let text = if contact.bracketed {
            new.clone()
        } else {
            [b"<", &new[..], b">"].concat()
        };
        change(ctx, contact.uri, text);
        changed.push((contact.uri, new));
    }
    Some(changed)
}

fn with_alias(uri: Uri<'_>, alias: &[u8], place: Place) -> Option<Vec<u8>> {
    let params = match (uri.params, place) {
        (b"", _) => alias.to_vec(),
        (old, Place::First) => [alias, b";", old].concat(),
        (old, Place::Last) => [old, b";", alias].concat(),
    };
    composed(&Uri {
        params: &params,
        ..uri
    })
}

/// `alias=192.0.2.1~5060~1`; the transport has Kamailio's number.
fn alias_param(name: &str, source: SocketAddr, proto: Proto) -> Vec<u8> {
    [format!("{name}=").into_bytes(), alias_value(source, proto)].concat()
}

/// `192.0.2.1~5060~1`.
pub(super) fn alias_value(source: SocketAddr, proto: Proto) -> Vec<u8> {
    let host = match source.ip().to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let proto = super::pv::proto_id(proto);
    format!("{host}~{}~{proto}", source.port()).into_bytes()
}

/// `KSR.nathelper.handle_ruri_alias`: moves `;alias=` of the request-URI to the
/// destination URI. 1 when it did, 2 when there is none, -1 when it is malformed.
pub fn handle_ruri_alias(ctx: &mut Context) -> i32 {
    handle_ruri_alias_mode(ctx, 0)
}

/// `KSR.nathelper.handle_ruri_alias_mode`: mode 1 takes the last alias instead of the first.
pub fn handle_ruri_alias_mode(ctx: &mut Context, mode: i64) -> i32 {
    let start = format!("{}=", ctx.env.nat.alias_name).into_bytes();
    let Ok(mut uri) = Uri::parse(ctx.uri()) else {
        return -1;
    };
    let params: Vec<&[u8]> = uri.params.split(|c| *c == b';').collect();
    let is_alias = |p: &&[u8]| p.starts_with(&start);
    let at = match mode {
        0 => params.iter().position(is_alias),
        _ => params.iter().rposition(is_alias),
    };
    let Some(at) = at else {
        return 2;
    };
    let value = &params[at][start.len()..];
    if memchr::memchr(b'~', value).is_none() {
        return 2;
    }
    let Some(dst) = alias_uri(value) else {
        ctx.complain("handle_ruri_alias: malformed alias");
        return -1;
    };
    let mut rest = params;
    rest.remove(at);
    let rest = rest.join(&b";"[..]);
    uri.params = &rest;
    let Some(new) = composed(&uri) else {
        return -1;
    };
    ctx.set_uri(new);
    ctx.set_dst_uri(dst);
    1
}

/// The URI that `address~port~transport` stands for.
pub(super) fn alias_uri(value: &[u8]) -> Option<Vec<u8>> {
    let mut fields = value.split(|c| *c == b'~');
    let (ip, port, proto) = (fields.next()?, fields.next()?, fields.next()?);
    let ip = host_ip(unbracket(ip))?;
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    let proto = match proto {
        b"1" => Proto::Udp,
        b"2" => Proto::Tcp,
        b"3" => Proto::Tls,
        b"5" => Proto::Ws,
        b"6" => Proto::Wss,
        _ => return None,
    };
    fields
        .next()
        .is_none()
        .then(|| addr_uri(SocketAddr::new(ip, port), proto, false).into_bytes())
}

/// `KSR.nathelper.fix_nated_contact`: puts the source address and port into the contacts.
/// -1 when there is none.
pub fn fix_nated_contact(ctx: &mut Context) -> i32 {
    let source = source(ctx);
    let msg = std::sync::Arc::clone(&ctx.msg);
    let all: Vec<NameAddr> = contacts(ctx).collect();
    let host = match source.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    for contact in &all {
        let fixed = with_part(msg.get(contact.uri), Part::Host(host.as_bytes()))
            .and_then(|uri| with_part(&uri, Part::Port(Some(source.port()))));
        if let Some(uri) = fixed {
            change(ctx, contact.uri, uri);
        }
    }
    code(!all.is_empty())
}

/// `KSR.nathelper.fix_nated_register`: remembers the source as the address of the
/// binding, in [`Context::received`] and in the AVP of `received_avp`.
pub fn fix_nated_register(ctx: &mut Context) -> i32 {
    let uri = addr_uri(source(ctx), ctx.flow.proto, false).into_bytes();
    if let Some(name) = &ctx.env.received_avp {
        let key = super::pv::avp_key(name.as_bytes());
        push_avp(ctx, &key, uri.clone());
    }
    ctx.received = Some(uri);
    1
}

fn push_avp(ctx: &mut Context, key: &AvpKey, text: Vec<u8>) {
    ctx.tx_data.avps.push(key, Value::owned(text));
}

/// `KSR.nathelper.add_rcv_param`: adds `;received="sip:source"` to the contacts; with
/// `uri_param` not 0 into the URI.
pub fn add_rcv_param(ctx: &mut Context, uri_param: i64) -> i32 {
    let uri = addr_uri(source(ctx), ctx.flow.proto, false);
    let all: Vec<NameAddr> = contacts(ctx).collect();
    for contact in &all {
        if uri_param == 0 {
            let text = format!(";received=\"{uri}\"");
            change(ctx, end_of(contact.span), text);
        } else {
            let text = format!(";received={}", uri.replace(':', "%3a").replace(';', "%3b"));
            change(ctx, end_of(contact.uri), text);
        }
    }
    code(!all.is_empty())
}

/// The place right after a span.
const fn end_of(span: Span) -> Span {
    Span::new(span.end, span.end)
}

/// `$rr_top_count`: 2 when the two Record-Routes on top are of one proxy, 1 or 0 otherwise.
#[must_use]
pub(super) fn rr_top_count(ctx: &Context) -> usize {
    let mut doubles = ctx.msg.values(HeaderId::RecordRoute).map(|span| {
        crate::nameaddr::parse_nameaddr(ctx.msg.get(span))
            .ok()
            .and_then(|a| Uri::parse(a.uri).ok())
            .is_some_and(|u| u.params().has(b"r2"))
    });
    match (doubles.next(), doubles.next()) {
        (None, _) => 0,
        (Some(true), Some(true)) => 2,
        _ => 1,
    }
}
