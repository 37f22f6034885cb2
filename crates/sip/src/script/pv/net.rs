//! Where a message came from, and the sockets of this server.

use std::net::{IpAddr, SocketAddr};

use crate::types::{Proto, SocketInfo};
use crate::via::Rport;

use super::super::context::{Context, Value};
use super::names::Class;
use super::read::int;

pub(super) fn get(ctx: &Context, class: Class) -> Value<'_> {
    let flow = &ctx.flow;
    match class {
        Class::SrcIp => text(ip(flow.remote.ip())),
        Class::SrcIpRef => text(ip_ref(flow.remote.ip())),
        Class::SrcPort => int(flow.remote.port()),
        Class::SrcUri => text(addr_uri(flow.remote, flow.proto, false)),
        Class::SrcUriProto => text(addr_uri(flow.remote, flow.proto, true)),
        Class::SrcAddr => text(socket_text(flow.proto, flow.remote)),
        Class::Proto => Value::borrowed(flow.proto.as_str().as_bytes()),
        Class::ProtoId => Value::Int(proto_id(flow.proto)),
        Class::ConnId => match flow.conn {
            0 => Value::Null,
            conn => int(conn),
        },
        Class::WsConnId => match (flow.proto, flow.conn) {
            (Proto::Ws | Proto::Wss, conn) => int(conn),
            _ => Value::Null,
        },
        Class::SendSocket => send_socket(ctx, |s| text(socket_text(s.proto, s.addr))),
        Class::SendSocketName => send_socket(ctx, name),
        Class::SendSocketPort => match send_socket(ctx, |s| int(s.addr.port())) {
            Value::Null => Value::Int(0),
            port => port,
        },
        _ => ctx
            .recv_socket()
            .map_or(Value::Null, |s| received(s, class)),
    }
}

/// Variables of the socket that the message came in on.
fn received(s: &SocketInfo, class: Class) -> Value<'_> {
    match class {
        Class::RcvIp => text(ip(s.addr.ip())),
        Class::RcvPort => int(s.addr.port()),
        Class::RcvName => name(s),
        Class::RcvUri => text(addr_uri(s.addr, s.proto, false)),
        Class::RcvUriProto => text(addr_uri(s.addr, s.proto, true)),
        Class::AdvIp => text(advertised_host(s)),
        Class::AdvPort => int(s.port()),
        Class::AdvUri => text(with_transport(
            &format!("sip:{}:{}", s.host(), s.port()),
            s.proto,
            false,
        )),
        Class::AdvUriProto => text(with_transport(
            &format!("sip:{}:{}", s.host(), s.port()),
            s.proto,
            true,
        )),
        Class::AdvAddr => text(format!("{}:{}:{}", s.proto, s.host(), s.port())),
        _ => Value::Null,
    }
}

/// `$rcv(..)`: how the message came.
pub(super) fn arrival<'a>(ctx: &'a Context, what: &[u8]) -> Value<'a> {
    let (flow, socket) = (&ctx.flow, ctx.recv_socket().map(|s| s.addr));
    match what {
        b"buf" => Value::borrowed(ctx.msg.bytes()),
        b"len" => int(ctx.msg.bytes().len()),
        b"proto" => int(proto_id(flow.proto)),
        b"sproto" => Value::borrowed(flow.proto.as_str().as_bytes()),
        b"af" => int(if flow.remote.is_ipv4() { 2 } else { 10 }),
        b"srcip" => text(ip(flow.remote.ip())),
        b"srcport" => int(flow.remote.port()),
        b"rcvip" => socket.map_or(Value::Null, |a| text(ip(a.ip()))),
        b"rcvport" => socket.map_or(Value::Null, |a| int(a.port())),
        _ => Value::Null,
    }
}

/// `$rpl(..)`: where a response is going, by the Via below ours (RFC 3261 section 18.2.2).
pub(super) fn reply_target<'a>(ctx: &'a Context, what: &[u8]) -> Value<'a> {
    let msg = &ctx.msg;
    if msg.is_request() {
        return Value::Null;
    }
    if what == b"cntvia" {
        return int(msg.vias().count());
    }
    let Some(Ok(via)) = msg.vias().nth(1) else {
        return Value::Null;
    };
    let host = via.received.unwrap_or(via.host);
    let host = String::from_utf8_lossy(msg.get(host)).into_owned();
    let port = match via.rport {
        Rport::Port(port) => port,
        _ => via.port_or_default(),
    };
    match (what, via.proto) {
        (b"duri", Some(proto)) => text(with_transport(&format!("sip:{host}:{port}"), proto, true)),
        (b"dhost", _) => text(host),
        (b"dport", _) => int(port),
        (b"dproto", Some(proto)) => Value::borrowed(proto.as_str().as_bytes()),
        (b"dprotoid", Some(proto)) => Value::Int(proto_id(proto)),
        _ => Value::Null,
    }
}

/// `$lsock(match/value/field)`: a listening socket by its name (`n`) or address (`l`); of the
/// field's name the first letter counts.
pub(super) fn listen_socket<'a>(ctx: &'a Context, what: &[u8]) -> Value<'a> {
    let parts: Vec<&[u8]> = what.split(|c| *c == b'/').collect();
    let [by, value, field] = parts[..] else {
        return Value::Null;
    };
    let found = match by.first() {
        Some(b'n') => ctx.env.named_socket(value),
        Some(b'l') => ctx.env.find_socket(value),
        _ => None,
    };
    let Some(socket) = found else {
        return Value::Null;
    };
    match field.first() {
        Some(b'n') => name(socket),
        Some(b'l') => text(socket_text(socket.proto, socket.addr)),
        Some(b'a') if socket.advertise.is_some() => received(socket, Class::AdvAddr),
        Some(b'i') => int(socket.id),
        _ => Value::Null,
    }
}

/// `$snd(..)`, `$sndto(..)` and `$sndfrom(..)` in `ksr_onsend_route`.
pub(super) fn onsend<'a>(ctx: &'a Context, class: Class, what: &[u8]) -> Value<'a> {
    let Some(flow) = &ctx.onsend else {
        return Value::Null;
    };
    let addr = match class {
        Class::OnsendFrom => ctx.env.socket(flow.socket).map(|s| s.addr),
        _ => Some(flow.remote),
    };
    match what {
        b"ip" => addr.map_or(Value::Null, |a| text(ip(a.ip()))),
        b"port" => addr.map_or(Value::Null, |a| int(a.port())),
        b"af" => addr.map_or(Value::Null, |a| int(if a.is_ipv4() { 2 } else { 10 })),
        b"proto" => int(proto_id(flow.proto)),
        b"sproto" => Value::borrowed(flow.proto.as_str().as_bytes()),
        b"buf" => Value::borrowed(ctx.msg.bytes()),
        b"len" => int(ctx.msg.bytes().len()),
        _ => Value::Null,
    }
}

fn send_socket<'a>(ctx: &'a Context, what: impl Fn(&'a SocketInfo) -> Value<'a>) -> Value<'a> {
    ctx.force_socket
        .and_then(|id| ctx.env.socket(id))
        .map_or(Value::Null, what)
}

fn name(s: &SocketInfo) -> Value<'_> {
    Value::opt(s.name.as_deref().map(str::as_bytes))
}

fn text(s: String) -> Value<'static> {
    Value::owned(s.into_bytes())
}

/// An address as text; an IPv4 address in IPv6 clothes as IPv4.
pub(super) fn ip(ip: IpAddr) -> String {
    ip.to_canonical().to_string()
}

/// The same, IPv6 in brackets.
pub(in super::super) fn ip_ref(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// `udp:192.0.2.1:5060`.
pub(in super::super) fn socket_text(proto: Proto, addr: SocketAddr) -> String {
    format!("{proto}:{}:{}", ip_ref(addr.ip()), addr.port())
}

/// `sip:192.0.2.1:5060;transport=tcp`; the transport is left out for UDP unless `always`.
pub(in super::super) fn addr_uri(addr: SocketAddr, proto: Proto, always: bool) -> String {
    with_transport(
        &format!("sip:{}:{}", ip_ref(addr.ip()), addr.port()),
        proto,
        always,
    )
}

fn with_transport(uri: &str, proto: Proto, always: bool) -> String {
    if proto == Proto::Udp && !always {
        uri.to_owned()
    } else {
        format!("{uri};transport={proto}")
    }
}

/// Host that a socket advertises, without brackets.
pub(in super::super) fn advertised_host(s: &SocketInfo) -> String {
    s.advertise
        .as_ref()
        .map_or_else(|| ip(s.addr.ip()), |(host, _)| host.clone())
}

/// Kamailio's number of a transport.
pub(in super::super) const fn proto_id(proto: Proto) -> i64 {
    match proto {
        Proto::Udp => 1,
        Proto::Tcp => 2,
        Proto::Tls => 3,
        Proto::Ws => 5,
        Proto::Wss => 6,
    }
}
