//! `{s.*}`: transformations of text.

use std::borrow::Cow;

use crate::uri::unescape;

use super::super::super::context::{Context, Value};
use super::super::strftime;
use super::{argument, length, number, slice};

macro_rules! ops {
    ($($op:ident = $name:literal, $args:literal;)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) enum Op { $($op,)* }

        impl Op {
            pub(super) fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$op),)*
                    _ => None,
                }
            }

            /// How many arguments it must have.
            pub(super) const fn needs(self) -> usize {
                match self { $(Self::$op => $args,)* }
            }
        }
    };
}

ops! {
    Len = "len", 0;
    Int = "int", 0;
    Numeric = "numeric", 0;
    Lower = "tolower", 0;
    Upper = "toupper", 0;
    Trim = "trim", 0;
    RTrim = "rtrim", 0;
    LTrim = "ltrim", 0;
    RemoveBlanks = "rmws", 0;
    Remove = "rm", 1;
    Replace = "replace", 2;
    Substr = "substr", 2;
    Select = "select", 2;
    Strip = "strip", 1;
    StripTail = "striptail", 1;
    StripTo = "stripto", 1;
    Prefixes = "prefixes", 0;
    Before = "before", 1;
    After = "after", 1;
    RBefore = "rbefore", 1;
    RAfter = "rafter", 1;
    Count = "count", 1;
    Quote = "quote", 0;
    Unquote = "unquote", 0;
    Unbracket = "unbracket", 0;
    EncodeHex = "encode.hexa", 0;
    DecodeHex = "decode.hexa", 0;
    EncodeBase64 = "encode.base64", 0;
    DecodeBase64 = "decode.base64", 0;
    EscapeCommon = "escape.common", 0;
    UnescapeCommon = "unescape.common", 0;
    EscapeUser = "escape.user", 0;
    UnescapeUser = "unescape.user", 0;
    EscapeParam = "escape.param", 0;
    UnescapeParam = "unescape.param", 0;
    UrlEncode = "urlencode.param", 0;
    UrlDecode = "urldecode.param", 0;
    Time = "ftime", 1;
}

impl Op {
    pub(super) fn apply<'a>(
        self,
        ctx: &Context,
        text: Cow<'a, [u8]>,
        args: &[Cow<'_, [u8]>],
    ) -> Value<'a> {
        let arg = argument(args, 0);
        let n = number(arg);
        match self {
            Self::Len => length(&text),
            Self::Int => number(&text).map_or(Value::Null, Value::Int),
            Self::Numeric => keep(&text, u8::is_ascii_digit),
            Self::Lower => Value::owned(text.to_ascii_lowercase()),
            Self::Upper => Value::owned(text.to_ascii_uppercase()),
            Self::Trim => slice(text, <[u8]>::trim_ascii),
            Self::RTrim => slice(text, <[u8]>::trim_ascii_end),
            Self::LTrim => slice(text, <[u8]>::trim_ascii_start),
            Self::RemoveBlanks => keep(&text, |c| !c.is_ascii_whitespace()),
            Self::Remove => Value::owned(replace(&text, arg, b"")),
            Self::Replace => Value::owned(replace(&text, arg, argument(args, 1))),
            Self::Substr => match (n, number(argument(args, 1))) {
                (Some(start), Some(len)) => substr(text, start, len),
                _ => Value::Null,
            },
            Self::Select => match (n, argument(args, 1).first()) {
                (Some(n), Some(separator)) => slice(text, |t| select(t, n, *separator)),
                _ => Value::Null,
            },
            Self::Strip => slice(text, |t| &t[clamp(n, t.len())..]),
            Self::StripTail => slice(text, |t| &t[..t.len() - clamp(n, t.len())]),
            Self::StripTo => slice(text, |t| &t[find(t, arg).unwrap_or(t.len())..]),
            Self::Prefixes => prefixes(&text, n),
            Self::Before => slice(text, |t| &t[..find(t, arg).unwrap_or(t.len())]),
            Self::After => slice(text, |t| find(t, arg).map_or(b"", |i| &t[i + 1..])),
            Self::RBefore => slice(text, |t| &t[..rfind(t, arg).unwrap_or(t.len())]),
            Self::RAfter => slice(text, |t| rfind(t, arg).map_or(b"", |i| &t[i + 1..])),
            Self::Count => {
                super::super::read::int(text.iter().filter(|c| Some(*c) == arg.first()).count())
            }
            Self::Quote => Value::owned([b"\"", &*text, b"\""].concat()),
            Self::Unquote => slice(text, |t| unwrap(t, b'"', b'"')),
            Self::Unbracket => slice(text, |t| unwrap(t, b'<', b'>')),
            Self::EncodeHex => Value::owned(hex(&text)),
            Self::DecodeHex => unhex(&text).map_or(Value::Null, Value::owned),
            Self::EncodeBase64 => Value::owned(base64(&text)),
            Self::DecodeBase64 => unbase64(&text).map_or(Value::Null, Value::owned),
            Self::EscapeCommon => Value::owned(escape_common(&text)),
            Self::UnescapeCommon => Value::owned(unescape_common(&text)),
            Self::EscapeUser => Value::owned(percent(&text, USER)),
            Self::EscapeParam => Value::owned(percent(&text, PARAM)),
            Self::UnescapeUser | Self::UnescapeParam => Value::owned(unescape(&text)),
            Self::UrlEncode => Value::owned(url_encode(&text)),
            Self::UrlDecode => Value::owned(unescape(&replace(&text, b"+", b" "))),
            Self::Time => number(&text).map_or(Value::Null, |epoch| {
                Value::owned(strftime(epoch, ctx.env.utc_offset, arg))
            }),
        }
    }
}

fn clamp(n: Option<i64>, len: usize) -> usize {
    usize::try_from(n.unwrap_or(0)).unwrap_or(0).min(len)
}

fn keep(text: &[u8], wanted: impl Fn(&u8) -> bool) -> Value<'static> {
    Value::owned(text.iter().copied().filter(|c| wanted(c)).collect())
}

/// Where the first byte of `what` is.
fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memchr(*what.first()?, text)
}

fn rfind(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memrchr(*what.first()?, text)
}

pub(super) fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    if from.is_empty() {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    for at in memchr::memmem::find_iter(text, from) {
        out.extend_from_slice(&text[done..at]);
        out.extend_from_slice(to);
        done = at + from.len();
    }
    out.extend_from_slice(&text[done..]);
    out
}

/// A negative start counts from the end; length 0 means up to the end.
fn substr(text: Cow<'_, [u8]>, start: i64, len: i64) -> Value<'_> {
    let total = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let start = if start < 0 { total + start } else { start };
    let end = if len <= 0 { total } else { start + len };
    if start < 0 || start > total || end > total {
        return Value::Null;
    }
    let range = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
    slice(text, |t| &t[range.clone()])
}

/// The field at `n` of those that `separator` ends; a negative `n` counts from the end.
fn select(text: &[u8], n: i64, separator: u8) -> &[u8] {
    let mut fields = text.split(|c| *c == separator);
    let nth = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    let field = if n < 0 {
        fields.nth_back(nth - 1)
    } else {
        fields.nth(nth)
    };
    field.unwrap_or_default()
}

fn prefixes(text: &[u8], most: Option<i64>) -> Value<'static> {
    let most = most.map_or(text.len(), |n| clamp(Some(n), text.len()));
    let all: Vec<_> = (1..=most).map(|n| &text[..n]).collect();
    Value::owned(all.join(b",".as_slice()))
}

fn unwrap(text: &[u8], open: u8, close: u8) -> &[u8] {
    match text {
        [first, inner @ .., last] if *first == open && *last == close => inner,
        _ => text,
    }
}

fn hex(text: &[u8]) -> Vec<u8> {
    text.iter()
        .flat_map(|c| [digit(c >> 4), digit(c & 15)])
        .collect()
}

const fn digit(n: u8) -> u8 {
    b"0123456789abcdef"[(n & 15) as usize]
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let value = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks(2)
        .map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?))
        .collect()
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().div_ceil(3) * 4);
    for chunk in text.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|i| u32::from(chunk.get(i).copied().unwrap_or(0)));
        let bits = a << 16 | b << 8 | c;
        for i in 0..4 {
            out.push(if i > chunk.len() {
                b'='
            } else {
                BASE64[(bits >> (18 - 6 * i) & 63) as usize]
            });
        }
    }
    out
}

fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut have) = (0_u32, 0);
    for c in text.iter().filter(|c| **c != b'=') {
        let value = BASE64.iter().position(|b| b == c)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push(u8::try_from(bits >> have & 0xff).ok()?);
        }
    }
    Some(out)
}

/// Backslashes before quotes, backslashes and zero bytes.
fn escape_common(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text {
        match c {
            b'\'' | b'"' | b'\\' => out.extend([b'\\', *c]),
            0 => out.extend_from_slice(b"\\0"),
            c => out.push(*c),
        }
    }
    out
}

fn unescape_common(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(c) = bytes.next() {
        match (c, bytes.as_slice().first()) {
            (b'\\', Some(b'0')) => {
                bytes.next();
                out.push(0);
            }
            (b'\\', Some(next @ (b'\'' | b'"' | b'\\'))) => {
                bytes.next();
                out.push(*next);
            }
            _ => out.push(*c),
        }
    }
    out
}

/// `mark` and `user-unreserved` of RFC 3261 section 25.1.
const USER: &[u8] = b"-_.!~*'()&=+$,;?/";
/// `mark` and `param-unreserved` of RFC 3261 section 25.1.
const PARAM: &[u8] = b"-_.!~*'()[]/:&+$";

fn percent(text: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text {
        if c.is_ascii_alphanumeric() || plain.contains(c) {
            out.push(*c);
        } else {
            out.extend([b'%', digit(c >> 4), digit(*c)]);
        }
    }
    out
}

fn url_encode(text: &[u8]) -> Vec<u8> {
    replace(&percent(text, b"-_.~ "), b" ", b"+")
}
