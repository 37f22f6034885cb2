//! Getters of module kemix: `KSR.kx.get_ruri()` and so on.
//!
//! `get_*` give `None` for what is not there. For `gete_*` and `getw_*` see [`e`] and [`w`].

use crate::header::HeaderId;
use crate::nameaddr::parse_nameaddr;
use crate::types::Span;
use crate::uri::Uri;

use super::context::{Context, Value};
use super::pv::{addr_uri, environment, parse_number, proto_id, socket_text};

/// `gete_*`: null is the empty string.
#[must_use]
pub fn e(value: Value<'_>) -> Value<'_> {
    if value.is_null() {
        Value::borrowed(b"")
    } else {
        value
    }
}

/// `getw_*`: null is `<null>`.
#[must_use]
pub fn w(value: Value<'_>) -> Value<'_> {
    if value.is_null() {
        Value::borrowed(b"<null>")
    } else {
        value
    }
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident = |$ctx:ident| $body:expr;)*) => {
        $($(#[$doc])* #[must_use] pub fn $name($ctx: &Context) -> Value<'_> { $body })*
    };
}

getters! {
    /// `KSR.kx.get_ruri`: the request-URI in force.
    get_ruri = |ctx| Value::opt(ruri(ctx).map(|u| u.raw));
    /// `KSR.kx.get_ouri`: the request-URI as received.
    get_ouri = |ctx| Value::opt(ctx.is_request().then(|| ctx.msg.uri()));
    /// `KSR.kx.get_duri`: the destination URI.
    get_duri = |ctx| Value::opt(ctx.dst_uri.as_deref());
    /// `KSR.kx.get_nhuri`: destination URI or request-URI.
    get_nhuri = |ctx| Value::opt(ctx.is_request().then(|| ctx.next_hop_uri()));
    /// `KSR.kx.get_ruser`: user of the request-URI.
    get_ruser = |ctx| user(ruri(ctx));
    /// `KSR.kx.get_rhost`: host of the request-URI.
    get_rhost = |ctx| host(ruri(ctx));
    /// `KSR.kx.get_furi`: URI of From.
    get_furi = |ctx| Value::borrowed(ctx.msg.get(ctx.msg.from().uri)).into_nonempty();
    /// `KSR.kx.get_fuser`: user of From.
    get_fuser = |ctx| user(uri(ctx, ctx.msg.from().uri));
    /// `KSR.kx.get_fhost`: host of From.
    get_fhost = |ctx| host(uri(ctx, ctx.msg.from().uri));
    /// `KSR.kx.get_turi`: URI of To.
    get_turi = |ctx| Value::borrowed(ctx.msg.get(ctx.msg.to().uri)).into_nonempty();
    /// `KSR.kx.get_tuser`: user of To.
    get_tuser = |ctx| user(uri(ctx, ctx.msg.to().uri));
    /// `KSR.kx.get_thost`: host of To.
    get_thost = |ctx| host(uri(ctx, ctx.msg.to().uri));
    /// `KSR.kx.get_cturi`: URI of the first contact, with the alias of `set_contact_alias`.
    get_cturi = |ctx| {
        let span = ctx.msg.values(HeaderId::Contact).next();
        let alias = ctx.contact_aliases.iter().find(|(at, _)| span.is_some_and(|s| s.contains(*at)));
        match alias {
            Some((_, uri)) => Value::borrowed(uri),
            None => Value::opt(span.and_then(|s| parse_nameaddr(ctx.msg.get(s)).ok()).map(|a| a.uri)),
        }
    };
    /// `KSR.kx.get_callid`: Call-ID.
    get_callid = |ctx| Value::borrowed(ctx.msg.call_id());
    /// `KSR.kx.get_ua`: User-Agent.
    get_ua = |ctx| Value::opt(ctx.msg.value(HeaderId::UserAgent));
    /// `KSR.kx.get_method`: method of the request, of CSeq in a response.
    get_method = |ctx| Value::borrowed(ctx.msg.method_name());
    /// `KSR.kx.get_body`: the body, null when empty.
    get_body = |ctx| Value::borrowed(ctx.msg.body()).into_nonempty();
    /// `KSR.kx.get_msgbuf`: the message as received.
    get_msgbuf = |ctx| Value::borrowed(ctx.msg.bytes());
    /// `KSR.kx.gets_status`: status code as text; null in requests.
    gets_status = |ctx| match ctx.msg.status() {
        0 => Value::Null,
        code => Value::owned(code.to_string().into_bytes()),
    };
    /// `KSR.kx.get_srcip`: source address.
    get_srcip = |ctx| text(ctx.flow.remote.ip().to_canonical().to_string());
    /// `KSR.kx.get_srcport`: source port.
    get_srcport = |ctx| Value::Int(i64::from(ctx.flow.remote.port()));
    /// `KSR.kx.get_srcuri`: source as a URI.
    get_srcuri = |ctx| text(addr_uri(ctx.flow.remote, ctx.flow.proto, false));
    /// `KSR.kx.get_srcaddr_sock`: source as `proto:address:port`.
    get_srcaddr_sock = |ctx| text(socket_text(ctx.flow.proto, ctx.flow.remote));
    /// `KSR.kx.get_proto`: transport, in lower case.
    get_proto = |ctx| Value::borrowed(ctx.flow.proto.as_str().as_bytes());
    /// `KSR.kx.get_rcvip`: address of our socket.
    get_rcvip = |ctx| ctx.recv_socket().map_or(Value::Null, |s| text(s.addr.ip().to_canonical().to_string()));
    /// `KSR.kx.get_rcvport`: port of our socket.
    get_rcvport = |ctx| ctx.recv_socket().map_or(Value::Null, |s| Value::Int(i64::from(s.addr.port())));
    /// `KSR.kx.get_rcvadvip`: advertised address of our socket.
    get_rcvadvip = |ctx| ctx.recv_socket().map_or(Value::Null, |s| text(match &s.advertise {
        Some((host, _)) => host.clone(),
        None => s.addr.ip().to_canonical().to_string(),
    }));
    /// `KSR.kx.get_rcvadvport`: advertised port of our socket.
    get_rcvadvport = |ctx| ctx.recv_socket().map_or(Value::Null, |s| Value::Int(i64::from(s.port())));
    /// `KSR.kx.get_rcvaddr_sock`: our socket as `proto:address:port`.
    get_rcvaddr_sock = |ctx| ctx.recv_socket().map_or(Value::Null, |s| text(socket_text(s.proto, s.addr)));
    /// `KSR.kx.get_rcv_sock_name`: name of our socket.
    get_rcv_sock_name = |ctx| Value::opt(ctx.recv_socket().and_then(|s| s.name.as_deref()).map(str::as_bytes));
    /// `KSR.kx.get_send_sock`: the socket to send from, if forced.
    get_send_sock = |ctx| send_socket(ctx).map_or(Value::Null, |s| text(socket_text(s.proto, s.addr)));
    /// `KSR.kx.get_send_sock_name`: its name.
    get_send_sock_name = |ctx| Value::opt(send_socket(ctx).and_then(|s| s.name.as_deref()).map(str::as_bytes));
    /// `KSR.kx.get_au`: user of the credentials.
    get_au = |ctx| super::pv::auth_user(ctx);
}

/// `KSR.kx.get_bodylen`: bytes of the body.
#[must_use]
pub fn get_bodylen(ctx: &Context) -> i64 {
    len(ctx.msg.body())
}

/// `KSR.kx.get_msglen`: bytes of the message.
#[must_use]
pub fn get_msglen(ctx: &Context) -> i64 {
    len(ctx.msg.bytes())
}

/// `KSR.kx.get_msgtype`: 1 for a request, 2 for a response.
#[must_use]
pub fn get_msgtype(ctx: &Context) -> i64 {
    if ctx.is_request() { 1 } else { 2 }
}

/// `KSR.kx.get_status`: status code, -1 for a request.
#[must_use]
pub fn get_status(ctx: &Context) -> i64 {
    match ctx.msg.status() {
        0 => -1,
        code => i64::from(code),
    }
}

/// `KSR.kx.get_protoid`: number of the transport, as `$prid`.
#[must_use]
pub fn get_protoid(ctx: &Context) -> i64 {
    proto_id(ctx.flow.proto)
}

/// `KSR.kx.get_conid`: number of the connection, -1 without one.
#[must_use]
pub fn get_conid(ctx: &Context) -> i64 {
    match ctx.flow.conn {
        0 => -1,
        conn => i64::try_from(conn).unwrap_or(i64::MAX),
    }
}

/// `KSR.kx.get_timestamp`: when the message came, seconds since 1970.
#[must_use]
pub fn get_timestamp(ctx: &Context) -> i64 {
    i64::try_from(ctx.now / 1_000_000).unwrap_or(0)
}

/// `KSR.kx.get_send_sock_port`: port of the forced socket, or 0.
#[must_use]
pub fn get_send_sock_port(ctx: &Context) -> i64 {
    send_socket(ctx).map_or(0, |s| i64::from(s.addr.port()))
}

/// `KSR.kx.get_def`: value of a preprocessor define.
#[must_use]
pub fn get_def<'a>(ctx: &'a Context, name: &[u8]) -> Value<'a> {
    Value::opt(ctx.env.define(name))
}

/// `KSR.kx.get_defn`: value of a define as a number, 0 when it is none.
#[must_use]
pub fn get_defn(ctx: &Context, name: &[u8]) -> i64 {
    let value = ctx.env.define(name);
    value.and_then(super::pv::parse_number).unwrap_or(0)
}

/// `KSR.kx.ifdef`.
#[must_use]
pub fn ifdef(ctx: &Context, name: &[u8]) -> bool {
    ctx.env.define(name).is_some()
}

/// `KSR.kx.ifndef`.
#[must_use]
pub fn ifndef(ctx: &Context, name: &[u8]) -> bool {
    !ifdef(ctx, name)
}

fn ruri(ctx: &Context) -> Option<Uri<'_>> {
    ctx.is_request().then(|| Uri::parse(ctx.uri()).ok())?
}

fn uri(ctx: &Context, span: Span) -> Option<Uri<'_>> {
    Uri::parse(ctx.msg.get(span)).ok()
}

fn user(uri: Option<Uri<'_>>) -> Value<'_> {
    Value::opt(uri.and_then(|u| u.user)).into_nonempty()
}

fn host(uri: Option<Uri<'_>>) -> Value<'_> {
    Value::opt(uri.map(|u| u.host)).into_nonempty()
}

fn send_socket(ctx: &Context) -> Option<&crate::types::SocketInfo> {
    ctx.env.socket(ctx.force_socket?)
}

fn text(s: String) -> Value<'static> {
    Value::owned(s.into_bytes())
}

fn len(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

/// `KSR.kx.get_env`: a variable of the server's environment.
#[must_use]
pub fn get_env(name: &[u8]) -> Value<'static> {
    environment(name).map_or(Value::Null, Value::owned)
}

/// `KSR.kx.get_envn`: the same as a number, 0 when it is none.
#[must_use]
pub fn get_envn(name: &[u8]) -> i64 {
    environment(name)
        .and_then(|text| parse_number(&text))
        .unwrap_or(0)
}
