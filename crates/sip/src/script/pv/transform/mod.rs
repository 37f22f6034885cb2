//! Transformations: `$(ru{uri.host}{s.len})`.

mod encode;
mod lists;
mod sql;
mod text;
mod uri;

use std::borrow::Cow;

use super::super::context::{Context, Value};
use super::super::regexes::Substitution;
use super::PvError;
use super::parse::{Inner, bad, parse_inner};

/// base64 with the alphabet of URLs, without padding (RFC 4648 section 5).
pub(in super::super) fn base64url(text: &[u8]) -> Vec<u8> {
    URL.encode(text)
}

/// What [`base64url`] encoded; `None` when a character is none of its alphabet.
pub(in super::super) fn from_base64url(text: &[u8]) -> Option<Vec<u8>> {
    URL.decode(text)
}

const URL: encode::Base64 = encode::Base64 {
    url: true,
    padded: false,
};

/// One transformation with its arguments.
#[derive(Clone, Debug)]
pub(super) struct Transform {
    op: Op,
    args: Box<[Inner]>,
}

#[derive(Clone, Debug)]
enum Op {
    Text(text::Op),
    Uri(uri::Op),
    List(lists::Op),
    Subst(Box<Substitution>),
    /// `{val.ne}` and `{val.n0}`
    Default(Value<'static>),
    /// `{sql.val}` and its kin, `{val.json}`, `{val.jsonqe}`
    Value(fn(&Value<'_>) -> Vec<u8>),
    /// `{urialias.encode}`, `{urialias.decode}`, `{sock...}`, `{url...}`
    Part(fn(&[u8]) -> Value<'static>),
}

impl Transform {
    /// Parses what is between the braces.
    pub(super) fn parse(text: &[u8]) -> Result<Self, PvError> {
        let comma = memchr::memchr(b',', text);
        let (name, rest) = match comma {
            Some(i) => (&text[..i], Some(&text[i + 1..])),
            None => (text, None),
        };
        let name = std::str::from_utf8(name).unwrap_or_default().trim();
        if name == "re.subst" {
            let subst =
                Substitution::parse(rest.unwrap_or_default()).map_err(|why| bad(text, &why))?;
            return Ok(Self {
                op: Op::Subst(Box::new(subst)),
                args: Box::default(),
            });
        }
        let (class, field) = name.split_once('.').unwrap_or((name, ""));
        let op = match class {
            "s" => text::Op::parse(field).map(Op::Text),
            "uri" => uri::Op::parse(field).map(Op::Uri),
            "urialias" => match field {
                "encode" => Some(Op::Part(uri::alias)),
                "decode" => Some(Op::Part(uri::unalias)),
                _ => None,
            },
            "sock" => uri::of_socket(field).map(Op::Part),
            "url" => match field {
                "path" => Some(Op::Part(uri::url_path)),
                "querystring" => Some(Op::Part(uri::url_query)),
                _ => None,
            },
            "sql" => match field {
                "val" => Some(Op::Value(|value| sql::value(value, b"NULL"))),
                "val.int" => Some(Op::Value(|value| sql::value(value, b"0"))),
                "val.str" => Some(Op::Value(|value| sql::value(value, b"''"))),
                _ => None,
            },
            "val" => match field {
                "ne" => Some(Op::Default(Value::borrowed(b""))),
                "n0" => Some(Op::Default(Value::Int(0))),
                "json" => Some(Op::Value(|value| sql::json(value, false))),
                "jsonqe" => Some(Op::Value(|value| sql::json(value, true))),
                _ => None,
            },
            _ => lists::Op::parse(name).map(Op::List),
        };
        let op = op.ok_or_else(|| bad(text, "unknown transformation"))?;
        let args = arguments(&op, rest)?;
        if args.len() < op.needs() {
            return Err(bad(text, "an argument is missing"));
        }
        if rest.is_some() && op.takes() == 0 {
            return Err(bad(text, "it takes no argument"));
        }
        Ok(Self { op, args })
    }

    /// Whether an argument has a variable of another module in it.
    pub(super) fn asks_others(&self) -> bool {
        self.args.iter().any(Inner::asks_others)
    }

    /// The transformed value; null stays null.
    pub(super) fn apply<'a>(&self, ctx: &Context, value: Value<'a>) -> Value<'a> {
        let text = match (&self.op, value) {
            (Op::Default(default), Value::Null) => return default.clone(),
            (Op::Default(_), value) => return value,
            (Op::Value(written), value) => return Value::owned(written(&value)),
            (_, Value::Null) => return Value::Null,
            (_, Value::Int(n)) => Cow::Owned(n.to_string().into_bytes()),
            (_, Value::Str(s) | Value::StrInt(s, _)) => s,
        };
        let args: Vec<Cow<'_, [u8]>> = self.args.iter().map(|a| a.eval(ctx)).collect();
        match &self.op {
            Op::Text(op) => op.apply(ctx, text, &args),
            Op::Uri(op) => op.apply(text, &args),
            Op::List(op) => op.apply(text, &args),
            Op::Part(part) => part(&text),
            Op::Subst(_) if text.is_empty() => Value::Null,
            Op::Subst(subst) => match subst.apply(ctx, &text) {
                Some(changed) => Value::owned(changed),
                None => Value::Str(text),
            },
            Op::Default(_) | Op::Value(_) => Value::Str(text),
        }
    }
}

impl Op {
    /// How many arguments it may have.
    const fn takes(&self) -> usize {
        match self {
            Self::Text(op) => op.takes(),
            Self::Uri(op) => op.needs(),
            Self::List(op) => op.takes(),
            Self::Subst(_) | Self::Default(_) | Self::Value(_) | Self::Part(_) => 0,
        }
    }

    const fn needs(&self) -> usize {
        match self {
            Self::Text(op) => op.needs(),
            Self::Uri(op) => op.needs(),
            Self::List(op) => op.needs(),
            Self::Subst(_) | Self::Default(_) | Self::Value(_) | Self::Part(_) => 0,
        }
    }
}

/// Arguments after the first comma. One that is a comma is written as it is: `{s.after,,}`,
/// `{s.select,0,,}`.
fn arguments(op: &Op, rest: Option<&[u8]>) -> Result<Box<[Inner]>, PvError> {
    let Some(rest) = rest else {
        return Ok(Box::default());
    };
    rest.splitn(op.takes().max(1), |c| *c == b',')
        .map(parse_inner)
        .collect()
}

/// A part of `text` chosen by `choose`, without a copy where `text` is borrowed.
fn slice<'a>(text: Cow<'a, [u8]>, choose: impl for<'b> Fn(&'b [u8]) -> &'b [u8]) -> Value<'a> {
    match text {
        Cow::Borrowed(text) => Value::borrowed(choose(text)),
        Cow::Owned(text) => Value::owned(choose(&text).to_vec()),
    }
}

fn number(text: &[u8]) -> Option<i64> {
    super::read::parse_number(text)
}

fn length(text: &[u8]) -> Value<'static> {
    super::read::int(text.len())
}

fn argument<'a>(args: &'a [Cow<'_, [u8]>], n: usize) -> &'a [u8] {
    args.get(n).map(|a| &**a).unwrap_or_default()
}
