//! Via values (RFC 3261 section 20.42, RFC 3581).

use crate::error::{ErrorKind, SyntaxError};
use crate::header::HeaderId;
use crate::lex::{self, span_in};
use crate::params::{Params, RawParam};
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
    /// Any protocol name and version are accepted (a request of another SIP
    /// version is answered by its Via too), any transport token, blanks and
    /// folding wherever RFC 3261 section 25.1 has them.
    ///
    /// # Errors
    /// When it is not `SIP/2.0/transport host[:port][;params]`, or a parameter is empty.
    pub fn parse(buf: &[u8], span: Span) -> Result<Self, SyntaxError> {
        let (via, params) = Self::parse_lenient(buf, span)?;
        params.map(|()| via)
    }

    /// As [`Via::parse`], but malformed parameters leave a Via by which a 400 can
    /// be sent (RFC 4475 section 3.1.2.1), next to what is wrong with them.
    pub(crate) fn parse_lenient(buf: &[u8], span: Span) -> Result<(Self, Checked), SyntaxError> {
        let value = lex::Values::new(span.of(buf)).next().unwrap_or_default();
        let (transport, rest) = sent_protocol(value)?;
        let sent_by = lex::trim_start(rest);
        if sent_by.len() == rest.len() {
            return Err(error("Via without sent-by"));
        }
        let (host, port, rest) = host_port(sent_by)?;
        let mut via = Self {
            span: span_in(buf, value),
            transport: span_in(buf, transport),
            proto: Proto::parse(transport),
            host: span_in(buf, host),
            port,
            sent_by: span_in(buf, lex::trim(&sent_by[..sent_by.len() - rest.len()])),
            params: span_in(buf, rest),
            ..Self::default()
        };
        let checked = match rest {
            [] => Ok(()),
            [b';', params @ ..] => via.parse_params(buf, params),
            _ => Err(error("Unexpected text in Via")),
        };
        Ok((via, checked))
    }

    /// Port of sent-by, or the default of the transport (RFC 3261 section 18.1.1).
    #[must_use]
    pub fn port_or_default(&self) -> u16 {
        self.port
            .unwrap_or_else(|| self.proto.unwrap_or(Proto::Udp).default_port())
    }

    fn parse_params(&mut self, buf: &[u8], text: &[u8]) -> Result<(), SyntaxError> {
        self.params = span_in(buf, text);
        if matches!(text, [] | [.., b';']) {
            return Err(error("Empty parameter in Via"));
        }
        let mut params = Params::new(text);
        while let Some(param) = params.next_raw() {
            if param.name.is_empty() {
                return Err(error("Empty parameter in Via"));
            }
            self.take_param(buf, &param)?;
        }
        Ok(())
    }

    /// Notes a parameter that routing needs; the first of a name counts.
    fn take_param(&mut self, buf: &[u8], param: &RawParam<'_>) -> Result<(), SyntaxError> {
        let name = param.name;
        let value = param.value.filter(|v| !v.is_empty());
        let slot = match name.len() {
            6 if name.eq_ignore_ascii_case(b"branch") => &mut self.branch,
            8 if name.eq_ignore_ascii_case(b"received") => &mut self.received,
            5 if name.eq_ignore_ascii_case(b"maddr") => &mut self.maddr,
            5 if name.eq_ignore_ascii_case(b"rport") && self.rport == Rport::Absent => {
                self.rport_span = span_in(buf, param.text);
                self.rport = match value {
                    None => Rport::Empty,
                    Some(v) => Rport::Port(port(v).ok_or(error("Malformed rport in Via"))?),
                };
                return Ok(());
            }
            _ => return Ok(()),
        };
        if slot.is_none() {
            *slot = value.map(|v| span_in(buf, v));
        }
        Ok(())
    }
}

/// `SIP/2.0/UDP`: the transport and what follows it.
fn sent_protocol(text: &[u8]) -> Result<(&[u8], &[u8]), SyntaxError> {
    // As it is always written.
    if let Some(rest) = text.strip_prefix(b"SIP/2.0/") {
        let len = lex::token_len(rest);
        if len > 0 {
            return Ok(rest.split_at(len));
        }
    }
    let mut rest = text;
    for _ in 0..2 {
        let len = lex::token_len(rest);
        rest = match lex::trim_start(&rest[len..]) {
            [b'/', after @ ..] if len > 0 => lex::trim_start(after),
            _ => return Err(error("Malformed sent-protocol in Via")),
        };
    }
    match lex::token_len(rest) {
        0 => Err(error("Malformed sent-protocol in Via")),
        len => Ok(rest.split_at(len)),
    }
}

/// Whether the parameters of a Via are well-formed.
type Checked = Result<(), SyntaxError>;

/// Host, port if written, and the rest of the value.
type SentBy<'a> = (&'a [u8], Option<u16>, &'a [u8]);

/// `host[:port]` and what follows, blanks skipped.
fn host_port(text: &[u8]) -> Result<SentBy<'_>, SyntaxError> {
    let (host, rest) = text.split_at(lex::host_len(text));
    if host.is_empty() {
        return Err(error("Malformed host in Via"));
    }
    let rest = lex::trim_start(rest);
    let [b':', rest @ ..] = rest else {
        return Ok((host, None, rest));
    };
    let rest = lex::trim_start(rest);
    let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let port = port(&rest[..len]).ok_or(error("Malformed port in Via"))?;
    Ok((host, Some(port), lex::trim_start(&rest[len..])))
}

fn port(text: &[u8]) -> Option<u16> {
    lex::decimal(text, u32::from(u16::MAX)).map(|p| p as u16)
}

const fn error(reason: &'static str) -> SyntaxError {
    SyntaxError::new(ErrorKind::Header(HeaderId::Via), reason)
}
