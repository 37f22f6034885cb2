//! Messages as people may see them: credentials become `x`s of the same number.
//!
//! What goes on the wire never comes here. Lengths stay, so that Content-Length and
//! the frames of a capture file stay right.

use std::ops::Range;

/// Header fields whose parameters prove who somebody is (RFC 3261 sections 22.4 and 20.6, RFC 8760).
const CREDENTIALS: [&[u8]; 4] = [
    b"Authorization",
    b"Proxy-Authorization",
    b"Authentication-Info",
    b"Proxy-Authentication-Info",
];
/// Parameters of Digest that are computed from the password.
const PROOFS: [&[u8]; 2] = [b"response", b"rspauth"];
const MASK: u8 = b'x';

/// A copy of a message without credentials: digest responses, credentials of other
/// schemes, passwords in URIs, and keys of media in SDP (RFC 4566 section 5.12, RFC 4568,
/// RFC 4567, RFC 8839).
#[must_use]
pub fn masked(message: &[u8]) -> Vec<u8> {
    let mut out = message.to_vec();
    let mut at = 0;
    while at < message.len() {
        let end = field_end(message, at);
        let line = &message[at..end];
        if line.trim_ascii().is_empty() {
            break;
        }
        mask_field(&mut out[at..end]);
        at = end;
    }
    for line in lines(message, at) {
        mask_sdp(&mut out[line]);
    }
    out
}

/// The same for a text that is no message, such as an argument: passwords in URIs.
#[must_use]
pub fn masked_text(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    mask_passwords(&mut out);
    out
}

/// End of the header field that begins at `at`, with the lines that continue it.
fn field_end(message: &[u8], at: usize) -> usize {
    let mut end = line_end(message, at);
    while matches!(message.get(end), Some(b' ' | b'\t')) && end > at {
        end = line_end(message, end);
    }
    end
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n + 1)
}

fn lines(bytes: &[u8], mut at: usize) -> impl Iterator<Item = Range<usize>> {
    std::iter::from_fn(move || {
        let start = at;
        at = line_end(bytes, start);
        (start < bytes.len()).then_some(start..at)
    })
}

fn mask_field(field: &mut [u8]) {
    if let Some(colon) = memchr::memchr(b':', field) {
        let name = field[..colon].trim_ascii();
        if CREDENTIALS.iter().any(|n| n.eq_ignore_ascii_case(name)) {
            mask_credentials(&mut field[colon + 1..]);
        }
    }
    mask_passwords(field);
}

fn mask_credentials(value: &mut [u8]) {
    let start = value.len() - value.trim_ascii_start().len();
    let scheme_end = (start..value.len())
        .find(|i| value[*i].is_ascii_whitespace())
        .unwrap_or(value.len());
    let scheme = &value[start..scheme_end];
    // The Info fields have no scheme: they begin with a parameter.
    if scheme.eq_ignore_ascii_case(b"Digest") || scheme.contains(&b'=') {
        mask_proofs(value);
    } else {
        fill(&mut value[scheme_end..]);
    }
}

fn mask_proofs(value: &mut [u8]) {
    let mut at = 0;
    while let Some(equals) = memchr::memchr(b'=', &value[at..]).map(|n| at + n) {
        let name = value[at..equals]
            .rsplit(|b| matches!(b, b',' | b' ' | b'\t' | b'\r' | b'\n'))
            .find(|part| !part.is_empty())
            .unwrap_or_default();
        let proves = PROOFS.iter().any(|n| n.eq_ignore_ascii_case(name));
        let Range { start, end } = value_after(value, equals + 1);
        if proves {
            fill(&mut value[start..end]);
        }
        at = (end + 1).min(value.len());
    }
}

/// The value of a parameter: between quotes, or up to a comma or white space.
fn value_after(bytes: &[u8], mut at: usize) -> Range<usize> {
    while matches!(bytes.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    let (start, stop): (usize, fn(u8) -> bool) = match bytes.get(at) {
        Some(b'"') => (at + 1, |b| b == b'"'),
        _ => (at, |b| b == b',' || b.is_ascii_whitespace()),
    };
    let end = (start..bytes.len()).find(|i| stop(bytes[*i]));
    let start = start.min(bytes.len());
    start..end.unwrap_or(bytes.len())
}

/// `sip:user:password@host` (RFC 3261 section 19.1.1).
fn mask_passwords(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(colon) = memchr::memchr(b':', &bytes[at..]).map(|n| at + n) {
        at = colon + 1;
        let before = &bytes[..colon];
        let is_uri = [b"sip".as_slice(), b"sips"].iter().any(|scheme| {
            before.len() >= scheme.len()
                && before[before.len() - scheme.len()..].eq_ignore_ascii_case(scheme)
        });
        if !is_uri {
            continue;
        }
        let ends =
            |b: &u8| matches!(b, b'@' | b'<' | b'>' | b'"' | b',') || b.is_ascii_whitespace();
        let Some(end) = bytes[at..].iter().position(ends).map(|n| at + n) else {
            continue;
        };
        if bytes[end] == b'@'
            && let Some(password) = memchr::memchr(b':', &bytes[at..end])
        {
            fill(&mut bytes[at + password + 1..end]);
        }
    }
}

fn mask_sdp(line: &mut [u8]) {
    if line.starts_with(b"a=crypto:") {
        let mut at = 0;
        while let Some(found) = memchr::memmem::find(&line[at..], b"inline:") {
            let start = at + found + b"inline:".len();
            let ends = |b: &u8| matches!(b, b'|' | b';') || b.is_ascii_whitespace();
            at = line[start..]
                .iter()
                .position(ends)
                .map_or(line.len(), |n| start + n);
            fill(&mut line[start..at]);
        }
    } else if line.starts_with(b"a=ice-pwd:") {
        fill(&mut line[b"a=ice-pwd:".len()..]);
    } else if line.starts_with(b"a=key-mgmt:") || line.starts_with(b"k=") {
        // What follows the method: `mikey AQ...`, `clear:...`.
        let start = b"a=key-mgmt:".len().min(line.len()) * usize::from(line[0] == b'a');
        let end = line[start..].iter().position(|b| matches!(b, b' ' | b':'));
        if let Some(n) = end {
            fill(&mut line[start + n + 1..]);
        }
    }
}

fn fill(bytes: &mut [u8]) {
    for b in bytes.iter_mut().filter(|b| !b.is_ascii_whitespace()) {
        *b = MASK;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(head: &str, body: &str) -> String {
        let message = format!("INVITE sip:b@h SIP/2.0\r\n{head}\r\n\r\n{body}");
        let out = masked(message.as_bytes());
        assert_eq!(out.len(), message.len());
        let out = String::from_utf8(out).unwrap();
        out.strip_prefix("INVITE sip:b@h SIP/2.0\r\n")
            .unwrap()
            .to_owned()
    }

    #[test]
    fn the_digest_response_is_masked_and_nothing_else() {
        for (given, expected) in [
            (
                "Authorization: Digest username=\"a\", nonce=\"n\", response=\"0123\", qop=auth",
                "Authorization: Digest username=\"a\", nonce=\"n\", response=\"xxxx\", qop=auth",
            ),
            (
                "proxy-authorization :\r\n  digest uri=\"sip:a=b\",\r\n\tResponse = abcd",
                "proxy-authorization :\r\n  digest uri=\"sip:a=b\",\r\n\tResponse = xxxx",
            ),
            (
                "Authentication-Info: rspauth=\"ff\", cnonce=\"response=1\"",
                "Authentication-Info: rspauth=\"xx\", cnonce=\"response=1\"",
            ),
            ("Authorization: Basic YTpi", "Authorization: Basic xxxx"),
            (
                "Authorization: Bearer\r\n a.b.c",
                "Authorization: Bearer\r\n xxxxx",
            ),
            ("Authorization:", "Authorization:"),
            ("Subject: response=\"1\"", "Subject: response=\"1\""),
        ] {
            assert_eq!(shown(given, ""), format!("{expected}\r\n\r\n"));
        }
    }

    #[test]
    fn passwords_of_uris() {
        for (given, expected) in [
            (
                "From: <sip:a:secret@h>;tag=1",
                "From: <sip:a:xxxxxx@h>;tag=1",
            ),
            (
                "Contact: <sips:a@h:5061>, <SIP:b:pw@h>",
                "Contact: <sips:a@h:5061>, <SIP:b:xx@h>",
            ),
            (
                "Route: <sip:h:5060;lr>, <sip:a@b>",
                "Route: <sip:h:5060;lr>, <sip:a@b>",
            ),
        ] {
            assert_eq!(shown(given, ""), format!("{expected}\r\n\r\n"));
        }
        assert_eq!(masked_text(b"\"sip:a:pw@h\""), b"\"sip:a:xx@h\"");
    }

    #[test]
    fn keys_of_media() {
        let body = "v=0\r\nk=clear:abc\r\na=crypto:1 AES_CM_128 inline:WVN=|2^20;inline:AB \r\n\
             a=ice-pwd:12ab\r\na=key-mgmt:mikey AQAF\r\na=rtpmap:0 PCMU/8000\r\nk=prompt\r\n";
        let expected = "v=0\r\nk=clear:xxx\r\na=crypto:1 AES_CM_128 inline:xxxx|2^20;inline:xx \r\n\
             a=ice-pwd:xxxx\r\na=key-mgmt:mikey xxxx\r\na=rtpmap:0 PCMU/8000\r\nk=prompt\r\n";
        assert_eq!(
            shown("Subject: x", body),
            format!("Subject: x\r\n\r\n{expected}")
        );
    }

    #[test]
    fn any_bytes_keep_their_length() {
        for text in [
            &b""[..],
            b"\r\n",
            b"Authorization",
            b"Authorization: Digest response",
            b"\n\nk=",
            b"\n\na=key-mgmt:",
        ] {
            assert_eq!(masked(text).len(), text.len());
        }
    }
}
