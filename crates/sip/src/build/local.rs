//! Requests of our own (RFC 3261 section 8.1.1), and the ACK for a 2xx (section 13.2.2.4).

use std::fmt;

use super::{finish, push_number};
use crate::header::HeaderId;
use crate::message::Message;
use crate::nameaddr::parse_nameaddr;
use crate::uri::Uri;

/// What a request of our own is made of.
#[derive(Clone, Copy, Debug)]
pub struct LocalRequest<'a> {
    /// Method.
    pub method: &'a [u8],
    /// Request-URI.
    pub uri: &'a [u8],
    /// Header lines with their CRLFs, From and To among them. Call-ID, CSeq, the From
    /// tag and Max-Forwards are made up where they are missing; Via and
    /// Content-Length are ours.
    pub headers: &'a [u8],
    /// Body; it needs a Content-Type among the headers.
    pub body: &'a [u8],
    /// Our Via with CRLF.
    pub via: &'a [u8],
    /// Tag for a From without one.
    pub from_tag: &'a [u8],
    /// Call-ID where the headers have none.
    pub call_id: &'a [u8],
    /// Value of User-Agent where the headers have none; empty for none.
    pub user_agent: &'a [u8],
}

/// Why a request was not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalError {
    /// The method is no token.
    Method,
    /// The Request-URI is none.
    Uri,
    /// A header line without a name, a colon or a CRLF.
    Header,
    /// There is no From.
    From,
    /// There is no To.
    To,
    /// CSeq is no number, or of another method.
    CSeq,
    /// There is a body and no Content-Type.
    ContentType,
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the method is no token",
            Self::Uri => "malformed request-URI",
            Self::Header => "malformed header line; each ends with CRLF",
            Self::From => "From is missing",
            Self::To => "To is missing",
            Self::CSeq => "malformed CSeq, or one of another method",
            Self::ContentType => "there is a body, but no Content-Type",
        })
    }
}

impl std::error::Error for LocalError {}

/// Sequence number where the headers have none; Kamailio's.
const CSEQ: &[u8] = b"10";

/// The headers that have a place of their own.
#[derive(Default)]
struct Known<'a> {
    to: Option<&'a [u8]>,
    from: Option<&'a [u8]>,
    call_id: Option<&'a [u8]>,
    cseq: Option<&'a [u8]>,
    max_forwards: Option<&'a [u8]>,
    has_type: bool,
    has_agent: bool,
    rest: Vec<&'a [u8]>,
}

/// The bytes of a request of our own.
///
/// # Errors
/// See [`LocalError`].
pub fn local_request(request: &LocalRequest<'_>) -> Result<Vec<u8>, LocalError> {
    if request.method.is_empty() || !request.method.iter().all(|b| is_token(*b)) {
        return Err(LocalError::Method);
    }
    let blank = |b: &u8| b.is_ascii_whitespace() || b.is_ascii_control();
    if request.uri.iter().any(blank) || Uri::parse(request.uri).is_err() {
        return Err(LocalError::Uri);
    }
    let known = Known::read(request.headers)?;
    let to = known.to.ok_or(LocalError::To)?;
    let from = known.from.ok_or(LocalError::From)?;
    if !request.body.is_empty() && !known.has_type {
        return Err(LocalError::ContentType);
    }
    let tagged = parse_nameaddr(from)
        .map_err(|_| LocalError::From)?
        .params()
        .any(|(name, value)| name.eq_ignore_ascii_case(b"tag") && value.is_some());
    let cseq = sequence(known.cseq, request.method)?;
    let mut out = Vec::with_capacity(512 + request.headers.len() + request.body.len());
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    put(&[
        request.method,
        b" ",
        request.uri,
        b" SIP/2.0\r\n",
        request.via,
    ]);
    put(&[b"To: ", to, b"\r\nFrom: ", from]);
    if !tagged {
        put(&[b";tag=", request.from_tag]);
    }
    put(&[b"\r\nCSeq: ", cseq, b" ", request.method]);
    put(&[b"\r\nCall-ID: ", known.call_id.unwrap_or(request.call_id)]);
    put(&[
        b"\r\nMax-Forwards: ",
        known.max_forwards.unwrap_or(b"70"),
        b"\r\n",
    ]);
    if !known.has_agent && !request.user_agent.is_empty() {
        put(&[b"User-Agent: ", request.user_agent, b"\r\n"]);
    }
    put(&known.rest);
    finish(request.body, &mut out);
    Ok(out)
}

impl<'a> Known<'a> {
    fn read(headers: &'a [u8]) -> Result<Self, LocalError> {
        let mut known = Self::default();
        let mut left = headers;
        while !left.is_empty() {
            let (line, after) = left.split_at(line_end(left)?);
            left = after;
            let colon = memchr::memchr(b':', line).ok_or(LocalError::Header)?;
            let name = line[..colon].trim_ascii_end();
            if name.is_empty() || !name.iter().all(|b| is_token(*b)) {
                return Err(LocalError::Header);
            }
            let value = line[colon + 1..].trim_ascii();
            match HeaderId::of(name) {
                HeaderId::To => known.to = Some(value),
                HeaderId::From => known.from = Some(value),
                HeaderId::CallId => known.call_id = Some(value),
                HeaderId::CSeq => known.cseq = Some(value),
                HeaderId::MaxForwards => known.max_forwards = Some(value),
                HeaderId::Via | HeaderId::ContentLength => {}
                id => {
                    known.has_type |= id == HeaderId::ContentType;
                    known.has_agent |= id == HeaderId::UserAgent;
                    known.rest.push(line);
                }
            }
        }
        Ok(known)
    }
}

/// Length of the first header line, its continuation lines and CRLF included.
fn line_end(text: &[u8]) -> Result<usize, LocalError> {
    let mut from = 0;
    loop {
        let end = from + memchr::memchr(b'\n', &text[from..]).ok_or(LocalError::Header)?;
        let stray = |b: &u8| matches!(b, b'\r' | 0);
        if end == from || text[end - 1] != b'\r' || text[from..end - 1].iter().any(stray) {
            return Err(LocalError::Header);
        }
        from = end + 1;
        if !matches!(text.get(from), Some(b' ' | b'\t')) {
            return Ok(from);
        }
    }
}

fn sequence<'a>(cseq: Option<&'a [u8]>, method: &[u8]) -> Result<&'a [u8], LocalError> {
    let Some(cseq) = cseq else { return Ok(CSEQ) };
    let end = cseq.iter().position(|b| !b.is_ascii_digit());
    let (number, rest) = cseq.split_at(end.unwrap_or(0));
    match rest.trim_ascii() == method && !number.is_empty() && number.len() < 11 {
        true => Ok(number),
        false => Err(LocalError::CSeq),
    }
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}

/// The ACK for a 2xx to our own INVITE, and the URI of its next hop (RFC 3261
/// sections 12.1.2 and 13.2.2.4). `via` is our Via with CRLF.
#[must_use]
pub fn ack_for_2xx(invite_sent: &Message, response: &Message, via: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let contact = response
        .values(HeaderId::Contact)
        .next()
        .and_then(|span| parse_nameaddr(response.get(span)).ok());
    let target = contact.map_or(invite_sent.uri(), |c| c.uri);
    let mut routes: Vec<&[u8]> = response
        .values(HeaderId::RecordRoute)
        .map(|span| response.get(span))
        .collect();
    routes.reverse();
    let first = routes.first().and_then(|r| parse_nameaddr(r).ok());
    let first = first.map(|r| r.uri);
    let strict = first.filter(|uri| {
        let uri = Uri::parse(uri);
        uri.is_ok_and(|uri| uri.param(b"lr").is_none())
    });
    let hop = first.unwrap_or(target).to_vec();
    let mut out = Vec::with_capacity(512);
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    put(&[b"ACK ", strict.unwrap_or(target), b" SIP/2.0\r\n", via]);
    for route in routes.iter().skip(usize::from(strict.is_some())) {
        put(&[b"Route: ", route, b"\r\n"]);
    }
    if strict.is_some() {
        put(&[b"Route: <", target, b">\r\n"]);
    }
    for (msg, id, name) in [
        (invite_sent, HeaderId::From, &b"From: "[..]),
        (response, HeaderId::To, b"To: "),
        (invite_sent, HeaderId::CallId, b"Call-ID: "),
    ] {
        put(&[name, msg.value(id).unwrap_or_default(), b"\r\n"]);
    }
    push_number(&mut out, b"CSeq: ", invite_sent.cseq() as usize);
    out.extend_from_slice(b" ACK\r\nMax-Forwards: 70\r\n");
    finish(b"", &mut out);
    (out, hop)
}
