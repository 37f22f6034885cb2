//! URIs: `sip:`, `sips:` and, as far as a proxy needs, any other (RFC 3261 section 19.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use memchr::memchr;

use crate::error::{ErrorKind, SyntaxError};
use crate::lex;
use crate::params::Params;
use crate::scan;
use crate::types::Proto;

/// Scheme of a URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Any other; [`Uri::scheme_name`] has it.
    Other,
}

/// The parts of a URI, borrowed from its text, escapes kept as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uri<'a> {
    /// The whole text.
    pub raw: &'a [u8],
    /// Scheme.
    pub scheme: Scheme,
    /// Scheme as written.
    pub scheme_name: &'a [u8],
    /// User part, its own `;parameters` included. For `tel:` the number; for
    /// other schemes all that follows the colon.
    pub user: Option<&'a [u8]>,
    /// Password, after a colon in the userinfo.
    pub password: Option<&'a [u8]>,
    /// Host; IPv6 references keep their brackets. Empty for `tel:` and others.
    pub host: &'a [u8],
    /// Port, if written.
    pub port: Option<u16>,
    /// After the first semicolon that follows the host, without it.
    pub params: &'a [u8],
    /// After the question mark, without it.
    pub headers: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Parses a URI without angle brackets around it.
    ///
    /// The host is checked; user part, parameters and headers may hold any
    /// character but controls, blanks, quotes and angle brackets.
    ///
    /// # Errors
    /// When a `sip:` or `sips:` URI breaks RFC 3261 section 25.1, or any URI has no scheme.
    pub fn parse(text: &'a [u8]) -> Result<Self, SyntaxError> {
        let len = scheme_len(text).ok_or(error("URI without scheme"))?;
        if !lex::is_uri_text(text) {
            return Err(error("Illegal character in URI"));
        }
        let (name, rest) = (&text[..len], &text[len + 1..]);
        let uri = Self {
            raw: text,
            scheme: Scheme::of(name),
            scheme_name: name,
            user: None,
            password: None,
            host: &[],
            port: None,
            params: &[],
            headers: &[],
        };
        match uri.scheme {
            Scheme::Sip | Scheme::Sips => uri.with_sip(rest),
            _ if rest.is_empty() => Err(error("URI with nothing after its scheme")),
            Scheme::Tel => {
                let (user, params) = split_at_byte(rest, b';');
                Ok(Self {
                    user: Some(user),
                    params,
                    ..uri
                })
            }
            Scheme::Other => Ok(Self {
                user: Some(rest),
                ..uri
            }),
        }
    }

    /// `[user[:password]@]host[:port][;params][?headers]`. The host follows the
    /// first `@`, since neither part of userinfo can hold one unescaped.
    fn with_sip(mut self, text: &'a [u8]) -> Result<Self, SyntaxError> {
        let mut rest = text;
        if let Some(at) = scan::find_byte(text, b'@') {
            let (userinfo, host) = (&text[..at], &text[at + 1..]);
            let colon = scan::find_byte(userinfo, b':');
            self.user = Some(&userinfo[..colon.unwrap_or(at)]);
            self.password = colon.map(|n| &userinfo[n + 1..]);
            rest = host;
            if self.user == Some(b"") {
                return Err(error("Empty user part in URI"));
            }
        }
        let (host, mut rest) = rest.split_at(lex::host_len(rest));
        if host.is_empty() {
            return Err(error("Malformed host in URI"));
        }
        self.host = host;
        if let [b':', after @ ..] = rest {
            let len = after.iter().take_while(|b| b.is_ascii_digit()).count();
            let port = lex::decimal(&after[..len], u32::from(u16::MAX));
            self.port = Some(port.ok_or(error("Malformed port in URI"))? as u16);
            rest = &after[len..];
        }
        (rest, self.headers) = split_at_byte(rest, b'?');
        match rest {
            [] => {}
            [b';', params @ ..] => self.params = params,
            _ => return Err(error("Unexpected text after the host of a URI")),
        }
        Ok(self)
    }

    /// All URI parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        Params::new(self.params)
    }

    /// Value of a parameter, empty when it has none.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().get(name)
    }

    /// The `transport` parameter, if it names a transport that is known here.
    #[must_use]
    pub fn transport(&self) -> Option<Proto> {
        self.param(b"transport").and_then(Proto::parse)
    }

    /// Whether the `lr` parameter is there (RFC 3261 section 19.1.1).
    #[must_use]
    pub fn lr(&self) -> bool {
        self.params().has(b"lr")
    }

    /// Whether the scheme is `sips`.
    #[must_use]
    pub const fn is_sips(&self) -> bool {
        matches!(self.scheme, Scheme::Sips)
    }

    /// Whether the scheme is `sip` or `sips`.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The host, when it is an IPv4 address or an IPv6 reference.
    #[must_use]
    pub fn host_ip(&self) -> Option<IpAddr> {
        host_ip(self.host)
    }

    /// Port as written, or the default of the scheme and transport
    /// (RFC 3261 section 19.1.2).
    #[must_use]
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or_else(|| match self.transport() {
            _ if self.is_sips() => Proto::Tls.default_port(),
            Some(proto) => proto.default_port(),
            None => Proto::Udp.default_port(),
        })
    }

    /// User and host and port as `user@host:port` with what is present.
    #[must_use]
    pub fn aor(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len());
        if let Some(user) = self.user {
            out.extend_from_slice(user);
            if self.host.is_empty() {
                return out;
            }
            out.push(b'@');
        }
        out.extend_from_slice(self.host);
        if let Some(port) = self.port {
            out.extend_from_slice(format!(":{port}").as_bytes());
        }
        out
    }
}

impl Scheme {
    fn of(name: &[u8]) -> Self {
        match name.len() {
            3 if name == b"sip" => Self::Sip,
            3 if name.eq_ignore_ascii_case(b"sip") => Self::Sip,
            4 if name.eq_ignore_ascii_case(b"sips") => Self::Sips,
            3 if name.eq_ignore_ascii_case(b"tel") => Self::Tel,
            _ => Self::Other,
        }
    }
}

/// Length of the scheme that `text` begins with, if a colon ends it (RFC 3986 section 3.1).
pub(crate) fn scheme_len(text: &[u8]) -> Option<usize> {
    match text {
        [b's', b'i', b'p', b':', ..] => return Some(3),
        [b's', b'i', b'p', b's', b':', ..] => return Some(4),
        _ => {}
    }
    let len = text
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')))?;
    (text[len] == b':' && text[0].is_ascii_alphabetic()).then_some(len)
}

/// An IPv4 address, or an IPv6 address with or without brackets.
#[must_use]
pub fn host_ip(host: &[u8]) -> Option<IpAddr> {
    // Names begin with a letter more often than not: no parser needed to see that.
    match *host.first()? {
        b'[' => {
            let inner = host.strip_prefix(b"[")?.strip_suffix(b"]")?;
            parse_ip::<Ipv6Addr>(inner).map(IpAddr::V6)
        }
        _ if host.contains(&b':') => parse_ip::<Ipv6Addr>(host).map(IpAddr::V6),
        b'0'..=b'9' => parse_ip::<Ipv4Addr>(host).map(IpAddr::V4),
        _ => None,
    }
}

fn parse_ip<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether two URIs are equal by RFC 3261 section 19.1.4; `tel:` by RFC 3966
/// section 4; URIs of other schemes as text.
#[must_use]
pub fn uri_eq(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    if a.scheme != b.scheme {
        return false;
    }
    match a.scheme {
        Scheme::Other => a.raw == b.raw,
        Scheme::Tel => tel_eq(a, b),
        Scheme::Sip | Scheme::Sips => {
            opt_eq(a.user, b.user)
                && opt_eq(a.password, b.password)
                && host_eq(a.host, b.host)
                && a.port == b.port
                && params_eq(a.params(), b.params())
                && headers_eq(a.headers, b.headers)
        }
    }
}

/// Whether two hosts are the same: names in any case, addresses by value.
#[must_use]
pub fn host_eq(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b) || host_ip(a).is_some_and(|ip| host_ip(b) == Some(ip))
}

fn opt_eq(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Chars(a).eq(Chars(b)),
        (a, b) => a == b,
    }
}

/// A parameter of both must match; `user`, `ttl`, `method`, `maddr` and `transport`
/// must not be in one only. Values compare without case.
fn params_eq(a: Params<'_>, b: Params<'_>) -> bool {
    const SIGNIFICANT: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];
    let one_way = |mut a: Params<'_>, b: Params<'_>| {
        a.all(|(name, value)| match param(b, name) {
            Some(other) => caseless_eq(value.unwrap_or_default(), other),
            None => !SIGNIFICANT.iter().any(|s| caseless_eq(s, name)),
        })
    };
    one_way(a, b) && one_way(b, a)
}

fn param<'a>(mut list: Params<'a>, name: &[u8]) -> Option<&'a [u8]> {
    list.find(|(n, _)| caseless_eq(n, name))
        .map(|(_, v)| v.unwrap_or_default())
}

/// Every header of one must be in the other, in any order.
fn headers_eq(a: &[u8], b: &[u8]) -> bool {
    let one_way = |a: &[u8], b: &[u8]| {
        a.split(|&c| c == b'&').all(|field| {
            let (name, value) = split_at_byte(field, b'=');
            b.split(|&c| c == b'&').any(|other| {
                let (n, v) = split_at_byte(other, b'=');
                caseless_eq(name, n) && Chars(value).eq(Chars(v))
            })
        })
    };
    one_way(a, b) && one_way(b, a)
}

/// Numbers without visual separators, and the same parameters in any order.
fn tel_eq(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    let digits = |uri: &Uri<'_>| -> Vec<u8> {
        let number = uri.user.unwrap_or_default().iter();
        number
            .filter(|b| !matches!(b, b'-' | b'.' | b'(' | b')'))
            .map(u8::to_ascii_lowercase)
            .collect()
    };
    let one_way = |mut a: Params<'_>, b: Params<'_>| {
        a.all(|(name, value)| {
            param(b, name).is_some_and(|v| caseless_eq(value.unwrap_or_default(), v))
        })
    };
    digits(a) == digits(b) && one_way(a.params(), b.params()) && one_way(b.params(), a.params())
}

fn caseless_eq(a: &[u8], b: &[u8]) -> bool {
    let lower = |c: u16| {
        if c < 0x80 {
            u16::from((c as u8).to_ascii_lowercase())
        } else {
            c
        }
    };
    Chars(a).map(lower).eq(Chars(b).map(lower))
}

/// Characters for comparison: an escape is the character that it stands for,
/// unless that one is reserved (RFC 3261 section 19.1.4); those are above 255.
struct Chars<'a>(&'a [u8]);

impl Iterator for Chars<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        let Some(byte) = escape(first, rest) else {
            return Some(u16::from(first));
        };
        self.0 = &rest[2..];
        let reserved = memchr(byte, b";/?:@&=+$,").is_some();
        Some(u16::from(byte) | if reserved { 0x100 } else { 0 })
    }
}

/// The byte of the escape that begins with `first`.
fn escape(first: u8, rest: &[u8]) -> Option<u8> {
    let hex = |b: u8| (b as char).to_digit(16);
    match rest {
        [high, low, ..] if first == b'%' => Some((hex(*high)? * 16 + hex(*low)?) as u8),
        _ => None,
    }
}

/// Replaces `%HH` by the byte it stands for; malformed escapes are kept.
#[must_use]
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let byte = escape(first, after);
        out.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    out
}

/// Escapes what RFC 3261 section 25.1 does not allow in a user part.
#[must_use]
pub fn escape_user(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &b in text {
        if b.is_ascii_alphanumeric() || memchr(b, b"-_.!~*'()&=+$,;?/").is_some() {
            out.push(b);
        } else {
            out.extend_from_slice(format!("%{b:02X}").as_bytes());
        }
    }
    out
}

/// What is before the first `byte`, and after it.
fn split_at_byte(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    match scan::find_byte(text, byte) {
        Some(n) => (&text[..n], &text[n + 1..]),
        None => (text, &text[text.len()..]),
    }
}

const fn error(reason: &'static str) -> SyntaxError {
    SyntaxError::new(ErrorKind::Uri, reason)
}
