//! From bytes to [`Message`].
//!
//! One pass over the lines builds the index and notes where the six header fields
//! are that routing needs; those are parsed afterwards. The first thing found wrong
//! is remembered and reading goes on, so that the request can still be answered.

use bytes::{Buf, Bytes};
use memchr::memchr;

use crate::error::{ErrorKind, ParseError, SyntaxError};
use crate::header::{Header, HeaderId};
use crate::http;
use crate::lex::{self, Lines, Step};
use crate::message::{Message, StartLine};
use crate::method::Method;
use crate::nameaddr::NameAddr;
use crate::scan;
use crate::types::Span;
use crate::uri::Uri;
use crate::via::Via;

/// Most header fields that a message may have.
pub const MAX_HEADERS: usize = 512;
/// Longest header field, folded lines included, in bytes.
pub const MAX_LINE: usize = 64 * 1024;
/// Longest message in bytes; offsets are 32 bits wide.
pub const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Room for the header fields of a common request without growing.
const USUAL_HEADERS: usize = 32;

pub(crate) fn parse(mut bytes: Bytes) -> Result<Message, ParseError> {
    skip_crlfs(&mut bytes);
    if bytes.is_empty() {
        return Err(bare_error(ErrorKind::Empty, "Empty message"));
    }
    if bytes.len() > MAX_MESSAGE {
        return Err(bare_error(ErrorKind::TooLarge, "Message too large"));
    }
    let draft = Parser::new(&bytes).run();
    draft.finish(bytes)
}

pub(crate) fn parse_http(mut bytes: Bytes) -> Result<Message, ParseError> {
    skip_crlfs(&mut bytes);
    if bytes.len() > MAX_MESSAGE {
        return Err(bare_error(ErrorKind::TooLarge, "Message too large"));
    }
    Parser::new(&bytes).run_http().finish(bytes)
}

/// CRLFs before the first line are ignored (RFC 3261 section 7.5).
fn skip_crlfs(bytes: &mut Bytes) {
    let n = bytes
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count();
    if n > 0 {
        bytes.advance(n);
    }
}

fn bare_error(kind: ErrorKind, reason: &'static str) -> ParseError {
    ParseError {
        kind,
        status: None,
        reason,
        partial: None,
    }
}

/// Where the header fields are that are parsed at once.
#[derive(Default)]
struct Needed {
    via: Option<Span>,
    from: Option<Span>,
    to: Option<Span>,
    call_id: Option<Span>,
    cseq: Option<Span>,
    content_length: Option<Span>,
    max_forwards: Option<Span>,
}

struct Parser<'a> {
    buf: &'a [u8],
    needed: Needed,
    draft: Draft,
    is_http: bool,
}

/// What was read so far.
struct Draft {
    /// Still without its bytes.
    msg: Message,
    via_ok: bool,
    error: Option<SyntaxError>,
    /// Where the body ends.
    end: usize,
}

impl<'a> Parser<'a> {
    fn new(buf: &'a [u8]) -> Self {
        let msg = Message {
            bytes: Bytes::new(),
            headers: Vec::with_capacity(USUAL_HEADERS),
            start: StartLine::Request {
                method: Method::Other,
                name: Span::default(),
                uri: Span::default(),
            },
            first_line: Span::default(),
            blank: Span::default(),
            via: Via::default(),
            from: NameAddr::default(),
            to: NameAddr::default(),
            call_id: Span::default(),
            cseq: 0,
            cseq_method: Span::default(),
            content_length: None,
        };
        let draft = Draft {
            msg,
            via_ok: false,
            error: None,
            end: buf.len(),
        };
        let needed = Needed::default();
        Self {
            buf,
            needed,
            draft,
            is_http: false,
        }
    }

    fn run(mut self) -> Draft {
        let mut lines = Lines::new(self.buf, 0);
        let start = self.first_line(lines.first_line());
        self.note(start);
        self.index(lines);
        let parts = self.parts();
        self.note(parts);
        let body = self.cut_body();
        self.note(body);
        self.draft
    }

    /// An HTTP request: no header field has to be there, and the framer has cut the body.
    fn run_http(mut self) -> Draft {
        self.is_http = true;
        let mut lines = Lines::new(self.buf, 0);
        let start = self.http_line(lines.first_line());
        self.note(start);
        self.index(lines);
        let length = self.needed.content_length.map(|span| span.of(self.buf));
        self.draft.msg.content_length = length.and_then(|n| lex::parse_content_length(n).ok());
        self.draft
    }

    /// Request line of HTTP (RFC 9112 section 3), up to `end`.
    fn http_line(&mut self, end: usize) -> Result<(), SyntaxError> {
        self.draft.msg.first_line = Span::new(0, end as u32);
        let line = self.buf[..end].trim_ascii_end();
        let (name, rest) = split_space(line).ok_or(BAD_START)?;
        let (uri, version) = split_space(rest).ok_or(BAD_START)?;
        self.draft.msg.start = StartLine::Http {
            name: lex::span_in(line, name),
            uri: lex::span_in(line, uri),
            version: lex::span_in(line, version),
        };
        let is_known = http::version_of(line) == Some(version);
        let is_well = is_known && lex::is_token(name) && !uri.is_empty() && lex::is_uri_text(uri);
        is_well.then_some(()).ok_or(BAD_START)
    }

    /// Keeps the first thing that was wrong.
    fn note(&mut self, result: Result<(), SyntaxError>) {
        if let Err(e) = result {
            self.draft.error.get_or_insert(e);
        }
    }

    /// Request-Line or Status-Line (RFC 3261 sections 7.1 and 7.2), up to `end`.
    fn first_line(&mut self, end: usize) -> Result<(), SyntaxError> {
        self.draft.msg.first_line = Span::new(0, end as u32);
        let line = &self.buf[..end];
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if starts_with_version(line) {
            self.status_line(line)
        } else {
            self.request_line(line)
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), SyntaxError> {
        let (name, rest) = split_space(line).ok_or(BAD_START)?;
        let (uri, version) = split_space(rest).ok_or(BAD_START)?;
        self.draft.msg.start = StartLine::Request {
            method: Method::of(name),
            name: lex::span_in(line, name),
            uri: lex::span_in(line, uri),
        };
        if !lex::is_token(name) {
            return Err(BAD_START);
        }
        check_version(version)?;
        match Uri::parse(uri) {
            // Header parameters are not for Request-URIs (RFC 3261 section 19.1.1, table 1).
            Ok(uri) if uri.headers.is_empty() => Ok(()),
            Ok(_) => Err(error(ErrorKind::RequestUri, "Headers in Request-URI")),
            Err(e) => Err(error(ErrorKind::RequestUri, e.reason)),
        }
    }

    fn status_line(&mut self, line: &[u8]) -> Result<(), SyntaxError> {
        let nothing = &line[line.len()..];
        let (version, rest) = split_space(line).unwrap_or((line, nothing));
        let (code, reason) = split_space(rest).unwrap_or((rest, nothing));
        let number = lex::decimal(code, 699).filter(|&n| n >= 100 && code.len() == 3);
        self.draft.msg.start = StartLine::Response {
            code: number.unwrap_or(0) as u16,
            reason: lex::span_in(line, reason),
            method: Method::Other,
        };
        check_version(version)?;
        number
            .map(drop)
            .ok_or(error(ErrorKind::Status, "Malformed status code"))
    }

    /// Indexes the header fields up to the empty line.
    fn index(&mut self, mut lines: Lines<'_>) {
        loop {
            match lines.next_line() {
                Ok(Step::Line(header)) => {
                    if self.draft.msg.headers.len() == MAX_HEADERS {
                        let kind = ErrorKind::TooManyHeaders;
                        self.note(Err(error(kind, "Too many header fields")));
                        break;
                    }
                    self.add(header);
                }
                Ok(Step::End(start, end)) => {
                    self.draft.msg.blank = Span::new(start as u32, end as u32);
                    // It is no line end here, but may be one to whoever is next: such
                    // a message would hold other header fields for them.
                    if lines.stray_cr() {
                        self.note(Err(error(ErrorKind::HeaderLine, "CR without LF")));
                    }
                    return;
                }
                Err(e) => {
                    self.note(Err(e));
                    if e.kind == ErrorKind::Unterminated {
                        break;
                    }
                }
            }
        }
        let end = self.buf.len() as u32;
        self.draft.msg.blank = Span::new(end, end);
    }

    fn add(&mut self, header: Header) {
        if header.full.len() > MAX_LINE {
            let kind = ErrorKind::TooLarge;
            return self.note(Err(error(kind, "Header field too long")));
        }
        self.draft.msg.headers.push(header);
        if self.is_http && header.id != HeaderId::ContentLength {
            return;
        }
        let slot = match header.id {
            HeaderId::Via => {
                self.needed.via.get_or_insert(header.value);
                return;
            }
            HeaderId::From => &mut self.needed.from,
            HeaderId::To => &mut self.needed.to,
            HeaderId::CallId => &mut self.needed.call_id,
            HeaderId::CSeq => &mut self.needed.cseq,
            HeaderId::ContentLength => &mut self.needed.content_length,
            HeaderId::MaxForwards => &mut self.needed.max_forwards,
            _ => return,
        };
        if slot.is_some() {
            let kind = ErrorKind::Duplicate(header.id);
            let reason = "Several header fields where one is allowed";
            return self.note(Err(error(kind, reason)));
        }
        *slot = Some(header.value);
    }

    /// Parses what routing needs; all of it, even when something was wrong before.
    fn parts(&mut self) -> Result<(), SyntaxError> {
        let via = self.parse_via();
        let (from, to) = (self.needed.from, self.needed.to);
        let from = parse_addr(self.buf, from, HeaderId::From).map(|a| self.draft.msg.from = a);
        let to = parse_addr(self.buf, to, HeaderId::To).map(|a| self.draft.msg.to = a);
        let call_id = self.parse_call_id();
        let cseq = self.parse_cseq();
        via.and(from).and(to).and(call_id).and(cseq)
    }

    fn parse_via(&mut self) -> Result<(), SyntaxError> {
        let span = self.needed.via.ok_or(missing(HeaderId::Via))?;
        let (via, params) = Via::parse_lenient(self.buf, span)?;
        self.draft.msg.via = via;
        self.draft.via_ok = true;
        params
    }

    fn parse_call_id(&mut self) -> Result<(), SyntaxError> {
        self.draft.msg.call_id = self.needed.call_id.ok_or(missing(HeaderId::CallId))?;
        if self.draft.msg.call_id.is_empty() {
            return Err(error(ErrorKind::Header(HeaderId::CallId), "Empty Call-ID"));
        }
        Ok(())
    }

    /// A number below 2**31 and the method of the request (RFC 3261 section 8.1.1.5).
    fn parse_cseq(&mut self) -> Result<(), SyntaxError> {
        let span = self.needed.cseq.ok_or(missing(HeaderId::CSeq))?;
        let malformed = error(ErrorKind::Header(HeaderId::CSeq), "Malformed CSeq");
        let value = span.of(self.buf);
        let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = value.split_at(digits);
        let name = lex::trim_start(rest);
        if name.len() == rest.len() || !lex::is_token(name) {
            return Err(malformed);
        }
        let span = lex::span_in(self.buf, name);
        let of_cseq = Method::of(name);
        self.draft.msg.cseq = lex::decimal(number, i32::MAX as u32).ok_or(malformed)?;
        self.draft.msg.cseq_method = span;
        match &mut self.draft.msg.start {
            StartLine::Response { method, .. } => *method = of_cseq,
            StartLine::Http { .. } => {}
            StartLine::Request { name, .. } => {
                if name.of(self.buf) != span.of(self.buf) {
                    let reason = "CSeq method is not the request method";
                    return Err(error(ErrorKind::MethodMismatch, reason));
                }
            }
        }
        Ok(())
    }

    /// Cuts the message after its body (RFC 3261 section 18.3).
    fn cut_body(&mut self) -> Result<(), SyntaxError> {
        let Some(span) = self.needed.content_length else {
            return Ok(());
        };
        let length = lex::parse_content_length(span.of(self.buf))?;
        self.draft.msg.content_length = Some(length);
        let end = self.draft.msg.body_offset() + length as usize;
        if end > self.buf.len() {
            return Err(error(
                ErrorKind::Truncated,
                "Body shorter than Content-Length",
            ));
        }
        self.draft.end = end;
        Ok(())
    }
}

impl Draft {
    fn finish(mut self, mut bytes: Bytes) -> Result<Message, ParseError> {
        bytes.truncate(self.end);
        self.msg.bytes = bytes;
        let Some(e) = self.error else {
            return Ok(self.msg);
        };
        let answerable = self.msg.is_answerable();
        let status = match e.kind {
            ErrorKind::Version => 505,
            ErrorKind::TooLarge => 513,
            _ => 400,
        };
        Err(ParseError {
            kind: e.kind,
            status: answerable.then_some(status),
            reason: e.reason,
            partial: (answerable && self.via_ok).then(|| Box::new(self.msg)),
        })
    }
}

/// The version is a token of any case (RFC 3261 section 7.1).
fn starts_with_version(line: &[u8]) -> bool {
    line.get(..4)
        .is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/"))
}

fn check_version(version: &[u8]) -> Result<(), SyntaxError> {
    if version == b"SIP/2.0" || version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Ok(());
    }
    let numbers = version.get(4..).unwrap_or_default();
    let (major, minor) = match memchr(b'.', numbers) {
        Some(dot) => (&numbers[..dot], &numbers[dot + 1..]),
        None => return Err(BAD_START),
    };
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if starts_with_version(version) && is_number(major) && is_number(minor) {
        return Err(error(ErrorKind::Version, "Version not supported"));
    }
    Err(BAD_START)
}

fn parse_addr(buf: &[u8], span: Option<Span>, id: HeaderId) -> Result<NameAddr, SyntaxError> {
    let span = span.ok_or(missing(id))?;
    NameAddr::parse(buf, span).map_err(|e| error(ErrorKind::Header(id), e.reason))
}

/// What is before the first space, and after it.
fn split_space(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let n = scan::find_byte(text, b' ')?;
    Some((&text[..n], &text[n + 1..]))
}

const BAD_START: SyntaxError = error(ErrorKind::StartLine, "Malformed first line");

const fn missing(id: HeaderId) -> SyntaxError {
    error(ErrorKind::Missing(id), "Mandatory header field missing")
}

const fn error(kind: ErrorKind, reason: &'static str) -> SyntaxError {
    SyntaxError::new(kind, reason)
}
