//! Reading: one table from a variable to its value.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::header::HeaderId;
use crate::message::Message;
use crate::types::{Proto, Span};
use crate::uri::Uri;

use super::super::context::{Context, RouteType, Value};
use super::super::{core, hdr, kx, nathelper, rr, textopsx};
use super::names::Class;
use super::{Index, addr, auth, avps, branch, header, net, select, time, tx};

/// Variables without an inner name.
pub(super) fn plain(ctx: &Context, class: Class, index: Index) -> Value<'_> {
    let msg = &*ctx.msg;
    if msg.is_http() && is_of_sip(class) {
        return Value::Null;
    }
    match class {
        Class::True => Value::Int(1),
        Class::RetCode => Value::Int(ctx.retcode),
        Class::Pid => Value::Int(i64::from(std::process::id())),
        Class::MsgId => int(ctx.msg_id),
        Class::ServerId => int(ctx.env.server_id),

        Class::MsgLen => int(msg.bytes().len()),
        Class::MsgType => Value::Int(if msg.is_request() { 1 } else { 2 }),
        Class::MsgTypeText => Value::borrowed(if msg.is_request() { b"rq" } else { b"rp" }),
        Class::Buffer => Value::borrowed(msg.bytes()),
        Class::BufferUpdated => Value::owned(super::super::forward::applied(ctx).to_vec()),
        Class::Method => Value::borrowed(msg.method_name()),
        Class::MethodId => Value::Int(core::method_bit(ctx)),
        Class::Version => Value::borrowed(msg.version()),
        Class::HttpUri if msg.is_http() => Value::borrowed(msg.uri()),
        Class::Status => reply(ctx).map_or(Value::Null, |m| Value::Int(i64::from(m.status()))),
        Class::ReasonPhrase => reply(ctx).map_or(Value::Null, |m| Value::borrowed(m.reason())),

        // what came in the first line has been parsed
        Class::Ruri if ctx.new_uri.is_none() => original_uri(ctx),
        Class::Ruri => ruri(ctx).map_or(Value::Null, |u| Value::borrowed(u.raw)),
        Class::RuriLen => ruri(ctx).map_or(Value::Null, |u| int(u.raw.len())),
        Class::RuriUser => user(ruri(ctx)),
        Class::RuriUserLen => user_len(ruri(ctx)),
        Class::RuriDomain => host(ruri(ctx)),
        Class::RuriPort => port(ruri(ctx)),
        Class::RuriProto => proto(ruri(ctx)),
        Class::RuriScheme => ruri(ctx).map_or(Value::Null, |u| Value::borrowed(u.scheme_name)),
        Class::OrigUri => original_uri(ctx),
        Class::OrigUser => user(orig(ctx)),
        Class::OrigUserLen => user_len(orig(ctx)),
        Class::OrigDomain => host(orig(ctx)),
        Class::OrigPort => port(orig(ctx)),
        Class::OrigProto => proto(orig(ctx)),
        Class::DstUri => Value::opt(ctx.dst_uri.as_deref()),
        Class::DstDomain => host(dst(ctx)),
        Class::DstPort => port(dst(ctx)),
        Class::DstProto => proto(dst(ctx)),
        Class::DstSet => branch::dset(ctx),

        Class::From => nonempty(msg.get(msg.from().uri)),
        Class::FromLen => int(msg.from().uri.len()),
        Class::FromUser => user(uri(msg, msg.from().uri)),
        Class::FromUserLen => user_len(uri(msg, msg.from().uri)),
        Class::FromDomain => host(uri(msg, msg.from().uri)),
        Class::FromName => nonempty(msg.get(msg.from().display)),
        Class::FromTag => Value::opt(msg.from_tag()),
        Class::To => nonempty(msg.get(msg.to().uri)),
        Class::ToUser => user(uri(msg, msg.to().uri)),
        Class::ToUserLen => user_len(uri(msg, msg.to().uri)),
        Class::ToDomain => host(uri(msg, msg.to().uri)),
        Class::ToName => nonempty(msg.get(msg.to().display)),
        // A module that is told of a response finds the dialog that it makes.
        Class::ToTag => Value::opt(msg.to_tag().or_else(|| told_reply(ctx)?.to_tag())),
        Class::InitFromTag => Value::opt(rr::initial_tags(ctx).0),
        Class::InitToTag => Value::opt(rr::initial_tags(ctx).1),
        Class::CallId => Value::borrowed(msg.call_id()),
        Class::CSeq => cseq(msg),
        Class::CSeqBody => Value::opt(msg.value(HeaderId::CSeq)),
        Class::Contact => Value::opt(msg.value(HeaderId::Contact)),
        Class::ContactUri => kx::get_cturi(ctx),
        Class::ContactStar => Value::Int(i64::from(msg.value(HeaderId::Contact) == Some(b"*"))),
        Class::ContentType => Value::opt(msg.value(HeaderId::ContentType)),
        Class::ContentLen => msg.content_length().map_or(Value::Null, int),
        Class::Body => Value::borrowed(msg.body()),
        Class::BodySize => int(msg.body().len()),
        Class::UserAgent => Value::opt(msg.value(HeaderId::UserAgent)),

        Class::ReferTo => addr::uri_of(msg, HeaderId::ReferTo),
        Class::RemotePartyId => addr::uri_of(msg, HeaderId::RemotePartyId),
        Class::DiversionUri => addr::uri_of(msg, HeaderId::Diversion),
        Class::DiversionReason => addr::param_of(msg, HeaderId::Diversion, b"reason"),
        Class::DiversionCounter => addr::param_of(msg, HeaderId::Diversion, b"counter"),
        Class::DiversionPrivacy => addr::param_of(msg, HeaderId::Diversion, b"privacy"),
        Class::Ppi => addr::identity(msg, HeaderId::PPreferredIdentity, index),
        Class::PpiUser => addr::identity_user(msg, HeaderId::PPreferredIdentity, index),
        Class::PpiDomain => addr::identity_host(msg, HeaderId::PPreferredIdentity, index),
        Class::PpiName => addr::identity_name(msg, HeaderId::PPreferredIdentity, index),
        Class::Pai => addr::identity(msg, HeaderId::PAssertedIdentity, index),

        Class::AuthUserAll
        | Class::AuthUser
        | Class::AuthDomain
        | Class::AuthRealm
        | Class::AuthAlgorithm
        | Class::AuthNonce
        | Class::AuthResponse
        | Class::AuthCnonce
        | Class::AuthOpaque
        | Class::AuthUri => auth::get(msg, class),
        Class::AcctUser => user(uri(msg, msg.from().uri)),
        Class::AcctAor => addr::aor(msg.get(msg.from().uri)),

        Class::SrcIp
        | Class::SrcIpRef
        | Class::SrcPort
        | Class::SrcUri
        | Class::SrcUriProto
        | Class::SrcAddr
        | Class::Proto
        | Class::ProtoId
        | Class::RcvIp
        | Class::RcvPort
        | Class::RcvName
        | Class::RcvUri
        | Class::RcvUriProto
        | Class::AdvIp
        | Class::AdvPort
        | Class::AdvUri
        | Class::AdvUriProto
        | Class::AdvAddr
        | Class::ConnId
        | Class::WsConnId
        | Class::SendSocket
        | Class::SendSocketName
        | Class::SendSocketPort => net::get(ctx, class),

        Class::RouteUri => header::top_route_uri(msg),
        Class::RrCount => int(msg.all(HeaderId::RecordRoute).count()),
        Class::RrTopCount => int(nathelper::rr_top_count(ctx)),

        Class::MsgFlags => signed(ctx.tx_data.flags),
        Class::MsgFlagsHex => hex(ctx.tx_data.flags),
        Class::ScriptFlags => signed(ctx.sflags),
        Class::ScriptFlagsHex => hex(ctx.sflags),
        Class::BranchFlags => signed(ctx.bflags),
        Class::BranchFlagsHex => hex(ctx.bflags),
        Class::BranchUri => Value::opt(ctx.branches.first().map(|b| b.uri.as_slice())),
        Class::BranchAll => branch::all(ctx),
        Class::Ruid => Value::opt(ctx.binding.as_ref().and_then(|b| b.ruid.as_deref())),
        Class::LocationUa => {
            Value::opt(ctx.binding.as_ref().and_then(|b| b.location_ua.as_deref()))
        }

        Class::TimeNow | Class::TimeMsg => int(ctx.now / 1_000_000),
        Class::TimeNowText | Class::TimeMsgText => time::ctime(ctx),
        Class::TimeStart => int(ctx.env.started),

        Class::ToTagState => Value::Int(i64::from(msg.to_tag().is_some_and(|t| !t.is_empty()))),
        Class::UniqueId => unique_id(ctx),
        Class::TxBranchIdx
        | Class::TxReplyCode
        | Class::TxReplyReason
        | Class::TxReplyLast
        | Class::TxReplyRuid => tx::plain(ctx, class),
        other => escape(other).map_or(Value::Null, Value::borrowed),
    }
}

/// Characters that are awkward to write in texts of a configuration.
const fn escape(class: Class) -> Option<&'static [u8]> {
    Some(match class {
        Class::EscBackslash => b"\\",
        Class::EscLf => b"\n",
        Class::EscCr => b"\r",
        Class::EscTab => b"\t",
        Class::EscSpace => b" ",
        Class::EscComma => b",",
        Class::EscQuote => b"\"",
        Class::EscApostrophe => b"'",
        Class::EscColon => b":",
        Class::EscSemicolon => b";",
        Class::EscBacktick => b"`",
        _ => return None,
    })
}

/// Variables of what an HTTP request lacks.
const fn is_of_sip(class: Class) -> bool {
    matches!(
        class,
        Class::Ruri
            | Class::RuriLen
            | Class::OrigUri
            | Class::From
            | Class::FromLen
            | Class::To
            | Class::CallId
            | Class::CSeq
            | Class::CSeqBody
    )
}

/// Variables with an inner name.
pub(super) fn with_inner<'a>(
    ctx: &'a Context,
    class: Class,
    inner: Cow<'a, [u8]>,
    index: Index,
) -> Value<'a> {
    let msg = &*ctx.msg;
    match class {
        Class::Def | Class::Defn | Class::Defs => def(ctx, class, &inner),
        Class::Text => Value::Str(inner),
        Class::MsgPart => header::part(msg, &inner),
        Class::Hdr if index == Index::None => hdr::get(ctx, &inner),
        Class::Hdr => header::hdr(msg, &inner, index),
        Class::HdrCount => int(msg.find(&inner).count()),
        Class::Hfl => header::hfl(msg, &inner, index),
        Class::HflCount => int(header::hfl_values(msg, &inner).len()),
        Class::Expires => header::expires(msg, &inner),
        Class::Via0 => header::via(msg, msg.vias().next(), &inner),
        Class::Via1 => header::via(msg, msg.vias().nth(1), &inner),
        Class::ViaZ => header::via(msg, msg.vias().last(), &inner),
        Class::NextHop => next_hop(ctx, &inner),
        Class::RouteDirection => match &*inner {
            b"id" => Value::Int(if rr::is_upstream(ctx) { 2 } else { 1 }),
            _ => Value::borrowed(if rr::is_upstream(ctx) {
                b"upstream"
            } else {
                b"downstream"
            }),
        },
        Class::MsgFlag => flag(ctx.tx_data.flags, &inner),
        Class::ScriptFlag => flag(ctx.sflags, &inner),
        Class::BranchFlag => flag(ctx.bflags, &inner),
        Class::Branch => branch::get(ctx, &inner, index),
        Class::TimeValue | Class::TimePart | Class::UtcPart => time::part(ctx, class, &inner),
        Class::TimeFormat | Class::UtcFormat => time::format(ctx, class, &inner),
        Class::Avp => avps::avp(ctx, &inner, index),
        Class::Xavp | Class::Xavu | Class::Xavi => avps::xavp(ctx, class, &inner, index),
        Class::Var => var(ctx, &inner).unwrap_or(Value::Int(0)),
        Class::VarNull => var(ctx, &null_name(&inner)).unwrap_or(Value::Null),
        Class::VarZero => var(ctx, &inner).unwrap_or(Value::Int(0)),
        Class::Konst => konst(&inner),
        Class::Color => color(&inner),
        Class::ServerVersion | Class::Ksr => version(ctx, &inner),
        Class::Onsend | Class::OnsendFrom => net::onsend(ctx, class, &inner),
        Class::Tx | Class::TxBranch => tx::with_inner(ctx, class, &inner),
        Class::EnvText => environment(&inner).map_or(Value::Null, Value::owned),
        Class::EnvNumber => environment(&inner).map_or(Value::Null, |text| {
            Value::Int(parse_number(&text).unwrap_or(0))
        }),
        Class::Shared => ctx.env.shared.get(&inner),
        Class::SharedIncrement => ctx.env.shared.increment(&inner),
        Class::StaticBranch => branch::get_static(ctx, &inner),
        Class::Select => select::get(ctx, &inner),
        Class::Received => net::arrival(ctx, &inner),
        Class::ReplyTarget => net::reply_target(ctx, &inner),
        Class::ListenSocket => net::listen_socket(ctx, &inner),
        Class::AddressFamily => match &*inner {
            b"INET" => Value::Int(2),
            b"INET6" => Value::Int(10),
            _ => Value::Null,
        },
        Class::BufferByte => buffer_index(ctx, &inner)
            .map_or(Value::Null, |at| Value::borrowed(&msg.bytes()[at..=at])),
        // there is no line of a native route
        Class::ScriptPlace if &*inner == b"line" => Value::Int(0),
        Class::ChargingVector => header::charging_vector(msg, &inner),
        Class::HfItName => textopsx::hf_iterator_hname(ctx, &inner),
        Class::HfItBody => textopsx::hf_iterator_hbody(ctx, &inner),
        Class::BlItVal => textopsx::bl_iterator_value(ctx, &inner),
        _ => Value::Null,
    }
}

pub(in super::super) fn environment(name: &[u8]) -> Option<Vec<u8>> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    std::env::var_os(std::ffi::OsStr::from_bytes(name)).map(OsStringExt::into_vec)
}

/// Where `$msgbuf(index)` is, within the message.
pub(super) fn buffer_index(ctx: &Context, index: &[u8]) -> Option<usize> {
    let at = usize::try_from(parse_number(index)?).ok()?;
    (at < ctx.msg.bytes().len()).then_some(at)
}

/// `$sruid`: text that no other one of this server is equal to.
fn unique_id(ctx: &Context) -> Value<'static> {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let (started, process) = (ctx.env.started, std::process::id());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Value::owned(format!("srid-{started:x}-{process:x}-{count:x}").into_bytes())
}

/// A number, saturating.
pub(super) fn int(n: impl TryInto<i64>) -> Value<'static> {
    Value::Int(n.try_into().unwrap_or(i64::MAX))
}

/// The text, or null when it is empty.
pub(super) fn nonempty(text: &[u8]) -> Value<'_> {
    Value::opt((!text.is_empty()).then_some(text))
}

pub(super) fn uri(msg: &Message, span: Span) -> Option<Uri<'_>> {
    Uri::parse(msg.get(span)).ok()
}

fn ruri(ctx: &Context) -> Option<Uri<'_>> {
    ctx.is_request().then(|| Uri::parse(ctx.uri()).ok())?
}

/// The response at hand; where a module is told what happened to a request, the one that
/// happened.
fn reply(ctx: &Context) -> Option<&Message> {
    match ctx.msg.is_request() {
        true => told_reply(ctx),
        false => Some(&ctx.msg),
    }
}

fn told_reply(ctx: &Context) -> Option<&Message> {
    let told = ctx.tx.as_deref().filter(|_| ctx.route == RouteType::Event);
    told?.reply.as_deref()
}

fn original_uri(ctx: &Context) -> Value<'_> {
    Value::opt(ctx.is_request().then(|| ctx.msg.uri()))
}

fn orig(ctx: &Context) -> Option<Uri<'_>> {
    ctx.is_request().then(|| Uri::parse(ctx.msg.uri()).ok())?
}

fn dst(ctx: &Context) -> Option<Uri<'_>> {
    Uri::parse(ctx.dst_uri.as_deref()?).ok()
}

pub(super) fn user(uri: Option<Uri<'_>>) -> Value<'_> {
    Value::opt(uri.and_then(user_of).filter(|u| !u.is_empty()))
}

/// The user part. With `user=phone` that is the telephone number without its parameters
/// (RFC 3261 section 19.1.6), as in Kamailio.
pub(super) fn user_of(uri: Uri<'_>) -> Option<&[u8]> {
    let user = uri.user?;
    match memchr::memchr(b';', user) {
        Some(at) if uri.param(b"user") == Some(b"phone") => Some(&user[..at]),
        _ => Some(user),
    }
}

fn user_len(uri: Option<Uri<'_>>) -> Value<'static> {
    int(uri.and_then(user_of).map_or(0, <[u8]>::len))
}

pub(super) fn host(uri: Option<Uri<'_>>) -> Value<'_> {
    Value::opt(uri.map(|u| u.host).filter(|h| !h.is_empty()))
}

fn port(uri: Option<Uri<'_>>) -> Value<'static> {
    uri.map_or(Value::Null, |u| {
        let port = u.port_or_default();
        Value::StrInt(Cow::Owned(port.to_string().into_bytes()), i64::from(port))
    })
}

/// Transport as the URI writes it, or `UDP`, as Kamailio has it.
fn proto(uri: Option<Uri<'_>>) -> Value<'_> {
    uri.map_or(Value::Null, |u| {
        Value::borrowed(u.param(b"transport").unwrap_or(b"UDP"))
    })
}

fn cseq(msg: &Message) -> Value<'_> {
    let text = msg.value(HeaderId::CSeq).unwrap_or_default();
    let digits = text.iter().take_while(|c| c.is_ascii_digit()).count();
    Value::StrInt(Cow::Borrowed(&text[..digits]), i64::from(msg.cseq()))
}

#[allow(clippy::cast_possible_wrap)]
fn signed(flags: u32) -> Value<'static> {
    Value::Int(i64::from(flags as i32))
}

fn hex(flags: u32) -> Value<'static> {
    Value::owned(format!("{flags:08x}").into_bytes())
}

fn flag(flags: u32, number: &[u8]) -> Value<'static> {
    let bit = parse_number(number).filter(|n| (0..32).contains(n));
    bit.map_or(Value::Null, |n| Value::Int(i64::from(flags >> n & 1)))
}

/// A decimal number with an optional sign.
pub(in super::super) fn parse_number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// `$vn(name)` has names of its own.
pub(super) fn null_name(name: &[u8]) -> Vec<u8> {
    [&b"\0"[..], name].concat()
}

fn var<'a>(ctx: &'a Context, name: &[u8]) -> Option<Value<'a>> {
    Some(match ctx.vars.get(name)? {
        Value::Str(s) => Value::Str(Cow::Borrowed(s)),
        other => other.clone(),
    })
}

fn def<'a>(ctx: &'a Context, class: Class, name: &[u8]) -> Value<'a> {
    match (class, ctx.env.define(name)) {
        (Class::Defn, value) => Value::Int(value.and_then(parse_number).unwrap_or(0)),
        (_, value) => Value::opt(value),
    }
}

fn next_hop<'a>(ctx: &'a Context, what: &[u8]) -> Value<'a> {
    if !ctx.is_request() {
        return Value::Null;
    }
    let uri = Uri::parse(ctx.next_hop_uri()).ok();
    match what {
        b"u" => uri.map_or(Value::Null, |u| Value::borrowed(u.raw)),
        b"U" => user(uri),
        b"d" => host(uri),
        b"p" => port(uri),
        b"P" => proto(uri),
        _ => Value::Null,
    }
}

/// `$K(..)`: numbers as Linux and Kamailio have them.
fn konst(name: &[u8]) -> Value<'static> {
    match name {
        b"IPv4" => Value::Int(2),
        b"IPv6" => Value::Int(10),
        b"SCTP" => Value::Int(4),
        name => Proto::parse(name).map_or(Value::Null, |p| Value::Int(net::proto_id(p))),
    }
}

/// `$C(fb)`: the terminal escape for a foreground and a background colour.
fn color(what: &[u8]) -> Value<'static> {
    let [foreground, background] = what else {
        return Value::Null;
    };
    let code = |c: u8| match c.to_ascii_lowercase() {
        b's' => 0,
        b'r' => 1,
        b'g' => 2,
        b'y' => 3,
        b'b' => 4,
        b'p' => 5,
        b'c' => 6,
        b'w' => 7,
        _ => 9,
    };
    let bold = u8::from(foreground.is_ascii_uppercase());
    Value::owned(format!("\x1b[{bold};3{};4{}m", code(*foreground), code(*background)).into_bytes())
}

fn version<'a>(ctx: &'a Context, what: &[u8]) -> Value<'a> {
    match what {
        b"num" | b"ver" => Value::borrowed(ctx.env.version.as_bytes()),
        b"verval" => Value::Int(
            ctx.env
                .version
                .split('.')
                .take(3)
                .fold(0, |sum, n| sum * 1000 + n.parse::<i64>().unwrap_or(0)),
        ),
        b"full" => Value::borrowed(ctx.env.server_header.as_bytes()),
        b"hash" => Value::borrowed(b"unknown"),
        _ => Value::Null,
    }
}
