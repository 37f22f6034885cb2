//! `$sel(@from.uri.user)`: Kamailio's selects, those that scripts use.

use std::borrow::Cow;

use crate::header::HeaderId;
use crate::nameaddr::{NameAddrRef, parse_nameaddr};
use crate::params::Params;
use crate::uri::Uri;
use crate::via::Rport;

use super::super::context::{Context, Value};
use super::net::{ip, ip_ref};

/// One step of a select: a name, and its index or text in brackets.
struct Step<'a> {
    name: &'a [u8],
    at: Option<&'a [u8]>,
}

impl Step<'_> {
    fn index(&self) -> Option<i64> {
        super::read::parse_number(self.at?)
    }
}

/// The value of a select; null for one that is not known here.
pub(super) fn get<'a>(ctx: &'a Context, text: &[u8]) -> Value<'a> {
    let steps = steps(text.strip_prefix(b"@").unwrap_or(text));
    let Some((first, rest)) = steps.split_first() else {
        return Value::Null;
    };
    let value = match (first.name, rest) {
        (b"ruri", rest) if ctx.is_request() => uri(ctx.uri(), rest),
        (b"dst_uri", rest) => ctx.dst_uri.as_deref().map_or(Value::Null, |u| uri(u, rest)),
        (b"next_hop", []) => Value::borrowed(ctx.next_hop_uri()),
        (b"from" | b"f", rest) => address(ctx, HeaderId::From, first, rest),
        (b"to" | b"t", rest) => address(ctx, HeaderId::To, first, rest),
        (b"contact" | b"m", rest) => address(ctx, HeaderId::Contact, first, rest),
        (b"rr" | b"record_route", rest) => address(ctx, HeaderId::RecordRoute, first, rest),
        (b"route", rest) => address(ctx, HeaderId::Route, first, rest),
        (b"via" | b"v", rest) => via(ctx, first, rest),
        (b"method", []) => Value::borrowed(ctx.msg.method_name()),
        (b"call_id", []) => Value::borrowed(ctx.msg.call_id()),
        (b"cseq", rest) => cseq(ctx, rest),
        (b"msg", rest) => message(ctx, rest),
        (b"src", [what]) => peer(ctx, what.name),
        (b"dst" | b"received", [what]) => ours(ctx, what.name),
        (b"hf_value", [name]) => field(ctx, name),
        (b"branch", [what]) if what.name == b"count" => super::read::int(ctx.branches.len()),
        (b"sys", [what]) => match what.name {
            b"pid" => Value::Int(i64::from(std::process::id())),
            b"server_id" => Value::Int(0),
            b"now" => super::read::int(ctx.now / 1_000_000),
            _ => Value::Null,
        },
        (name, []) => header(ctx, name),
        _ => Value::Null,
    };
    // selects are texts
    match value {
        Value::Int(n) => Value::owned(n.to_string().into_bytes()),
        value => value,
    }
}

fn steps(text: &[u8]) -> Vec<Step<'_>> {
    let (mut out, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let end = rest.iter().position(|c| matches!(c, b'.' | b'['));
        let end = end.unwrap_or(rest.len());
        let name = &rest[..end];
        rest = &rest[end..];
        let mut at = None;
        if rest.first() == Some(&b'[') {
            let Some(close) = memchr::memchr(b']', rest) else {
                return Vec::new();
            };
            let inner = &rest[1..close];
            at = Some(
                inner
                    .strip_prefix(b"\"")
                    .and_then(|i| i.strip_suffix(b"\""))
                    .unwrap_or(inner),
            );
            rest = &rest[close + 1..];
        }
        rest = rest.strip_prefix(b".").unwrap_or(rest);
        out.push(Step { name, at });
    }
    out
}

fn uri<'a>(text: &'a [u8], steps: &[Step<'_>]) -> Value<'a> {
    let Ok(parsed) = Uri::parse(text) else {
        return Value::Null;
    };
    match steps {
        [] => Value::borrowed(text),
        [params, name] if params.name == b"params" => Value::opt(parsed.param(name.name)),
        [part] => match part.name {
            b"user" => Value::opt(parsed.user),
            b"pwd" => Value::opt(parsed.password),
            b"host" => Value::borrowed(parsed.host).into_nonempty(),
            b"port" => parsed
                .port
                .map_or(Value::Null, |p| Value::Int(i64::from(p))),
            b"hostport" => {
                let port = parsed.port_or_default().to_string();
                Value::owned([parsed.host, b":", port.as_bytes()].concat())
            }
            b"params" => Value::borrowed(parsed.params).into_nonempty(),
            b"type" => Value::borrowed(parsed.scheme_name),
            _ => Value::Null,
        },
        _ => Value::Null,
    }
}

fn address<'a>(ctx: &'a Context, id: HeaderId, first: &Step<'_>, steps: &[Step<'_>]) -> Value<'a> {
    let msg = &*ctx.msg;
    if steps.is_empty() && first.at.is_none() {
        return Value::opt(msg.value(id));
    }
    let values: Vec<_> = msg.values(id).collect();
    // Kamailio's list of contacts begins with the last one
    let span = match id {
        HeaderId::Contact => values.last(),
        _ => values.first(),
    };
    let parsed = span.and_then(|span| parse_nameaddr(msg.get(*span)).ok());
    parsed.map_or(Value::Null, |parsed| part(&parsed, id, steps))
}

fn part<'a>(parsed: &NameAddrRef<'a>, id: HeaderId, steps: &[Step<'_>]) -> Value<'a> {
    match steps {
        [first, rest @ ..] if first.name == b"uri" => uri(parsed.uri, rest),
        [first] if first.name == b"tag" => Value::opt(parsed.param(b"tag")),
        [first] if first.name == b"name" && id == HeaderId::Contact => {
            Value::borrowed(parsed.display)
        }
        [first] if first.name == b"name" => Value::borrowed(parsed.display).into_nonempty(),
        [first, name] if first.name == b"params" => Value::opt(parsed.param(name.name)),
        _ => Value::Null,
    }
}

fn via<'a>(ctx: &'a Context, first: &Step<'_>, steps: &[Step<'_>]) -> Value<'a> {
    let msg = &*ctx.msg;
    let count = msg.values(HeaderId::Via).count();
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let at = match first.index().unwrap_or(1) {
        index if index < 0 => count + index,
        index => index - 1,
    };
    let Ok(at) = usize::try_from(at) else {
        return Value::Null;
    };
    let [part] = steps else {
        return match steps {
            [] => Value::opt(msg.values(HeaderId::Via).nth(at).map(|s| msg.get(s))),
            [params, name] if params.name == b"params" => match msg.vias().nth(at) {
                Some(Ok(via)) => Value::opt(Params::new(msg.get(via.params)).get(name.name)),
                _ => Value::Null,
            },
            _ => Value::Null,
        };
    };
    let Some(Ok(via)) = msg.vias().nth(at) else {
        return Value::Null;
    };
    match part.name {
        b"host" => Value::borrowed(msg.get(via.host)),
        b"port" => Value::Int(i64::from(via.port_or_default())),
        b"transport" => Value::borrowed(msg.get(via.transport)),
        b"branch" => Value::opt(via.branch.map(|s| msg.get(s))),
        b"received" => Value::opt(via.received.map(|s| msg.get(s))),
        b"rport" => match via.rport {
            Rport::Port(port) => Value::Int(i64::from(port)),
            Rport::Absent | Rport::Empty => Value::Null,
        },
        _ => Value::Null,
    }
}

fn cseq<'a>(ctx: &'a Context, steps: &[Step<'_>]) -> Value<'a> {
    let value = ctx.msg.value(HeaderId::CSeq).unwrap_or_default();
    match steps {
        [] => Value::borrowed(value),
        [part] if part.name == b"num" => Value::Int(i64::from(ctx.msg.cseq())),
        [part] if part.name == b"method" => {
            let end = value.iter().rposition(u8::is_ascii_whitespace);
            Value::borrowed(end.map_or(b"", |i| &value[i + 1..]))
        }
        _ => Value::Null,
    }
}

fn message<'a>(ctx: &'a Context, steps: &[Step<'_>]) -> Value<'a> {
    let (msg, bytes) = (&*ctx.msg, ctx.msg.bytes());
    let first = msg.first_line();
    match steps {
        [] => Value::borrowed(bytes),
        [part] => match (part.name, part.at) {
            (b"header", Some(name)) => Value::opt(msg.find(name).next().map(|h| msg.get(h.value))),
            (b"header", None) => {
                Value::borrowed(&bytes[first.end as usize..bytes.len() - msg.body().len()])
            }
            (b"first_line", None) => Value::borrowed(msg.get(first).trim_ascii_end()),
            (b"body", None) => Value::borrowed(msg.body()).into_nonempty(),
            (b"type", None) => Value::Int(if msg.is_request() { 1 } else { 2 }),
            (b"len", None) => super::read::int(bytes.len()),
            (b"id", None) => super::read::int(ctx.msg_id),
            _ => Value::Null,
        },
        [part, name] if part.name == b"header" => header(ctx, name.name),
        _ => Value::Null,
    }
}

/// The value of a header field whose name has underscores for hyphens.
fn header<'a>(ctx: &'a Context, name: &[u8]) -> Value<'a> {
    let name = hyphens(name);
    Value::opt(ctx.msg.find(&name).next().map(|h| ctx.msg.get(h.value)))
}

fn hyphens(name: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'_', name).is_none() {
        return Cow::Borrowed(name);
    }
    let hyphen = |c: &u8| if *c == b'_' { b'-' } else { *c };
    Cow::Owned(name.iter().map(hyphen).collect())
}

/// `@hf_value.x_name` is all values of the header fields of that name, `[n]` one of them,
/// counted from 1.
fn field<'a>(ctx: &'a Context, step: &Step<'_>) -> Value<'a> {
    let name = match step.name {
        b"" => step.at.unwrap_or_default(),
        name => name,
    };
    let name = hyphens(name);
    let whole: Vec<_> = ctx.msg.find(&name).map(|h| ctx.msg.get(h.value)).collect();
    if whole.is_empty() {
        return Value::Null;
    }
    let Some(index) = step.index().filter(|_| !step.name.is_empty()) else {
        return Value::owned(whole.join(b",".as_slice()));
    };
    let values: Vec<&[u8]> = whole.iter().flat_map(|value| split_list(value)).collect();
    let count = i64::try_from(values.len()).unwrap_or(i64::MAX);
    let at = if index < 0 { count + index } else { index - 1 };
    let value = usize::try_from(at).ok().and_then(|at| values.get(at));
    Value::opt(value.copied())
}

/// Values between commas that are in no quoted string and no angle brackets.
fn split_list(text: &[u8]) -> Vec<&[u8]> {
    let (mut quoted, mut angle, mut escaped) = (false, false, false);
    let values = text.split(|c| {
        match c {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => angle = true,
            b'>' if !quoted => angle = false,
            c => return !quoted && !angle && *c == b',',
        }
        false
    });
    values.map(<[u8]>::trim_ascii).collect()
}

fn owned(text: String) -> Value<'static> {
    Value::owned(text.into_bytes())
}

fn peer(ctx: &Context, what: &[u8]) -> Value<'static> {
    let remote = ctx.flow.remote;
    match what {
        b"ip" => owned(ip(remote.ip())),
        b"port" => Value::Int(i64::from(remote.port())),
        b"ip_port" => owned(format!("{}:{}", ip_ref(remote.ip()), remote.port())),
        _ => Value::Null,
    }
}

fn ours(ctx: &Context, what: &[u8]) -> Value<'static> {
    let Some(socket) = ctx.recv_socket() else {
        return Value::Null;
    };
    let (proto, addr) = (socket.proto, socket.addr);
    let pair = || format!("{}:{}", ip_ref(addr.ip()), addr.port());
    match what {
        b"ip" => owned(ip(addr.ip())),
        b"port" => Value::Int(i64::from(addr.port())),
        b"ip_port" => owned(pair()),
        b"proto" => owned(proto.to_string()),
        b"proto_ip_port" => owned(format!("{proto}:{}", pair())),
        _ => Value::Null,
    }
}
