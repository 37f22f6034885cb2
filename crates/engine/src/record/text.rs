//! What a script did, as bytes of the recording: packed by the script's thread as it is, and
//! made readable by whoever reads, which happens far more seldom.

use std::borrow::Cow;
use std::cell::RefCell;

use bytes::{Buf, Bytes};
use sipwright_sip::mask;

/// The longest that is kept of Call-ID, name, arguments and result.
const LONGEST: [usize; 4] = [256, 128, 512, 4_096];
/// Characters of a value that are shown.
const LONGEST_VALUE: usize = 80;
/// Bytes of a value that are kept: as many characters take no more.
const VALUE_BYTES: usize = 4 * LONGEST_VALUE;
/// Lengths of the four, each in two bytes.
const LENGTHS: usize = 8;
/// Set in the length of arguments or a result that are values and no text.
const VALUES: u16 = 0x8000;

/// What a script did, for people: passwords in URIs are masked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decision {
    /// Call-ID of the message in work; empty for none.
    pub call_id: Bytes,
    /// Name of the route or the function.
    pub name: Bytes,
    /// Arguments as the script would write them, or the event of a route.
    pub arguments: Bytes,
    /// What it returned, or the text of an error.
    pub result: Bytes,
}

/// A value that a script gives to a function or gets from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// `int`
    Int(i64),
    /// `bool`
    Bool(bool),
    /// `str`
    Str(&'a [u8]),
    /// `None`
    Null,
    /// No result.
    Void,
    /// An object that is not shown.
    Object,
    /// An exception.
    Raised,
}

/// Arguments or a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown<'a> {
    /// Readable already.
    Text(&'a [u8]),
    /// As they were.
    Values(&'a [Value<'a>]),
}

/// What a script did, as it is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// Call-ID of the message in work; empty for none.
    pub call_id: &'a [u8],
    /// Name of the route or the function.
    pub name: &'a [u8],
    /// Arguments of a function, or the event of a route.
    pub arguments: Shown<'a>,
    /// What it returned, or the text of an error.
    pub result: Shown<'a>,
}

/// Packs it into memory of the thread, and lends that.
pub(super) fn packed<R>(made: &Made<'_>, f: impl FnOnce(&[u8]) -> R) -> R {
    thread_local! {
        static PACKED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    PACKED.with_borrow_mut(|out| {
        out.clear();
        pack(out, made);
        f(out)
    })
}

fn pack(out: &mut Vec<u8>, made: &Made<'_>) {
    out.extend_from_slice(&[0; LENGTHS]);
    let call_id = push_cut(out, made.call_id, LONGEST[0]);
    let name = push_cut(out, made.name, LONGEST[1]);
    let arguments = push_shown(out, made.arguments, LONGEST[2]);
    let result = push_shown(out, made.result, LONGEST[3]);
    for (i, length) in [call_id, name, arguments, result].into_iter().enumerate() {
        out[2 * i..2 * i + 2].copy_from_slice(&length.to_be_bytes());
    }
}

fn push_cut(out: &mut Vec<u8>, text: &[u8], longest: usize) -> u16 {
    let cut = &text[..text.len().min(longest)];
    out.extend_from_slice(cut);
    u16::try_from(cut.len()).unwrap_or(0)
}

fn push_shown(out: &mut Vec<u8>, shown: Shown<'_>, longest: usize) -> u16 {
    match shown {
        // The reader would not know a password whose end is missing.
        Shown::Text(text) if text.len() > longest => {
            push_cut(out, &mask::masked_text(text), longest)
        }
        Shown::Text(text) => push_cut(out, text, longest),
        Shown::Values(values) => {
            let start = out.len();
            values.iter().for_each(|value| push_value(out, value));
            u16::try_from(out.len() - start).map_or(0, |length| length | VALUES)
        }
    }
}

fn push_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Int(n) => {
            out.push(b'i');
            out.extend_from_slice(&n.to_be_bytes());
        }
        Value::Bool(yes) => out.push(if *yes { b't' } else { b'f' }),
        Value::Str(text) if text.len() > VALUE_BYTES => {
            push_str(out, b'S', &mask::masked_text(text)[..VALUE_BYTES]);
        }
        Value::Str(text) => push_str(out, b's', text),
        Value::Null => out.push(b'n'),
        Value::Void => out.push(b'v'),
        Value::Object => out.push(b'o'),
        Value::Raised => out.push(b'r'),
    }
}

fn push_str(out: &mut Vec<u8>, tag: u8, text: &[u8]) {
    let [high, low] = u16::try_from(text.len()).unwrap_or(0).to_be_bytes();
    out.extend_from_slice(&[tag, high, low]);
    out.extend_from_slice(text);
}

/// Its Call-ID, without a look at the rest.
pub(super) fn call_id(data: &Bytes) -> Bytes {
    let mut rest = data.clone();
    let lengths = take_lengths(&mut rest);
    take(&mut rest, lengths[0].into())
}

pub(super) fn unpack(data: &Bytes) -> Decision {
    let mut rest = data.clone();
    let [call_id, name, arguments, result] = take_lengths(&mut rest);
    Decision {
        call_id: take(&mut rest, call_id.into()),
        name: take(&mut rest, name.into()),
        arguments: shown(&mut rest, arguments, LONGEST[2]),
        result: shown(&mut rest, result, LONGEST[3]),
    }
}

/// Zeros when the entry was too long for the recording's memory to keep even these.
fn take_lengths(rest: &mut Bytes) -> [u16; 4] {
    match rest.len() {
        0..LENGTHS => [0; 4],
        _ => std::array::from_fn(|_| rest.get_u16()),
    }
}

fn take(rest: &mut Bytes, len: usize) -> Bytes {
    rest.split_to(len.min(rest.len()))
}

fn shown(rest: &mut Bytes, length: u16, longest: usize) -> Bytes {
    let part = take(rest, (length & !VALUES).into());
    let text = match length & VALUES {
        0 => Cow::from(&part[..]),
        _ => values(part).into_bytes().into(),
    };
    let mut masked = mask::masked_text(&text);
    masked.truncate(longest);
    masked.into()
}

/// Values as a script writes them, shortened.
fn values(mut part: Bytes) -> String {
    let mut out = String::new();
    while part.has_remaining() {
        if !out.is_empty() {
            out.push_str(", ");
        }
        let tag = part.get_u8();
        match tag {
            b'i' => out.push_str(
                &part
                    .try_get_i64()
                    .map_or_else(|_| String::new(), |n| n.to_string()),
            ),
            b't' => out.push_str("True"),
            b'f' => out.push_str("False"),
            b's' | b'S' => {
                let len = part.try_get_u16().unwrap_or(0);
                let text = mask::masked_text(&take(&mut part, len.into()));
                push_quoted(&mut out, &String::from_utf8_lossy(&text), tag == b'S');
            }
            b'n' => out.push_str("None"),
            b'o' => out.push_str("..."),
            b'r' => out.push_str("raised"),
            _ => {}
        }
    }
    out
}

fn push_quoted(out: &mut String, text: &str, was_cut: bool) {
    let end = text.char_indices().nth(LONGEST_VALUE).map(|(end, _)| end);
    out.push('"');
    out.extend(text[..end.unwrap_or(text.len())].escape_debug());
    out.push_str(if was_cut || end.is_some() {
        "...\""
    } else {
        "\""
    });
}
