//! `{s.*}`: transformations of text.

use std::borrow::Cow;

use crate::uri::unescape;

use super::super::super::context::{Context, Value};
use super::super::strftime;
use super::encode::{self, Base64, PARAM, USER};
use super::{argument, length, number, slice};
use crate::digest::Digest;

macro_rules! ops {
    ($($op:ident = $name:literal, $args:literal $(, $most:literal)?;)*) => {
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

            /// How many arguments it may have.
            pub(super) const fn takes(self) -> usize {
                match self { $(Self::$op => ops!(@most $args $(, $most)?),)* }
            }
        }
    };
    (@most $args:literal) => { $args };
    (@most $args:literal, $most:literal) => { $most };
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
    Prefixes = "prefixes", 0, 1;
    PrefixesQuoted = "prefixes.quoted", 0, 1;
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
    EncodeBase58 = "encode.base58", 0;
    DecodeBase58 = "decode.base58", 0;
    EncodeBase64T = "encode.base64t", 0;
    DecodeBase64T = "decode.base64t", 0;
    EncodeBase64Url = "encode.base64url", 0;
    DecodeBase64Url = "decode.base64url", 0;
    EncodeBase64UrlT = "encode.base64urlt", 0;
    DecodeBase64UrlT = "decode.base64urlt", 0;
    Encode7Bit = "encode.7bit", 0;
    Decode7Bit = "decode.7bit", 0;
    Md5 = "md5", 0;
    Sha256 = "sha256", 0;
    Sha384 = "sha384", 0;
    Sha512 = "sha512", 0;
    CoreHash = "corehash", 0, 1;
    FormatLines = "fmtlines", 2;
    FormatLineTabs = "fmtlinet", 2;
    EscapeCsv = "escape.csv", 0;
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
            Self::Int if text.is_empty() => Value::Int(0),
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
            Self::Prefixes => prefixes(&text, n, b""),
            Self::PrefixesQuoted => prefixes(&text, n, b"'"),
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
            Self::Time if text.is_empty() => Value::owned(strftime(0, ctx.env.utc_offset, arg)),
            Self::Time => number(&text).map_or(Value::Null, |epoch| {
                Value::owned(strftime(epoch, ctx.env.utc_offset, arg))
            }),
            Self::FormatLines | Self::FormatLineTabs => format_lines(self, &text, args),
            _ => self.encoding(&text, n),
        }
    }

    fn encoding(self, text: &[u8], size: Option<i64>) -> Value<'static> {
        let opt = |text: Option<Vec<u8>>| text.map_or(Value::Null, Value::owned);
        Value::owned(match self {
            Self::EncodeHex => encode::hex(text),
            Self::DecodeHex => return opt(encode::unhex(text)),
            Self::EncodeBase58 => return opt(encode::base58(text)),
            Self::DecodeBase58 => return opt(encode::unbase58(text)),
            Self::Encode7Bit => encode::pack_septets(text),
            Self::Decode7Bit => return opt(encode::unpack_septets(text)),
            Self::Md5 => Digest::Md5.hex(text),
            Self::Sha256 => Digest::Sha256.hex(text),
            Self::Sha384 => Digest::Sha384.hex(text),
            Self::Sha512 => Digest::Sha512.hex(text),
            Self::CoreHash => encode::core_hash(text, size.unwrap_or(0))
                .to_string()
                .into_bytes(),
            Self::EscapeCsv => encode::csv(text),
            Self::EscapeCommon => encode::escape_common(text),
            Self::UnescapeCommon => encode::unescape_common(text),
            Self::EscapeUser => return opt(escape(text, USER)),
            Self::EscapeParam => return opt(escape(text, PARAM)),
            Self::UnescapeUser | Self::UnescapeParam => unescape(text),
            Self::UrlEncode => encode::url_encode(text),
            Self::UrlDecode => unescape(&replace(text, b"+", b" ")),
            _ => return self.base64(text),
        })
    }

    fn base64(self, text: &[u8]) -> Value<'static> {
        let (url, padded) = match self {
            Self::EncodeBase64 | Self::DecodeBase64 => (false, true),
            Self::EncodeBase64T | Self::DecodeBase64T => (false, false),
            Self::EncodeBase64Url | Self::DecodeBase64Url => (true, true),
            _ => (true, false),
        };
        let base64 = Base64 { url, padded };
        match self {
            Self::EncodeBase64
            | Self::EncodeBase64T
            | Self::EncodeBase64Url
            | Self::EncodeBase64UrlT => Value::owned(base64.encode(text)),
            _ => base64.decode(text).map_or(Value::Null, Value::owned),
        }
    }
}

/// Null for text with other than printable characters, as in Kamailio.
fn escape(text: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let printable = text.iter().all(|c| (b' '..0x7f).contains(c));
    printable.then(|| encode::percent(text, plain))
}

/// Lines of a width at most, those after the first with blanks or tabs in front.
fn format_lines(op: Op, text: &[u8], args: &[Cow<'_, [u8]>]) -> Value<'static> {
    let width = number(argument(args, 0)).and_then(|n| usize::try_from(n).ok());
    let indent = number(argument(args, 1)).and_then(|n| usize::try_from(n).ok());
    let (Some(width @ 1..), indent) = (width, indent.unwrap_or(0)) else {
        return Value::Null;
    };
    let fill = if op == Op::FormatLines { b' ' } else { b'\t' };
    let mut out = Vec::with_capacity(text.len() * 2);
    for (i, line) in text.chunks(width).enumerate() {
        if i > 0 {
            out.extend_from_slice(b"\r\n");
            out.resize(out.len() + indent.min(MAX_INDENT), fill);
        }
        out.extend_from_slice(line);
    }
    Value::owned(out)
}

/// More blanks in front of a line make no sense.
const MAX_INDENT: usize = 256;

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

/// A negative start counts from the end; length 0 and one that is too long mean up to the
/// end.
fn substr(text: Cow<'_, [u8]>, start: i64, len: i64) -> Value<'_> {
    let total = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let start = if start < 0 { total + start } else { start };
    if start < 0 || start >= total || len < 0 {
        return Value::Null;
    }
    let end = match len {
        0 => total,
        len => start.saturating_add(len).min(total),
    };
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

/// Longer texts have prefixes of this length at most, lest they fill the memory.
const MAX_PREFIX: usize = 1024;

fn prefixes(text: &[u8], most: Option<i64>, quote: &[u8]) -> Value<'static> {
    let most = most.map_or(text.len(), |n| clamp(Some(n), text.len()));
    let all: Vec<_> = (1..=most.min(MAX_PREFIX))
        .map(|n| [quote, &text[..n], quote].concat())
        .collect();
    Value::owned(all.join(b",".as_slice()))
}

fn unwrap(text: &[u8], open: u8, close: u8) -> &[u8] {
    match text {
        [first, inner @ .., last] if *first == open && *last == close => inner,
        _ => text,
    }
}
