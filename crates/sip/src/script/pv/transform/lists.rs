//! `{param.*}`, `{nameaddr.*}`, `{tobody.*}`, `{line.*}`: text that is a list or an address.

use std::borrow::Cow;

use crate::nameaddr::{NameAddrRef, parse_nameaddr};
use crate::params::Params;
use crate::uri::Uri;

use super::super::super::context::Value;
use super::super::header::at;
use super::super::read::int;
use super::{argument, length, number, slice};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    ParamValue,
    ParamIn,
    ParamValueAt,
    ParamName,
    ParamCount,
    AddrName,
    AddrUri,
    AddrLen,
    BodyUri,
    BodyTag,
    BodyDisplay,
    BodyUser,
    BodyHost,
    BodyParams,
    LineCount,
    LineAt,
    LineStartsWith,
}

impl Op {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "param.value" => Self::ParamValue,
            "param.in" => Self::ParamIn,
            "param.valueat" => Self::ParamValueAt,
            "param.name" => Self::ParamName,
            "param.count" => Self::ParamCount,
            "nameaddr.name" => Self::AddrName,
            "nameaddr.uri" => Self::AddrUri,
            "nameaddr.len" => Self::AddrLen,
            "tobody.uri" => Self::BodyUri,
            "tobody.tag" => Self::BodyTag,
            "tobody.display" => Self::BodyDisplay,
            "tobody.uri_user" | "tobody.user" => Self::BodyUser,
            "tobody.uri_host" | "tobody.host" => Self::BodyHost,
            "tobody.params" => Self::BodyParams,
            "line.count" => Self::LineCount,
            "line.at" => Self::LineAt,
            "line.sw" => Self::LineStartsWith,
            _ => return None,
        })
    }

    pub(super) const fn needs(self) -> usize {
        match self {
            Self::ParamValue
            | Self::ParamIn
            | Self::ParamValueAt
            | Self::ParamName
            | Self::LineAt
            | Self::LineStartsWith => 1,
            _ => 0,
        }
    }

    pub(super) const fn takes(self) -> usize {
        match self {
            Self::ParamValue | Self::ParamIn | Self::ParamValueAt | Self::ParamName => 2,
            Self::ParamCount => 1,
            _ => self.needs(),
        }
    }

    pub(super) fn apply<'a>(self, text: Cow<'a, [u8]>, args: &[Cow<'_, [u8]>]) -> Value<'a> {
        if text.is_empty() {
            return Value::Null;
        }
        let arg = argument(args, 0).to_vec();
        let separator = args.get(1).and_then(|a| a.first()).copied();
        match self {
            Self::ParamCount => {
                let separator = argument(args, 0).first().copied();
                int(params(&text, separator).len())
            }
            Self::ParamIn => Value::Int(i64::from(
                params(&text, separator)
                    .iter()
                    .any(|(name, _)| name.eq_ignore_ascii_case(&arg)),
            )),
            Self::ParamValue | Self::ParamValueAt | Self::ParamName => {
                slice(text, |t| self.param(t, &arg, separator))
            }
            Self::LineCount => Value::owned(lines(&text).count().to_string().into_bytes()),
            Self::LineAt | Self::LineStartsWith => slice(text, |t| self.line(t, &arg)),
            _ => self.address(text),
        }
    }

    fn param<'t>(self, text: &'t [u8], arg: &[u8], separator: Option<u8>) -> &'t [u8] {
        let list = params(text, separator);
        let nth = || {
            let index = i32::try_from(number(arg)?).ok()?;
            list.get(at(list.len(), index)?)
        };
        match self {
            Self::ParamName => nth().map_or(b"", |p| p.0),
            Self::ParamValueAt => nth().map_or(b"", |p| p.1),
            _ => list
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(arg))
                .map_or(b"", |p| p.1),
        }
    }

    fn line<'t>(self, text: &'t [u8], arg: &[u8]) -> &'t [u8] {
        let found = match self {
            Self::LineAt => {
                let all: Vec<_> = lines(text).collect();
                let index = number(arg).and_then(|n| i32::try_from(n).ok());
                index.and_then(|n| at(all.len(), n)).map(|n| all[n])
            }
            _ => lines(text).find(|line| line.starts_with(arg)),
        };
        found.unwrap_or_default()
    }

    /// Null when the text is no address, or for `{tobody.*}` more than one.
    fn address(self, text: Cow<'_, [u8]>) -> Value<'_> {
        let first = first_value(&text);
        match self {
            Self::AddrName | Self::AddrUri | Self::AddrLen => return self.name_address(text),
            _ if first.len() < text.len() => return Value::Null,
            _ => {}
        }
        if parse_nameaddr(first).is_err() {
            return Value::Null;
        }
        slice(text, |t| {
            parse_nameaddr(t).map_or(b"", |addr| self.part(&addr))
        })
    }

    /// What is before the angle bracket, blanks included, and what is in it; without one the
    /// text is a URI.
    fn name_address(self, text: Cow<'_, [u8]>) -> Value<'_> {
        let first = first_value(&text);
        let open = angle(first);
        let (start, end) = match open {
            None => (0, first.len()),
            Some(open) => match memchr::memchr(b'>', &first[open..]) {
                Some(close) => (open + 1, open + close),
                None => (0, 0),
            },
        };
        match self {
            Self::AddrLen => length(&text[..end + usize::from(start > 0)]),
            Self::AddrName => slice(text, |t| &t[..start.saturating_sub(1)]),
            _ => slice(text, |t| &t[start..end]),
        }
    }

    fn part<'t>(self, addr: &NameAddrRef<'t>) -> &'t [u8] {
        let uri = || Uri::parse(addr.uri).ok();
        match self {
            Self::BodyDisplay => addr.display,
            Self::BodyUri => addr.uri,
            Self::BodyTag => addr.param(b"tag").unwrap_or_default(),
            Self::BodyUser => uri().and_then(|u| u.user).unwrap_or_default(),
            Self::BodyHost => uri().map(|u| u.host).unwrap_or_default(),
            Self::BodyParams => addr.params,
            _ => b"",
        }
    }
}

/// Where the angle bracket is that is in no quoted string.
fn angle(text: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.iter().position(|c| {
        match c {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' => return !quoted,
            _ => {}
        }
        false
    })
}

/// The text up to the first comma outside of quotes and angle brackets.
fn first_value(text: &[u8]) -> &[u8] {
    let (mut quoted, mut angle, mut escaped) = (false, false, false);
    for (i, c) in text.iter().enumerate() {
        match c {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => angle = true,
            b'>' if !quoted => angle = false,
            b',' if !quoted && !angle => return &text[..i],
            _ => {}
        }
    }
    text
}

/// Names and values, values without quotes; another separator than `;` may be given.
fn params(text: &[u8], separator: Option<u8>) -> Vec<(&[u8], &[u8])> {
    let unquote = |v: &'_ [u8]| -> usize { usize::from(v.len() > 1 && v[0] == b'"') };
    match separator {
        None | Some(b';') => Params::new(text)
            .map(|(name, value)| {
                let value = value.unwrap_or_default();
                let quote = unquote(value);
                (name, &value[quote..value.len() - quote])
            })
            .collect(),
        Some(separator) => text
            .split(|c| *c == separator)
            .map(|item| match memchr::memchr(b'=', item) {
                Some(i) => (item[..i].trim_ascii(), item[i + 1..].trim_ascii()),
                None => (item.trim_ascii(), b"".as_slice()),
            })
            .collect(),
    }
}

/// Lines without their ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.split(|c| *c == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}
