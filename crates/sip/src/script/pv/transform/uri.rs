//! `{uri.*}`: parts of a URI.

use std::borrow::Cow;

use crate::types::Proto;
use crate::uri::Uri;

use super::super::super::context::Value;
use super::super::net::proto_id;
use super::super::read::user_of;
use super::{argument, slice};

/// `{urialias.encode}`: host, port and number of the transport, as in the parameter that
/// `set_contact_alias` adds.
pub(super) fn alias(text: &[u8]) -> Value<'static> {
    let Ok(uri) = Uri::parse(text) else {
        return Value::Null;
    };
    let proto = match uri.param(b"transport") {
        None => Some(Proto::Udp),
        Some(name) => Proto::parse(name),
    };
    let Some(proto) = proto else {
        return Value::Null;
    };
    let mut out = uri.host.to_vec();
    let rest = format!("~{}~{}", uri.port_or_default(), proto_id(proto));
    out.extend_from_slice(rest.as_bytes());
    Value::owned(out)
}

/// `{urialias.decode}`: the URI that such a text stands for.
pub(super) fn unalias(text: &[u8]) -> Value<'static> {
    let mut parts = text.split(|c| *c == b'~');
    let (Some(host), Some(port), Some(proto), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Value::Null;
    };
    let number = super::number;
    let port = number(port).filter(|port| (1..=65535).contains(port));
    let known = [Proto::Udp, Proto::Tcp, Proto::Tls, Proto::Ws, Proto::Wss];
    let proto = known
        .into_iter()
        .find(|p| number(proto) == Some(proto_id(*p)));
    let (false, Some(port), Some(proto)) = (host.is_empty(), port, proto) else {
        return Value::Null;
    };
    let mut out = [b"sip:", host].concat();
    out.extend_from_slice(format!(":{port}").as_bytes());
    if proto != Proto::Udp {
        out.extend_from_slice(format!(";transport={proto}").as_bytes());
    }
    Value::owned(out)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    User,
    Password,
    Host,
    Port,
    Params,
    Param,
    Headers,
    Scheme,
    /// A parameter of that name.
    Named(&'static str),
    /// Scheme, host, port, transport.
    Destination,
    /// Scheme, user, host.
    Aor,
    /// Scheme, user, host, port, transport.
    Short,
    /// `transport:host:port`.
    Socket,
}

impl Op {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "user" => Self::User,
            "passwd" => Self::Password,
            "host" => Self::Host,
            "port" => Self::Port,
            "params" => Self::Params,
            "param" => Self::Param,
            "headers" => Self::Headers,
            "scheme" => Self::Scheme,
            "transport" => Self::Named("transport"),
            "ttl" => Self::Named("ttl"),
            "uparam" => Self::Named("user"),
            "maddr" => Self::Named("maddr"),
            "method" => Self::Named("method"),
            "lr" => Self::Named("lr"),
            "r2" => Self::Named("r2"),
            "duri" => Self::Destination,
            "saor" => Self::Aor,
            "suri" => Self::Short,
            "tosocket" => Self::Socket,
            _ => return None,
        })
    }

    pub(super) const fn needs(self) -> usize {
        matches!(self, Self::Param) as usize
    }

    /// Null when the text is no URI; empty text when it has no such part.
    pub(super) fn apply<'a>(self, text: Cow<'a, [u8]>, args: &[Cow<'_, [u8]>]) -> Value<'a> {
        let Ok(uri) = Uri::parse(&text) else {
            return Value::Null;
        };
        match self {
            Self::Port => return Value::Int(i64::from(uri.port.unwrap_or(0))),
            Self::Socket if uri.port.is_none() => return Value::borrowed(b""),
            Self::Destination | Self::Aor | Self::Short | Self::Socket => {
                return Value::owned(self.compose(&uri));
            }
            _ => {}
        }
        let name = argument(args, 0);
        slice(text, |t| {
            Uri::parse(t).map_or(b"", |uri| self.part(&uri, name))
        })
    }

    fn part<'u>(self, uri: &Uri<'u>, name: &[u8]) -> &'u [u8] {
        match self {
            Self::User => user_of(*uri).unwrap_or_default(),
            Self::Password => uri.password.unwrap_or_default(),
            Self::Host => uri.host,
            Self::Params => uri.params,
            Self::Param => uri.param(name).unwrap_or_default(),
            Self::Headers => uri.headers,
            Self::Scheme => uri.scheme_name,
            Self::Named(name) => uri.param(name.as_bytes()).unwrap_or_default(),
            _ => b"",
        }
    }

    fn compose(self, uri: &Uri<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        if self == Self::Socket {
            out.extend_from_slice(uri.param(b"transport").unwrap_or(b"udp"));
            out.push(b':');
            out.extend_from_slice(uri.host);
            out.push(b':');
            out.extend_from_slice(uri.port_or_default().to_string().as_bytes());
            return out;
        }
        out.extend_from_slice(uri.scheme_name);
        out.push(b':');
        if let Some(user) = uri.user.filter(|_| self != Self::Destination) {
            out.extend_from_slice(user);
            out.push(b'@');
        }
        out.extend_from_slice(uri.host);
        if self == Self::Aor {
            return out;
        }
        if let Some(port) = uri.port {
            out.push(b':');
            out.extend_from_slice(port.to_string().as_bytes());
        }
        if let Some(transport) = uri.param(b"transport") {
            out.extend_from_slice(b";transport=");
            out.extend_from_slice(transport);
        }
        out
    }
}

/// A part of `proto:host:port`, the name of a socket; null when it is none.
pub(super) fn of_socket(field: &str) -> Option<fn(&[u8]) -> Value<'static>> {
    Some(match field {
        "host" => |text| socket(text, |s| s.host.to_vec()),
        "port" => |text| socket(text, |s| s.port.to_vec()),
        "proto" => |text| socket(text, |s| s.proto.to_vec()),
        "touri" => |text| {
            socket(text, |s| {
                let mut out = [b"sip:", s.host].concat();
                for (lead, part) in [(&b":"[..], s.port), (b";transport=", s.proto)] {
                    if !part.is_empty() {
                        out.extend_from_slice(lead);
                        out.extend_from_slice(part);
                    }
                }
                out
            })
        },
        _ => return None,
    })
}

/// Parts of a socket's name; empty ones are not there.
struct Socket<'a> {
    proto: &'a [u8],
    host: &'a [u8],
    port: &'a [u8],
}

fn socket(text: &[u8], part: fn(&Socket<'_>) -> Vec<u8>) -> Value<'static> {
    let colon = memchr::memchr(b':', text).filter(|_| !text.starts_with(b"["));
    let (proto, rest) = match colon {
        Some(at) if Proto::parse(&text[..at]).is_some() => (&text[..at], &text[at + 1..]),
        _ => (&b""[..], text),
    };
    let bracket = memchr::memrchr(b']', rest).unwrap_or(0);
    let (host, port) = match memchr::memrchr(b':', rest) {
        Some(at) if at >= bracket => (&rest[..at], &rest[at + 1..]),
        _ => (rest, &b""[..]),
    };
    let named = memchr::memchr(b':', host).is_some() && !host.starts_with(b"[");
    if host.is_empty() || named || !port.iter().all(u8::is_ascii_digit) {
        return Value::Null;
    }
    Value::owned(part(&Socket { proto, host, port }))
}

/// The path of the URL of an HTTP request.
pub(super) fn url_path(text: &[u8]) -> Value<'static> {
    let end = memchr::memchr(b'?', text).unwrap_or(text.len());
    Value::owned(text[..end].to_vec())
}

/// Its query, empty without one.
pub(super) fn url_query(text: &[u8]) -> Value<'static> {
    let start = memchr::memchr(b'?', text).map_or(text.len(), |at| at + 1);
    Value::owned(text[start..].to_vec())
}
