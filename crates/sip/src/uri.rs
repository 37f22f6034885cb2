//! URIs: `sip:`, `sips:` and, as far as a proxy needs, any other (RFC 3261 section 19.1).

use std::net::IpAddr;

use crate::error::SyntaxError;
use crate::params::Params;
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
    /// # Errors
    /// When a `sip:` or `sips:` URI breaks RFC 3261 section 25.1, or any URI has no scheme.
    pub fn parse(text: &'a [u8]) -> Result<Self, SyntaxError> {
        let _ = text;
        todo!()
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
        todo!()
    }

    /// User and host and port as `user@host:port` with what is present.
    #[must_use]
    pub fn aor(&self) -> Vec<u8> {
        todo!()
    }
}

/// An IPv4 address, or an IPv6 address with or without brackets.
#[must_use]
pub fn host_ip(host: &[u8]) -> Option<IpAddr> {
    let _ = host;
    todo!()
}

/// Whether two URIs are equal by RFC 3261 section 19.1.4; URIs of other schemes
/// are compared as text, `tel:` without visual separators.
#[must_use]
pub fn uri_eq(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    let _ = (a, b);
    todo!()
}

/// Replaces `%HH` by the byte it stands for; malformed escapes are kept.
#[must_use]
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let _ = text;
    todo!()
}

/// Escapes what RFC 3261 section 25.1 does not allow in a user part.
#[must_use]
pub fn escape_user(text: &[u8]) -> Vec<u8> {
    let _ = text;
    todo!()
}
