//! Header fields: `$hdr(..)`, `$hfl(..)`, `$via0(..)`, `$expires(..)`, `$msg(..)`.

use crate::error::SyntaxError;
use crate::header::HeaderId;
use crate::message::Message;
use crate::nameaddr::parse_nameaddr;
use crate::types::Span;
use crate::via::{Rport, Via};

use super::super::context::Value;
use super::Index;
use super::net::proto_id;
use super::read::{int, nonempty, parse_number};

/// `$hdr(name)`: the value of a whole header field.
pub(super) fn hdr<'a>(msg: &'a Message, name: &[u8], index: Index) -> Value<'a> {
    let values: Vec<_> = msg.find(name).map(|h| msg.get(h.value)).collect();
    pick(&values, index, b",")
}

/// `$hfl(name)`: one of the comma separated values, over all header fields of the name.
pub(super) fn hfl<'a>(msg: &'a Message, name: &[u8], index: Index) -> Value<'a> {
    let values: Vec<_> = hfl_values(msg, name)
        .into_iter()
        .map(|s| msg.get(s))
        .collect();
    pick(&values, index, b", ")
}

/// Where the values of `$hfl` are; names that are not known to be lists are not split.
pub(super) fn hfl_values(msg: &Message, name: &[u8]) -> Vec<Span> {
    match HeaderId::of(name) {
        id @ (HeaderId::Contact
        | HeaderId::Via
        | HeaderId::Route
        | HeaderId::RecordRoute
        | HeaderId::Path
        | HeaderId::Diversion) => msg.values(id).collect(),
        _ => msg.find(name).map(|h| h.value).collect(),
    }
}

/// The value at an index, or all of them joined.
pub(super) fn pick<'a>(values: &[&'a [u8]], index: Index, join: &[u8]) -> Value<'a> {
    match index {
        Index::None => Value::opt(values.first().copied()),
        Index::At(i) => Value::opt(at(values.len(), i).map(|i| values[i])),
        Index::All if values.is_empty() => Value::Null,
        Index::All => Value::owned(values.join(join)),
    }
}

/// Position of an index that may count from the end.
pub(in super::super) fn at(len: usize, index: i32) -> Option<usize> {
    let magnitude = usize::try_from(index.unsigned_abs()).ok()?;
    if index < 0 {
        len.checked_sub(magnitude)
    } else {
        (magnitude < len).then_some(magnitude)
    }
}

/// URI of the first Route.
pub(super) fn top_route_uri(msg: &Message) -> Value<'_> {
    let route = msg.values(HeaderId::Route).next();
    Value::opt(
        route
            .and_then(|s| parse_nameaddr(msg.get(s)).ok())
            .map(|a| a.uri),
    )
}

/// `$msg(part)`.
pub(super) fn part<'a>(msg: &'a Message, what: &[u8]) -> Value<'a> {
    let buf = msg.bytes();
    let first = msg.first_line().end as usize;
    match what {
        b"len" => int(buf.len()),
        b"buf" => Value::borrowed(buf),
        b"body" => nonempty(msg.body()),
        b"bodylen" | b"body_len" => int(msg.body().len()),
        b"lpart" => Value::borrowed(&buf[first..]),
        b"hdrs" => Value::borrowed(buf[first..msg.headers_end()].trim_ascii_end()),
        b"fpart" => Value::borrowed(buf[..msg.headers_end()].trim_ascii_end()),
        _ => Value::Null,
    }
}

/// `$expires(min)` and `$expires(max)` over all contacts; those without a parameter
/// have the value of the Expires header (RFC 3261 section 10.2.1.1).
pub(super) fn expires(msg: &Message, what: &[u8]) -> Value<'static> {
    let default = msg.value(HeaderId::Expires).and_then(parse_number);
    let contacts = msg.values(HeaderId::Contact).filter_map(|span| {
        let contact = parse_nameaddr(msg.get(span)).ok()?;
        contact.param(b"expires").and_then(parse_number).or(default)
    });
    let value = match what {
        b"min" => contacts.min(),
        b"max" => contacts.max(),
        _ => return Value::Null,
    };
    value.or(default).map_or(Value::Null, Value::Int)
}

/// `$pcv(field)`: P-Charging-Vector (RFC 7315 section 4.6).
pub(super) fn charging_vector<'a>(msg: &'a Message, field: &[u8]) -> Value<'a> {
    let Some(header) = msg.find(b"P-Charging-Vector").next() else {
        return Value::Null;
    };
    let value = msg.get(header.value);
    let name: &[u8] = match field {
        b"all" => return Value::borrowed(value),
        b"value" => b"icid-value",
        b"genaddr" => b"icid-generated-at",
        b"orig" => b"orig-ioi",
        b"term" => b"term-ioi",
        _ => return Value::Null,
    };
    let text = crate::params::Params::new(value).get(name);
    Value::opt(text.map(|text| match text {
        [b'"', inner @ .., b'"'] => inner,
        text => text,
    }))
}

/// `$via0(field)`, `$via1(field)`, `$viaZ(field)`.
pub(super) fn via<'a>(
    msg: &'a Message,
    via: Option<Result<Via, SyntaxError>>,
    field: &[u8],
) -> Value<'a> {
    let Some(Ok(via)) = via else {
        return Value::Null;
    };
    match field {
        b"host" => Value::borrowed(msg.get(via.host)),
        b"port" => int(via.port_or_default()),
        b"proto" => Value::borrowed(msg.get(via.transport)),
        b"protoid" => via.proto.map_or(Value::Null, |p| Value::Int(proto_id(p))),
        b"branch" => Value::opt(via.branch.map(|s| msg.get(s))),
        b"received" => Value::opt(via.received.map(|s| msg.get(s))),
        b"maddr" => Value::opt(via.maddr.map(|s| msg.get(s))),
        b"params" => nonempty(msg.get(via.params)),
        b"rport" => match via.rport {
            Rport::Port(port) => Value::owned(port.to_string().into_bytes()),
            Rport::Absent | Rport::Empty => Value::Null,
        },
        name => {
            Value::opt(crate::params::Params::new(msg.get(via.params)).get(name)).into_nonempty()
        }
    }
}
