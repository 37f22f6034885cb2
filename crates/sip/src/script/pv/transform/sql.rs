//! Values written for others to read: `{sql.val}`, `{val.json}`.

use super::super::super::context::Value;

/// A value of SQL: a number as it is, text in apostrophes, `null` for none.
pub(super) fn value(value: &Value<'_>, null: &[u8]) -> Vec<u8> {
    match value {
        Value::Null => null.to_vec(),
        Value::Int(n) => n.to_string().into_bytes(),
        Value::Str(text) | Value::StrInt(text, _) => {
            let mut out = vec![b'\''];
            for c in text.iter() {
                match c {
                    b'\'' | b'"' | b'\\' => out.extend([b'\\', *c]),
                    0 => out.extend(b"\\0"),
                    _ => out.push(*c),
                }
            }
            out.push(b'\'');
            out
        }
    }
}

/// A value of JSON (RFC 8259 section 7), without the quotation marks around text unless `whole`;
/// none is empty text.
pub(super) fn json(value: &Value<'_>, whole: bool) -> Vec<u8> {
    let text = match value {
        Value::Int(n) => return n.to_string().into_bytes(),
        Value::Null => &b""[..],
        Value::Str(text) | Value::StrInt(text, _) => text,
    };
    let mut out = Vec::with_capacity(text.len() + 2);
    if whole {
        out.push(b'"');
    }
    for c in text {
        match c {
            b'"' | b'\\' => out.extend([b'\\', *c]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x08 => out.extend(b"\\b"),
            0x0c => out.extend(b"\\f"),
            c if *c < b' ' => out.extend(format!("\\u{c:04x}").bytes()),
            c => out.push(*c),
        }
    }
    if whole {
        out.push(b'"');
    }
    out
}
