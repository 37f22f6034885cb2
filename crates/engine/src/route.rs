//! Where a message goes: from URIs and Vias to a [`Flow`].

use std::net::{IpAddr, SocketAddr};

use sipwright_sip::build::{ViaFix, ViaTarget};
use sipwright_sip::message::Message;
use sipwright_sip::script::Env;
use sipwright_sip::types::{Flow, Proto, SocketId, SocketInfo};
use sipwright_sip::uri::Uri;
use sipwright_sip::via::Rport;

/// A next hop before its host name is resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextHop {
    /// Transport to use.
    pub proto: Proto,
    /// Host: a name, or an address as text without brackets.
    pub host: String,
    /// Port, the transport's default where the URI names none.
    pub port: u16,
    /// The address, when the host is one.
    pub addr: Option<IpAddr>,
}

/// Why a message cannot be routed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RouteError {
    /// The URI is malformed or has no host.
    BadUri,
    /// Its scheme is neither `sip` nor `sips`.
    Scheme,
    /// Its transport is unknown here.
    Transport,
    /// The host name does not resolve.
    Unresolved(String),
    /// No socket of that transport and address family listens.
    NoSocket(Proto),
}

impl std::fmt::Display for RouteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadUri => f.write_str("malformed URI"),
            Self::Scheme => f.write_str("URI scheme is neither sip nor sips"),
            Self::Transport => f.write_str("unknown transport in the URI"),
            Self::Unresolved(host) => write!(f, "cannot resolve {host}"),
            Self::NoSocket(proto) => write!(f, "no {proto} socket of that address family listens"),
        }
    }
}

/// Reads transport, host and port of a URI (RFC 3263 section 4, without DNS).
///
/// # Errors
/// When the URI cannot name a next hop.
pub fn next_hop(uri: &[u8]) -> Result<NextHop, RouteError> {
    let uri = Uri::parse(uri).map_err(|_| RouteError::BadUri)?;
    if !uri.is_sip() {
        return Err(RouteError::Scheme);
    }
    let named = match uri.param(b"transport") {
        Some(name) => Some(Proto::parse(name).ok_or(RouteError::Transport)?),
        None => None,
    };
    let proto = match (named, uri.is_sips()) {
        (Some(Proto::Ws | Proto::Wss), true) => Proto::Wss,
        (Some(Proto::Ws), false) => Proto::Ws,
        // `sips` asks for TLS on every hop (RFC 3261 section 26.2.2).
        (_, true) => Proto::Tls,
        (Some(proto), false) => proto,
        (None, false) => Proto::Udp,
    };
    let host = uri
        .param(b"maddr")
        .filter(|m| !m.is_empty())
        .unwrap_or(uri.host);
    let addr = sipwright_sip::uri::host_ip(host);
    let host = String::from_utf8(host.to_vec()).map_err(|_| RouteError::BadUri)?;
    if host.is_empty() {
        return Err(RouteError::BadUri);
    }
    Ok(NextHop {
        proto,
        host,
        port: uri.port.unwrap_or(proto.default_port()),
        addr,
    })
}

/// Our socket for sending over `proto` to an address: the forced one if it
/// fits, else the one the message came in on, else the first that fits.
///
/// # Errors
/// [`RouteError::NoSocket`].
pub fn out_socket(
    env: &Env,
    proto: Proto,
    remote: IpAddr,
    forced: Option<SocketId>,
    received: SocketId,
) -> Result<&SocketInfo, RouteError> {
    let fits = |s: &&SocketInfo| s.proto == proto && s.addr.is_ipv4() == remote.is_ipv4();
    let preferred = [forced, Some(received)].into_iter().flatten();
    preferred
        .filter_map(|id| env.socket(id))
        .find(fits)
        .or_else(|| env.sockets.iter().find(fits))
        .ok_or(RouteError::NoSocket(proto))
}

/// Where the responses to a request go (RFC 3261 section 18.2.2, RFC 3581):
/// back on the connection, or over UDP to the source.
#[must_use]
pub fn reply_flow(msg: &Message, flow: &Flow, force_rport: bool) -> Flow {
    if flow.proto.is_reliable() {
        return *flow;
    }
    let via = msg.via();
    if let Some(maddr) = via
        .maddr
        .and_then(|s| sipwright_sip::uri::host_ip(msg.get(s)))
    {
        return Flow {
            remote: SocketAddr::new(maddr, via.port_or_default()),
            ..*flow
        };
    }
    let port = match via.rport {
        Rport::Absent if !force_rport => via.port_or_default(),
        _ => flow.remote.port(),
    };
    Flow {
        remote: SocketAddr::new(flow.remote.ip(), port),
        ..*flow
    }
}

/// The `received` and `rport` that the top Via of a request gets.
#[must_use]
pub fn via_fix(msg: &Message, flow: &Flow, force_rport: bool) -> ViaFix {
    ViaFix::for_request(msg, flow.remote, force_rport)
}

/// Where a response without a transaction goes: by its second Via.
///
/// # Errors
/// When the Via names a host that is no address, or no socket fits.
pub fn response_flow(
    env: &Env,
    target: &ViaTarget<'_>,
    received: &Flow,
) -> Result<Flow, RouteError> {
    let proto = target.proto.ok_or(RouteError::Transport)?;
    let remote = target
        .addr()
        .ok_or_else(|| RouteError::Unresolved(String::from_utf8_lossy(target.host).into_owned()))?;
    let socket = out_socket(env, proto, remote.ip(), None, received.socket)?;
    Ok(Flow {
        proto,
        socket: socket.id,
        remote,
        conn: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(uri: &str) -> Result<(Proto, String, u16), RouteError> {
        next_hop(uri.as_bytes()).map(|h| (h.proto, h.host, h.port))
    }

    #[test]
    fn transport_and_port_follow_the_uri() {
        let cases = [
            ("sip:bob@192.0.2.1", Proto::Udp, "192.0.2.1", 5060),
            (
                "sip:bob@192.0.2.1:5070;transport=tcp",
                Proto::Tcp,
                "192.0.2.1",
                5070,
            ),
            ("sips:bob@example.com", Proto::Tls, "example.com", 5061),
            (
                "sip:bob@example.com;transport=TLS",
                Proto::Tls,
                "example.com",
                5061,
            ),
            (
                "sip:bob@example.com;maddr=192.0.2.9",
                Proto::Udp,
                "192.0.2.9",
                5060,
            ),
        ];
        for (uri, proto, host, port) in cases {
            assert_eq!(hop(uri), Ok((proto, host.to_owned(), port)), "{uri}");
        }
    }

    #[test]
    fn what_cannot_be_routed_says_why() {
        assert_eq!(hop("tel:+15551234"), Err(RouteError::Scheme));
        assert_eq!(
            hop("sip:bob@example.com;transport=carrier"),
            Err(RouteError::Transport)
        );
        assert_eq!(hop("nonsense"), Err(RouteError::BadUri));
    }
}
