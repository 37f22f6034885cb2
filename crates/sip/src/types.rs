//! Types that every layer shares: time, transports, the path of a message.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;

/// Monotonic time in milliseconds, given by the caller.
pub type Millis = u64;

/// Index into the engine's table of listening sockets.
pub type SocketId = u16;

/// Identity of a connection; 0 stands for none, or for any.
pub type ConnId = u64;

/// Transport protocol of a Via or of a URI (RFC 3261 section 18, RFC 7118).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Proto {
    /// UDP, RFC 3261 section 18.
    Udp,
    /// TCP, RFC 3261 section 18.
    Tcp,
    /// TLS over TCP, RFC 3261 section 26.2.
    Tls,
    /// WebSocket, RFC 7118.
    Ws,
    /// WebSocket over TLS, RFC 7118.
    Wss,
}

impl Proto {
    /// Lower-case name, as in `;transport=` and in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Upper-case name, as in the sent-protocol of a Via.
    #[must_use]
    pub const fn via_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The protocol of that name, in any case.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss]
            .into_iter()
            .find(|p| p.as_str().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether the transport itself retransmits (RFC 3261 section 17).
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether its bytes are encrypted by TLS.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Port when a URI or a Via names none (RFC 3261 section 19.1.2, RFC 7118 section 5).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The path of a message: how it came, or how it is to leave.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Flow {
    /// Transport protocol.
    pub proto: Proto,
    /// Our own socket.
    pub socket: SocketId,
    /// The other side.
    pub remote: SocketAddr,
    /// The connection, if the transport has any and it is known.
    pub conn: ConnId,
}

/// What is to become of the connection that a message leaves by; nothing to UDP.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SendOptions {
    /// Close it once the message is written (`set_reply_close`, `set_forward_close`).
    pub close: bool,
    /// Open none: there is one, or the message is lost (`set_reply_no_connect`,
    /// `set_forward_no_connect`).
    pub no_connect: bool,
    /// Take the connection of the flow and no other one to the same place: it is the flow of
    /// a client (RFC 5626), which fails with 430 when it is gone.
    pub exact: bool,
}

/// A listening socket as Via, Record-Route and scripts see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SocketInfo {
    /// Index in the engine's table.
    pub id: SocketId,
    /// Transport protocol.
    pub proto: Proto,
    /// Bound address; never the wildcard's port 0 once bound.
    pub addr: SocketAddr,
    /// Host and port to show instead of `addr` (Kamailio's `advertise`).
    pub advertise: Option<(String, u16)>,
    /// Name for `force_send_socket` (Kamailio's `name`).
    pub name: Option<String>,
}

impl SocketInfo {
    /// Host as written in Via and Record-Route: the advertised one, or the
    /// bound address, IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> String {
        match (&self.advertise, self.addr) {
            (Some((host, _)), _) => host.clone(),
            (None, SocketAddr::V4(a)) => a.ip().to_string(),
            (None, SocketAddr::V6(a)) => format!("[{}]", a.ip()),
        }
    }

    /// Appends [`SocketInfo::host`] without a detour: it is in every Via.
    pub fn push_host(&self, out: &mut Vec<u8>) {
        match (&self.advertise, self.addr) {
            (Some((host, _)), _) => out.extend_from_slice(host.as_bytes()),
            (None, SocketAddr::V4(a)) => {
                for (i, octet) in a.ip().octets().into_iter().enumerate() {
                    if i > 0 {
                        out.push(b'.');
                    }
                    push_decimal(out, octet.into());
                }
            }
            (None, SocketAddr::V6(_)) => out.extend_from_slice(self.host().as_bytes()),
        }
    }

    /// Port as written in Via and Record-Route.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.advertise
            .as_ref()
            .map_or(self.addr.port(), |(_, port)| *port)
    }
}

/// A range of bytes in a message: offsets, not pointers, so that an index of a
/// message is small and can be copied with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span of `start..end`.
    #[must_use]
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// As a range for indexing.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The same bytes counted from `base` bytes earlier.
    #[must_use]
    pub const fn shift(self, base: u32) -> Self {
        Self::new(self.start + base, self.end + base)
    }

    /// Whether `other` lies wholly inside.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The bytes in `buf`; empty when out of bounds.
    #[must_use]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.range()).unwrap_or_default()
    }
}

/// Appends a number in decimal digits.
pub(crate) fn push_decimal(out: &mut Vec<u8>, number: u16) {
    let mut digits = [0; 5];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_appended_as_they_are_shown() {
        for addr in ["127.0.0.1:5060", "203.0.113.250:5061", "[2001:db8::1]:5060"] {
            let mut socket = SocketInfo {
                id: 0,
                proto: Proto::Udp,
                addr: addr.parse().unwrap(),
                advertise: None,
                name: None,
            };
            for advertise in [None, Some(("sip.example.org".to_owned(), 5080))] {
                socket.advertise = advertise;
                let mut out = Vec::new();
                socket.push_host(&mut out);
                assert_eq!(out, socket.host().as_bytes(), "{addr}");
            }
        }
    }

    #[test]
    fn numbers_are_written_without_leading_zeros() {
        for number in [0, 7, 10, 5060, 65_535] {
            let mut out = Vec::new();
            push_decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
