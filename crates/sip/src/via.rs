//! Via values (RFC 3261 section 20.42, RFC 3581).

use crate::error::SyntaxError;
use crate::types::{Proto, Span};

/// The `rport` parameter of a Via (RFC 3581).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Rport {
    /// Not there.
    #[default]
    Absent,
    /// There without a value: the sender asks for it.
    Empty,
    /// Filled in.
    Port(u16),
}

/// Where the parts of one Via value are in its message.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Via {
    /// The whole value, without comma or blanks around it.
    pub span: Span,
    /// Transport as written.
    pub transport: Span,
    /// Transport, if it is known here.
    pub proto: Option<Proto>,
    /// Host of sent-by; IPv6 references keep their brackets.
    pub host: Span,
    /// Port of sent-by, if written.
    pub port: Option<u16>,
    /// Host and port.
    pub sent_by: Span,
    /// Parameters after the first semicolon; empty when there are none.
    pub params: Span,
    /// Value of `branch`.
    pub branch: Option<Span>,
    /// Value of `received`.
    pub received: Option<Span>,
    /// Value of `maddr`.
    pub maddr: Option<Span>,
    /// `rport`.
    pub rport: Rport,
    /// The whole `rport` parameter, without its semicolon; empty when absent.
    pub rport_span: Span,
}

impl Via {
    /// Parses the first Via value at `span` of `buf`.
    ///
    /// # Errors
    /// When it is not `SIP/2.0/transport host[:port][;params]`.
    pub fn parse(buf: &[u8], span: Span) -> Result<Self, SyntaxError> {
        let _ = (buf, span);
        todo!()
    }

    /// Port of sent-by, or the default of the transport (RFC 3261 section 18.1.1).
    #[must_use]
    pub fn port_or_default(&self) -> u16 {
        self.port
            .unwrap_or_else(|| self.proto.unwrap_or(Proto::Udp).default_port())
    }
}
