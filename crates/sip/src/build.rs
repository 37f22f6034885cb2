//! Messages that a proxy writes: responses, forwarded messages, ACK and CANCEL.

mod forward;
mod lines;
mod local;
mod text;
mod via;

pub use forward::{Forward, forward_request, forward_response};
pub use local::{LocalError, LocalRequest, ack_for_2xx, local_request};
pub use via::{ViaFix, ViaTarget, response_target};

use crate::build::lines::Lines;
use crate::header::{Header, HeaderId};
use crate::message::Message;

/// A response to `req` (RFC 3261 section 8.2.6).
///
/// Copies every Via (the top one with `via_fix`), From, To, Call-ID and CSeq; the
/// Timestamp into a 100; the Record-Route into 101 to 299 when the request forms a
/// dialog. `to_tag` is added unless To has a tag or the code is 100. `extra` holds
/// header lines with their CRLFs. An empty `reason` becomes [`default_reason`];
/// line ends inside it become blanks.
///
/// `req` may be [`crate::ParseError::partial`]: what it lacks the response lacks.
#[must_use]
pub fn response(
    req: &Message,
    code: u16,
    reason: &[u8],
    to_tag: Option<&[u8]>,
    extra: &[u8],
    body: &[u8],
    via_fix: &ViaFix,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(req.headers_end() + extra.len() + body.len() + 128);
    status_line(code, reason, &mut out);
    let copy_routes = (101..300).contains(&code) && req.method().forms_dialog();
    let mut top_via = Some(via_fix);
    let mut lines = Lines::new(req, &mut out);
    for header in req.headers() {
        match header.id {
            HeaderId::Via => match top_via.take() {
                Some(fix) => fix.write_line(header, &mut lines),
                None => lines.line(header),
            },
            HeaderId::To if code > 100 && req.to().tag.is_none() => match to_tag {
                Some(tag) => lines.line_with(header, [b";tag=", tag]),
                None => lines.line(header),
            },
            HeaderId::From | HeaderId::To | HeaderId::CallId | HeaderId::CSeq => {
                lines.line(header);
            }
            HeaderId::Timestamp if code == 100 => lines.line(header),
            HeaderId::RecordRoute if copy_routes => lines.line(header),
            _ => {}
        }
    }
    drop(lines);
    out.extend_from_slice(extra);
    finish(body, &mut out);
    out
}

/// The ACK for a non-2xx final response (RFC 3261 section 17.1.1.3).
/// `invite_sent` is the INVITE as it left; To comes from the response.
#[must_use]
pub fn ack_for(invite_sent: &Message, response: &Message) -> Vec<u8> {
    let to = response.header(HeaderId::To).map(|h| (response, h));
    hop_by_hop(invite_sent, b"ACK", to, b"")
}

/// The CANCEL for a pending request (RFC 3261 section 9.1). `extra` holds header
/// lines with CRLF, such as Reason (RFC 3326).
#[must_use]
pub fn cancel_for(invite_sent: &Message, extra: &[u8]) -> Vec<u8> {
    let to = invite_sent.header(HeaderId::To).map(|h| (invite_sent, h));
    hop_by_hop(invite_sent, b"CANCEL", to, extra)
}

/// A request of the same transaction as `sent`: its Request-URI, its top Via
/// alone, and in its order its Route, From, Call-ID, Max-Forwards and sequence number.
fn hop_by_hop(
    sent: &Message,
    method: &[u8],
    to: Option<(&Message, &Header)>,
    extra: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + extra.len());
    for part in [
        method,
        b" ",
        sent.uri(),
        b" SIP/2.0\r\nVia: ",
        sent.get(sent.via().span),
        b"\r\n",
    ] {
        out.extend_from_slice(part);
    }
    for header in sent.headers() {
        match header.id {
            HeaderId::To => {
                if let Some((msg, header)) = to {
                    Lines::new(msg, &mut out).line(header);
                }
            }
            HeaderId::CSeq => {
                push_number(&mut out, b"CSeq: ", sent.cseq() as usize);
                for part in [b" ", method, b"\r\n"] {
                    out.extend_from_slice(part);
                }
            }
            HeaderId::Route | HeaderId::From | HeaderId::CallId | HeaderId::MaxForwards => {
                Lines::new(sent, &mut out).line(header);
            }
            _ => {}
        }
    }
    if sent.header(HeaderId::MaxForwards).is_none() {
        out.extend_from_slice(b"Max-Forwards: 70\r\n");
    }
    out.extend_from_slice(extra);
    finish(b"", &mut out);
    out
}

fn status_line(code: u16, reason: &[u8], out: &mut Vec<u8>) {
    push_number(out, b"SIP/2.0 ", usize::from(code));
    out.push(b' ');
    let reason = if reason.is_empty() {
        default_reason(code).as_bytes()
    } else {
        reason
    };
    if reason.iter().any(|b| matches!(b, b'\r' | b'\n')) {
        let one_line = |b: &u8| if matches!(b, b'\r' | b'\n') { b' ' } else { *b };
        out.extend(reason.iter().map(one_line));
    } else {
        out.extend_from_slice(reason);
    }
    out.extend_from_slice(b"\r\n");
}

/// Content-Length, the empty line and the body.
fn finish(body: &[u8], out: &mut Vec<u8>) {
    if body.is_empty() {
        return out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }
    push_number(out, b"Content-Length: ", body.len());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
}

fn push_number(out: &mut Vec<u8>, before: &[u8], number: usize) {
    out.extend_from_slice(before);
    text::push_decimal(out, number as u64);
}

/// The reason phrase that RFC 3261 section 21 and its extensions give a code; for
/// other codes that of their class (`x00`, RFC 3261 section 8.1.3.2).
#[must_use]
pub fn default_reason(code: u16) -> &'static str {
    let find = |code| REASONS.iter().find(|r| r.0 == code).map(|r| r.1);
    find(code)
        .or_else(|| find(code / 100 * 100))
        .unwrap_or("Unknown")
}

const REASONS: &[(u16, &str)] = &[
    (100, "Trying"),
    (180, "Ringing"),
    (181, "Call Is Being Forwarded"),
    (182, "Queued"),
    (183, "Session Progress"),
    (199, "Early Dialog Terminated"),
    (200, "OK"),
    (202, "Accepted"),
    (204, "No Notification"),
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Moved Temporarily"),
    (305, "Use Proxy"),
    (380, "Alternative Service"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Timeout"),
    (410, "Gone"),
    (412, "Conditional Request Failed"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Long"),
    (415, "Unsupported Media Type"),
    (416, "Unsupported URI Scheme"),
    (417, "Unknown Resource-Priority"),
    (420, "Bad Extension"),
    (421, "Extension Required"),
    (422, "Session Interval Too Small"),
    (423, "Interval Too Brief"),
    (424, "Bad Location Information"),
    (425, "Bad Alert Message"),
    (428, "Use Identity Header"),
    (429, "Provide Referrer Identity"),
    (430, "Flow Failed"),
    (433, "Anonymity Disallowed"),
    (436, "Bad Identity Info"),
    (437, "Unsupported Credential"),
    (438, "Invalid Identity Header"),
    (439, "First Hop Lacks Outbound Support"),
    (440, "Max-Breadth Exceeded"),
    (469, "Bad Info Package"),
    (470, "Consent Needed"),
    (480, "Temporarily Unavailable"),
    (481, "Call/Transaction Does Not Exist"),
    (482, "Loop Detected"),
    (483, "Too Many Hops"),
    (484, "Address Incomplete"),
    (485, "Ambiguous"),
    (486, "Busy Here"),
    (487, "Request Terminated"),
    (488, "Not Acceptable Here"),
    (489, "Bad Event"),
    (491, "Request Pending"),
    (493, "Undecipherable"),
    (494, "Security Agreement Required"),
    (500, "Server Internal Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Server Time-out"),
    (505, "Version Not Supported"),
    (513, "Message Too Large"),
    (555, "Push Notification Service Not Supported"),
    (580, "Precondition Failure"),
    (600, "Busy Everywhere"),
    (603, "Decline"),
    (604, "Does Not Exist Anywhere"),
    (606, "Not Acceptable"),
    (607, "Unwanted"),
    (608, "Rejected"),
];
