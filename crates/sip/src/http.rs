//! HTTP/1.x requests on SIP's streams (RFC 9112): which they are, and where they end.
//!
//! A request whose first line ends in `HTTP/1.0` or `HTTP/1.1` is one. Its body is as long
//! as Content-Length says, or chunked; without either there is none. What could be read in
//! two ways, so that a proxy before us might see other requests than we do (RFC 9112
//! section 11.2), is refused.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use crate::error::ErrorKind;
use crate::frame::FrameError;
use crate::lex::{Lines, Step};

/// Longest line between chunks, its end included: the size and extensions nobody uses.
const MAX_CHUNK_LINE: usize = 256;
/// Bytes of all trailer fields, which are dropped.
const MAX_TRAILER: usize = 8192;

/// Whether a header block is that of an HTTP/1.x request.
pub(crate) fn is_request(head: &[u8]) -> bool {
    let end = memchr(b'\n', head).unwrap_or(head.len());
    version_of(head[..end].trim_ascii_end()).is_some()
}

/// The `HTTP/1.0` or `HTTP/1.1` that a first line ends in.
pub(crate) fn version_of(line: &[u8]) -> Option<&[u8]> {
    let at = memchr::memrchr(b' ', line)?;
    let version = &line[at + 1..];
    matches!(version, b"HTTP/1.0" | b"HTTP/1.1").then_some(version)
}

/// How the end of a request is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Length {
    /// That many bytes after the header block.
    Bytes(usize),
    /// Chunks (RFC 9112 section 7.1).
    Chunked,
}

/// The length of the body of a request (RFC 9112 section 6.3).
pub(crate) fn body_length(head: &[u8]) -> Result<Length, FrameError> {
    let start = memchr(b'\n', head).map_or(head.len(), |n| n + 1);
    let mut lines = Lines::new(head, start);
    let (mut length, mut chunked) = (None, false);
    loop {
        let line = match lines.next_line() {
            Ok(Step::Line(line)) => line,
            Ok(Step::End(..)) => break,
            Err(_) => return Err(refusal(400, "Malformed header field")),
        };
        let (name, value) = (line.name.of(head), line.value.of(head));
        if head.get(line.name.end as usize) != Some(&b':') {
            // RFC 9112 section 5.1
            return Err(refusal(400, "Blank before a colon"));
        }
        if name.eq_ignore_ascii_case(b"Content-Length") {
            let number = crate::lex::parse_content_length(value);
            let number = number.map_err(|_| refusal(400, "Malformed Content-Length"))?;
            if length.replace(number as usize).is_some() {
                return Err(refusal(400, "Several Content-Length header fields"));
            }
        } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
            if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(refusal(501, "Transfer-Encoding other than chunked"));
            }
            chunked = true;
        }
    }
    match (length, chunked) {
        (Some(_), true) => Err(refusal(400, "Content-Length and Transfer-Encoding")),
        (_, true) => Ok(Length::Chunked),
        (length, false) => Ok(Length::Bytes(length.unwrap_or(0))),
    }
}

/// The error of a stream that speaks HTTP.
pub(crate) const fn refusal(status: u16, reason: &'static str) -> FrameError {
    FrameError {
        kind: match status {
            413 | 431 => ErrorKind::TooLarge,
            _ => ErrorKind::HeaderLine,
        },
        status: Some(status),
        reason,
        partial: None,
        is_http: true,
    }
}

/// What comes next in a chunked body.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Size,
    Data(usize),
    DataEnd,
    Trailer,
}

/// A request with a chunked body on its way in.
#[derive(Debug)]
pub(crate) struct Chunks {
    /// Header block and data so far.
    message: BytesMut,
    stage: Stage,
    trailer: usize,
}

impl Chunks {
    /// A request of which the header block has come.
    pub(crate) const fn new(head: BytesMut) -> Self {
        Self {
            message: head,
            stage: Stage::Size,
            trailer: 0,
        }
    }

    /// Bytes taken so far.
    pub(crate) fn len(&self) -> usize {
        self.message.len()
    }

    /// Takes what it can out of `buf`; the header block with the data as one body once the
    /// last chunk has come.
    pub(crate) fn step(
        &mut self,
        buf: &mut BytesMut,
        max_message: usize,
    ) -> Result<Option<Bytes>, FrameError> {
        loop {
            match self.stage {
                Stage::Data(left) => {
                    let count = left.min(buf.len());
                    self.message.extend_from_slice(&buf[..count]);
                    buf.advance(count);
                    if count < left {
                        self.stage = Stage::Data(left - count);
                        return Ok(None);
                    }
                    self.stage = Stage::DataEnd;
                }
                stage => {
                    let Some(line) = take_line(buf)? else {
                        return Ok(None);
                    };
                    if self.line(stage, &line, max_message)? {
                        return Ok(Some(std::mem::take(&mut self.message).freeze()));
                    }
                }
            }
        }
    }

    /// A line between the data; true after the last one.
    fn line(&mut self, stage: Stage, line: &[u8], max: usize) -> Result<bool, FrameError> {
        match stage {
            Stage::Size => {
                let size = chunk_size(line).ok_or(refusal(400, "Malformed chunk"))?;
                if self.message.len().saturating_add(size) > max {
                    return Err(refusal(413, "Content Too Large"));
                }
                self.stage = match size {
                    0 => Stage::Trailer,
                    size => Stage::Data(size),
                };
            }
            Stage::DataEnd if line.is_empty() => self.stage = Stage::Size,
            Stage::Trailer if line.is_empty() => return Ok(true),
            Stage::Trailer => {
                self.trailer += line.len();
                if self.trailer > MAX_TRAILER {
                    return Err(refusal(431, "Request Header Fields Too Large"));
                }
            }
            Stage::DataEnd | Stage::Data(_) => return Err(refusal(400, "Malformed chunk")),
        }
        Ok(false)
    }
}

/// One line without its end. A bare LF ends none: who reads on at another place would see
/// another request.
fn take_line(buf: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
    let Some(end) = memchr(b'\n', &buf[..buf.len().min(MAX_CHUNK_LINE)]) else {
        return match buf.len() {
            n if n < MAX_CHUNK_LINE => Ok(None),
            _ => Err(refusal(400, "Malformed chunk")),
        };
    };
    let mut line = buf.split_to(end + 1);
    line.truncate(end);
    if line.last() != Some(&b'\r') {
        return Err(refusal(400, "Malformed chunk"));
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

/// The size before a chunk, extensions left out.
fn chunk_size(line: &[u8]) -> Option<usize> {
    let digits = line.split(|b| *b == b';').next()?.trim_ascii_end();
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
