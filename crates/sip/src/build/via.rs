//! What a server writes into a Via and reads from it (RFC 3261 section 18.2, RFC 3581).

use std::net::{IpAddr, SocketAddr};

use crate::build::lines::Lines;
use crate::build::text::Text;
use crate::header::{Header, HeaderId};
use crate::message::Message;
use crate::scan;
use crate::types::{Proto, Span};
use crate::uri::host_ip;
use crate::via::{Rport, Via};

/// What the receiver of a request writes into its top Via
/// (RFC 3261 section 18.2.1, RFC 3581 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ViaFix {
    /// `;received=` to set.
    pub received: Option<IpAddr>,
    /// `;rport=` to set.
    pub rport: Option<u16>,
}

impl ViaFix {
    /// The fix for a request that came from `source`. `force_rport` treats a Via
    /// without `rport` as if it asked for it (Kamailio's `force_rport()`).
    ///
    /// `received` is set when sent-by is not the source address, when `rport` is
    /// asked for, and in the place of a `received` that the sender made up.
    #[must_use]
    pub fn for_request(msg: &Message, source: SocketAddr, force_rport: bool) -> Self {
        let via = msg.via();
        let ip = source.ip().to_canonical();
        let symmetric = force_rport || via.rport != Rport::Absent;
        let needed = symmetric || via.received.is_some() || !is_ip(msg.get(via.host), ip);
        Self {
            received: needed.then_some(ip),
            rport: symmetric.then_some(source.port()),
        }
    }

    /// The spans of `msg` to replace, with their text: parameters that are there
    /// get the new value, others follow the last parameter.
    pub(crate) fn changes(&self, msg: &Message) -> [Option<(Span, Text)>; 2] {
        let via = msg.via();
        let end = Span::new(via.span.end, via.span.end);
        let received = self.received.map(|ip| match via.received {
            Some(span) => (span, Text::new(b"").ip(ip)),
            None => (end, Text::new(b";received=").ip(ip)),
        });
        let rport = self.rport.map(|port| match via.rport {
            Rport::Absent => (end, Text::new(b";rport=").number(port.into())),
            _ => (via.rport_span, Text::new(b"rport=").number(port.into())),
        });
        // In Kamailio's order where both are added.
        [rport, received]
    }

    /// Writes `header`, which holds the top Via, with the changes made.
    pub(crate) fn write_line(&self, header: &Header, out: &mut Lines<'_>) {
        let mut changes = self.changes(out.msg);
        // At most two, disjoint or at one place: stable order by position.
        if let [Some((first, _)), Some((second, _))] = &changes
            && second.start < first.start
        {
            changes.swap(0, 1);
        }
        let mut pos = header.full.start;
        for (span, text) in changes.iter().flatten() {
            out.copy(Span::new(pos, span.start));
            out.text(text.as_bytes());
            pos = span.end;
        }
        out.rest_of_line(pos, header);
    }
}

/// Whether a host is that address. An IPv4 address has one spelling, and to write
/// that is less work than to read the host.
fn is_ip(host: &[u8], ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => scan::same(Text::new(b"").ip(ip).as_bytes(), host),
        IpAddr::V6(_) => host_ip(host) == Some(ip),
    }
}

/// Where a response goes by a Via (RFC 3261 section 18.2.2, RFC 3581 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ViaTarget<'a> {
    /// Transport; `None` when it is unknown here.
    pub proto: Option<Proto>,
    /// Host of sent-by.
    pub host: &'a [u8],
    /// Port of sent-by, if written.
    pub port: Option<u16>,
    /// `received`, if it is an address.
    pub received: Option<IpAddr>,
    /// `rport`, if it is filled in.
    pub rport: Option<u16>,
}

impl<'a> ViaTarget<'a> {
    /// The target that a Via of `msg` names.
    #[must_use]
    pub fn of(msg: &'a Message, via: &Via) -> Self {
        Self {
            proto: via.proto,
            host: msg.get(via.host),
            port: via.port,
            received: via.received.and_then(|span| host_ip(msg.get(span))),
            rport: match via.rport {
                Rport::Port(port) => Some(port),
                _ => None,
            },
        }
    }

    /// The address when no DNS is needed: `received`, else sent-by. A `maddr` does not
    /// count, as in Kamailio: with it a sender could have a third party be answered.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        let (host, port) = self.host_port();
        let ip = match self.received {
            Some(ip) => ip,
            None => host_ip(host)?,
        };
        Some(SocketAddr::new(ip, port))
    }

    /// Host to resolve when [`ViaTarget::addr`] is `None`, and the port as there:
    /// `rport` if it is filled in, else that of sent-by or the default.
    #[must_use]
    pub fn host_port(&self) -> (&'a [u8], u16) {
        let proto = self.proto.unwrap_or(Proto::Udp);
        let port = self.rport.or(self.port).unwrap_or(proto.default_port());
        (self.host, port)
    }
}

/// Where a received response is forwarded to: what its second Via says; `None`
/// when it has no second Via (it is ours) or that Via is malformed.
#[must_use]
pub fn response_target(msg: &Message) -> Option<ViaTarget<'_>> {
    let span = msg.values(HeaderId::Via).nth(1)?;
    let via = Via::parse(msg.bytes(), span).ok()?;
    Some(ViaTarget::of(msg, &via))
}

#[cfg(test)]
mod tests {
    use super::{host_ip, is_ip};

    #[test]
    fn a_host_is_an_address_by_value() {
        let hosts = [
            "192.0.2.101",
            "192.0.2.10",
            "192.0.2.1011",
            "192.0.2",
            "192.0.2.",
            ".192.0.2.1",
            "192.0.2.101.",
            "192.00.2.101",
            "192.0.2.0101",
            "192.0..2",
            "a",
            "",
            "0.0.0.0",
            "255.255.255.255",
            "256.0.0.0",
            "0.0.0.256",
            "0.0.1.0",
            "0.0.0.259",
            "1.192.0.2.101",
            "[::1]",
            "::1",
            "[::ffff:192.0.2.101]",
            "4294967296.0.0.0",
        ];
        let ips = [
            "192.0.2.101",
            "0.0.0.0",
            "0.0.1.0",
            "255.255.255.255",
            "0.0.1.3",
            "::1",
        ];
        for ip in ips.map(|ip| ip.parse().unwrap()) {
            for host in hosts {
                let expected = host_ip(host.as_bytes()) == Some(ip);
                assert_eq!(is_ip(host.as_bytes(), ip), expected, "{host} {ip}");
            }
        }
    }
}
