//! WebSocket frames of a server (RFC 6455 section 5), without I/O.
//!
//! [`Reader`] takes the bytes of a client and gives whole messages and control frames;
//! [`frame`] and [`message`] make what is sent. What comes out depends on the bytes alone,
//! not on how they were split.

use bytes::{Buf, Bytes, BytesMut};

/// What a client sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A text or binary message, whole.
    Message(Bytes),
    /// Answer with a pong of the same data.
    Ping(Bytes),
    /// The answer to a ping of ours, or one that nobody asked for.
    Pong(Bytes),
    /// The other side ends the connection, with this status code if it gave one.
    Close(Option<u16>),
}

/// What was wrong with the frames; the connection is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Status code to close with (RFC 6455 section 7.4.1).
    pub code: u16,
    /// One line for the log.
    pub reason: &'static str,
}

const fn protocol(reason: &'static str) -> Fault {
    Fault { code: 1002, reason }
}

const NOT_UTF8: Fault = Fault {
    code: 1007,
    reason: "text that is not UTF-8",
};
const TOO_LARGE: Fault = Fault {
    code: 1009,
    reason: "message too large",
};

/// What a frame is (RFC 6455 section 5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opcode {
    /// More of a message.
    Continuation = 0,
    /// UTF-8 text.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// The end.
    Close = 8,
    /// Asks for a pong.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

impl Opcode {
    const fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// Most bytes of a control frame's data (RFC 6455 section 5.5).
const MAX_CONTROL: usize = 125;
/// Frames of one message: an empty one costs little memory, but not nothing.
const MAX_FRAMES: usize = 4096;

struct Head {
    opcode: Opcode,
    is_last: bool,
    mask: [u8; 4],
    /// Of the head itself.
    size: usize,
    length: usize,
}

/// Reads the frames that a client sends.
#[derive(Debug)]
pub struct Reader {
    buf: BytesMut,
    max_message: usize,
    /// Opcode and data of a message whose last frame has not come.
    begun: Option<(Opcode, BytesMut, usize)>,
    is_over: bool,
}

impl Reader {
    /// A reader that refuses messages above `max_message` bytes; `rest` is what came after
    /// the request that asked for the upgrade.
    #[must_use]
    pub const fn new(max_message: usize, rest: BytesMut) -> Self {
        Self {
            buf: rest,
            max_message,
            begun: None,
            is_over: false,
        }
    }

    /// Adds bytes as they were read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.is_over {
            self.buf.extend_from_slice(bytes);
        }
    }

    /// Bytes waiting for the rest of their message.
    #[must_use]
    pub fn buffered(&self) -> usize {
        let begun = self.begun.as_ref();
        // An empty first frame waits for the next one all the same.
        self.buf.len() + begun.map_or(0, |(_, data, _)| data.len().max(1))
    }

    /// The next event, or `None` until more bytes are pushed; call it until then after each
    /// push.
    ///
    /// # Errors
    /// What the other side did wrong. Every later call gives `Ok(None)`, as after a close.
    pub fn next_event(&mut self) -> Result<Option<Event>, Fault> {
        if self.is_over {
            return Ok(None);
        }
        let result = self.step();
        if matches!(result, Err(_) | Ok(Some(Event::Close(_)))) {
            self.is_over = true;
            self.buf = BytesMut::new();
            self.begun = None;
        }
        result
    }

    fn step(&mut self) -> Result<Option<Event>, Fault> {
        while let Some(head) = self.head()? {
            if self.buf.len() < head.size + head.length {
                break;
            }
            self.buf.advance(head.size);
            let mut data = self.buf.split_to(head.length);
            unmask(&mut data, head.mask);
            if head.opcode.is_control() {
                return control(head.opcode, data.freeze()).map(Some);
            }
            if let Some(message) = self.add(&head, data)? {
                return Ok(Some(Event::Message(message)));
            }
        }
        Ok(None)
    }

    /// The head of the next frame, checked as far as it has come.
    fn head(&self) -> Result<Option<Head>, Fault> {
        let [first, second, ref rest @ ..] = self.buf[..] else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(protocol("reserved bits without an extension"));
        }
        let opcode = Opcode::of(first & 15).ok_or(protocol("unknown opcode"))?;
        let is_last = first & 0x80 != 0;
        if second & 0x80 == 0 {
            // Section 5.1: a server must close then.
            return Err(protocol("frame without a mask"));
        }
        let short = usize::from(second & 0x7f);
        if opcode.is_control() && (short > MAX_CONTROL || !is_last) {
            return Err(protocol("long or fragmented control frame"));
        }
        self.check_order(opcode)?;
        let (length, extra) = match (short, rest) {
            (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 2),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 8)
            }
            (126 | 127, _) => return Ok(None),
            (short, _) => (short as u64, 0),
        };
        let is_shortest = match extra {
            2 => length > 125,
            8 => length > 0xffff,
            _ => true,
        };
        if !is_shortest {
            return Err(protocol("length not in its shortest form"));
        }
        let length = usize::try_from(length).map_err(|_| TOO_LARGE)?;
        let begun = self.begun.as_ref().map_or(0, |(_, data, _)| data.len());
        if !opcode.is_control() && begun.saturating_add(length) > self.max_message {
            return Err(TOO_LARGE);
        }
        let Some([a, b, c, d]) = rest.get(extra..extra + 4) else {
            return Ok(None);
        };
        Ok(Some(Head {
            opcode,
            is_last,
            mask: [*a, *b, *c, *d],
            size: 2 + extra + 4,
            length,
        }))
    }

    /// Section 5.4: fragments of one message are not mixed with those of another.
    const fn check_order(&self, opcode: Opcode) -> Result<(), Fault> {
        match (opcode, &self.begun) {
            (Opcode::Continuation, None) => Err(protocol("continuation of nothing")),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                Err(protocol("a new message within another"))
            }
            _ => Ok(()),
        }
    }

    /// Adds a frame of a message; the message once it is whole.
    fn add(&mut self, head: &Head, data: BytesMut) -> Result<Option<Bytes>, Fault> {
        let (opcode, whole, frames) = match self.begun.take() {
            None => (head.opcode, data, 1),
            Some((opcode, mut whole, frames)) => {
                whole.extend_from_slice(&data);
                (opcode, whole, frames + 1)
            }
        };
        if !head.is_last {
            if frames >= MAX_FRAMES {
                return Err(TOO_LARGE);
            }
            self.begun = Some((opcode, whole, frames));
            return Ok(None);
        }
        if opcode == Opcode::Text && std::str::from_utf8(&whole).is_err() {
            return Err(NOT_UTF8);
        }
        Ok(Some(whole.freeze()))
    }
}

fn control(opcode: Opcode, data: Bytes) -> Result<Event, Fault> {
    match (opcode, &data[..]) {
        (Opcode::Ping, _) => Ok(Event::Ping(data)),
        (Opcode::Pong, _) => Ok(Event::Pong(data)),
        (_, []) => Ok(Event::Close(None)),
        (_, [high, low, reason @ ..]) => {
            let code = u16::from_be_bytes([*high, *low]);
            if !may_be_sent(code) {
                return Err(protocol("malformed status code"));
            }
            if std::str::from_utf8(reason).is_err() {
                return Err(NOT_UTF8);
            }
            Ok(Event::Close(Some(code)))
        }
        (_, [_]) => Err(protocol("half a status code")),
    }
}

/// Whether a status code may be in a close frame (RFC 6455 section 7.4).
#[must_use]
pub const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// RFC 6455 section 5.3.
fn unmask(data: &mut [u8], mask: [u8; 4]) {
    let mut words = data.chunks_exact_mut(4);
    for word in &mut words {
        for (byte, key) in word.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= key;
    }
}

/// A whole, unmasked frame, as servers send them.
#[must_use]
pub fn frame(opcode: Opcode, data: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 10);
    out.push(0x80 | opcode as u8);
    match data.len() {
        n @ 0..=125 => out.push(n as u8),
        n @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(data);
    out.into()
}

/// A message as one frame: text if it is UTF-8, else binary (RFC 7118 section 5).
#[must_use]
pub fn message(data: &[u8]) -> Bytes {
    match std::str::from_utf8(data) {
        Ok(_) => frame(Opcode::Text, data),
        Err(_) => frame(Opcode::Binary, data),
    }
}

/// A close frame; a reason that is too long is cut. `None` gives no status code.
#[must_use]
pub fn close(code: Option<u16>, reason: &str) -> Bytes {
    let Some(code) = code else {
        return frame(Opcode::Close, b"");
    };
    let end = (0..=reason.len().min(MAX_CONTROL - 2))
        .rev()
        .find(|n| reason.is_char_boundary(*n));
    let reason = &reason.as_bytes()[..end.unwrap_or(0)];
    frame(Opcode::Close, &[&code.to_be_bytes(), reason].concat())
}
