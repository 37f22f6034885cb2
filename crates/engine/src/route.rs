//! Where a message goes: from URIs and Vias to a [`Flow`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sipwright_sip::build::{ViaFix, ViaTarget};
use sipwright_sip::message::Message;
use sipwright_sip::script::Env;
use sipwright_sip::types::{Flow, Proto, SocketId, SocketInfo};
use sipwright_sip::uri::Uri;
use sipwright_sip::via::Rport;

use crate::dns::{NoTarget, Target, Wanted};
use crate::net::source_for;

/// A next hop before its host name is resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextHop {
    /// Host: a name, or an address as text without brackets.
    pub host: Arc<str>,
    /// Port, if one is named.
    pub port: Option<u16>,
    /// Transport, if one is named.
    pub proto: Option<Proto>,
    /// Whether every hop has to be secure (`sips`).
    pub secure: bool,
    /// The address, when the host is one.
    pub addr: Option<IpAddr>,
    /// Name that the server's certificate must be valid for (RFC 5922 section 7): the
    /// domain of the URI, whatever NAPTR and SRV make of it. None for an address.
    pub name: Option<Arc<str>>,
}

impl NextHop {
    /// A host with what is known of it; an IPv6 address may have brackets.
    #[must_use]
    pub fn new(host: &str, port: Option<u16>, proto: Option<Proto>) -> Self {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addr = bare.parse().ok();
        let host: Arc<str> = bare.into();
        Self {
            name: addr.is_none().then(|| Arc::clone(&host)),
            host,
            port,
            proto,
            secure: false,
            addr,
        }
    }

    /// The one target of a host that is an address: no DNS is needed (RFC 3263
    /// section 4.1).
    #[must_use]
    pub fn numeric(&self) -> Option<Target> {
        let proto = match self.proto {
            Some(proto) => proto,
            None if self.secure => Proto::Tls,
            None => Proto::Udp,
        };
        let port = self.port.unwrap_or(proto.default_port());
        let addr = SocketAddr::new(self.addr?, port);
        Some(Target { proto, addr })
    }

    /// What to look for in the DNS otherwise.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        Wanted {
            host: Arc::clone(&self.host),
            port: self.port,
            proto: self.proto,
            secure: self.secure,
        }
    }
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

impl RouteError {
    /// Why a host came to nothing.
    #[must_use]
    pub fn no_target(host: &str, why: NoTarget) -> Self {
        match why {
            NoTarget::Unresolved(_) => Self::Unresolved(host.to_owned()),
            NoTarget::Transport(proto) => Self::NoSocket(proto),
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
    // `sips` asks for TLS on every hop (RFC 3261 section 26.2.2).
    let proto = match (named, uri.is_sips()) {
        (Some(Proto::Ws | Proto::Wss), true) => Some(Proto::Wss),
        (Some(_), true) => Some(Proto::Tls),
        (named, _) => named,
    };
    let maddr = uri.param(b"maddr").filter(|m| !m.is_empty());
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| RouteError::BadUri);
    let host = text(maddr.unwrap_or(uri.host))?;
    if host.is_empty() {
        return Err(RouteError::BadUri);
    }
    let mut hop = NextHop::new(host, uri.port, proto);
    hop.secure = uri.is_sips();
    if maddr.is_some() {
        hop.name = NextHop::new(text(uri.host)?, None, None).name;
    }
    Ok(hop)
}

/// Our socket for sending over `proto` to an address: the forced one if it fits, else the
/// one the message came in on, else the one whose address the kernel would send from, else
/// the first that fits. With `mhomed` the kernel is asked in any case.
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
    let routed = || {
        let to = SocketAddr::new(remote, proto.default_port());
        if env.in_memory { None } else { source_for(to) }
    };
    choose_socket(env, proto, remote, [forced, Some(received)], routed)
        .ok_or(RouteError::NoSocket(proto))
}

fn choose_socket(
    env: &Env,
    proto: Proto,
    remote: IpAddr,
    [forced, received]: [Option<SocketId>; 2],
    routed: impl Fn() -> Option<IpAddr>,
) -> Option<&SocketInfo> {
    let fits = |s: &&SocketInfo| s.proto == proto && s.addr.is_ipv4() == remote.is_ipv4();
    // What came in by loopback cannot leave from there to the world.
    let reaches = |s: &&SocketInfo| !s.addr.ip().is_loopback() || remote.is_loopback();
    let of = |id: Option<SocketId>| id.and_then(|id| env.socket(id)).filter(fits);
    let usual = || of(received).filter(reaches).filter(|_| !env.mhomed);
    let all = || env.sockets.iter().filter(fits);
    match of(forced).or_else(usual) {
        // Bound to the wildcard address: one of the addresses that it stands for.
        Some(wild) if is_wild(wild) => {
            let ip = routed();
            let face =
                |s: &&SocketInfo| Some(s.addr.ip()) == ip && s.addr.port() == wild.addr.port();
            Some(all().find(face).unwrap_or(wild))
        }
        Some(socket) => Some(socket),
        None if all().nth(1).is_none() => all().next(),
        None => {
            let ip = routed();
            // Nobody can answer to a wildcard address.
            let shown = |s: &&SocketInfo| !is_wild(s);
            all()
                .find(|s| Some(s.addr.ip()) == ip)
                .or_else(|| all().find(|s| shown(s) && reaches(s)))
                .or_else(|| all().find(shown))
                .or_else(|| all().next())
        }
    }
}

fn is_wild(socket: &SocketInfo) -> bool {
    socket.addr.ip().is_unspecified()
}

/// Where the responses to a request go (RFC 3261 section 18.2.2, RFC 3581):
/// back on the connection, or over UDP to the source. A `maddr` changes nothing, as in
/// Kamailio: a sender must not choose who else is answered.
#[must_use]
pub fn reply_flow(msg: &Message, flow: &Flow, force_rport: bool) -> Flow {
    let via = msg.via();
    if flow.proto.is_reliable() {
        // The connection if it is still there, else one to the port of sent-by.
        let remote = SocketAddr::new(flow.remote.ip(), via.port_or_default());
        return Flow { remote, ..*flow };
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

/// Where a response without a transaction goes, by its second Via (RFC 3261 section
/// 18.2.2, RFC 3263 section 5): to `received` or an address at once, else to a host
/// that has to be looked up, by SRV if the Via names no port.
///
/// # Errors
/// The transport is unknown here, or the host no name.
pub fn response_hop(target: &ViaTarget<'_>) -> Result<NextHop, RouteError> {
    let proto = target.proto.ok_or(RouteError::Transport)?;
    if let Some(addr) = target.addr() {
        let ip = addr.ip().to_string();
        return Ok(NextHop::new(&ip, Some(addr.port()), Some(proto)));
    }
    let (host, _) = target.host_port();
    let host = std::str::from_utf8(host).map_err(|_| RouteError::BadUri)?;
    Ok(NextHop::new(
        host,
        target.rport.or(target.port),
        Some(proto),
    ))
}

/// The flow of such a response to one place.
///
/// # Errors
/// [`RouteError::NoSocket`].
pub fn response_flow(env: &Env, place: &Target, received: SocketId) -> Result<Flow, RouteError> {
    let socket = out_socket(env, place.proto, place.addr.ip(), None, received)?;
    Ok(Flow {
        proto: place.proto,
        socket: socket.id,
        remote: place.addr,
        conn: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Hop = (Option<Proto>, String, Option<u16>);

    fn hop(uri: &str) -> Result<Hop, RouteError> {
        next_hop(uri.as_bytes()).map(|h| (h.proto, h.host.to_string(), h.port))
    }

    #[test]
    fn transport_and_port_follow_the_uri() {
        let (udp, tcp, tls) = (Proto::Udp, Proto::Tcp, Proto::Tls);
        let cases = [
            ("sip:bob@192.0.2.1", None, "192.0.2.1", None),
            (
                "sip:b@192.0.2.1:5070;transport=tcp",
                Some(tcp),
                "192.0.2.1",
                Some(5070),
            ),
            (
                "sip:bob@[2001:db8::1];transport=udp",
                Some(udp),
                "2001:db8::1",
                None,
            ),
            ("sips:bob@example.com", None, "example.com", None),
            (
                "sips:bob@example.com;transport=tcp",
                Some(tls),
                "example.com",
                None,
            ),
            (
                "sip:bob@example.com;transport=TLS",
                Some(tls),
                "example.com",
                None,
            ),
            (
                "sip:bob@example.com;maddr=192.0.2.9",
                None,
                "192.0.2.9",
                None,
            ),
        ];
        for (uri, proto, host, port) in cases {
            assert_eq!(hop(uri), Ok((proto, host.to_owned(), port)), "{uri}");
        }
    }

    fn env(sockets: &[&str]) -> Env {
        let sockets = sockets.iter().enumerate().map(|(i, text)| {
            let (proto, addr) = text.split_once(':').unwrap();
            SocketInfo {
                id: u16::try_from(i).unwrap(),
                proto: Proto::parse(proto.as_bytes()).unwrap(),
                addr: addr.parse().unwrap(),
                advertise: None,
                name: None,
            }
        });
        Env {
            sockets: sockets.collect(),
            ..Env::default()
        }
    }

    #[test]
    fn the_socket_to_send_from() {
        const TWO: &[&str] = &[
            "udp:192.0.2.1:5060",
            "udp:198.51.100.1:5060",
            "tcp:198.51.100.1:5060",
            "udp:[2001:db8::1]:5060",
            "udp:127.0.0.1:5060",
        ];
        const WILD: &[&str] = &[
            "udp:0.0.0.0:5060",
            "udp:192.0.2.1:5060",
            "udp:127.0.0.1:5060",
        ];
        let udp = Proto::Udp;
        let (near, far, home) = ("192.0.2.9", "198.51.100.9", "127.0.0.1");
        for (sockets, proto, remote, forced, received, mhomed, routed, chosen) in [
            // the one it came in on, wherever it goes
            (TWO, udp, far, None, 0, false, Some("198.51.100.1"), Some(0)),
            (TWO, udp, near, None, 1, false, Some("192.0.2.1"), Some(1)),
            // the script's wish, if it fits
            (TWO, udp, far, Some(1), 0, false, None, Some(1)),
            (TWO, udp, far, Some(3), 0, false, None, Some(0)),
            (TWO, Proto::Tcp, far, Some(0), 0, false, None, Some(2)),
            // mhomed asks the kernel
            (TWO, udp, far, None, 0, true, Some("198.51.100.1"), Some(1)),
            (TWO, udp, far, None, 0, true, Some("203.0.113.1"), Some(0)),
            (
                TWO,
                udp,
                far,
                Some(0),
                1,
                true,
                Some("198.51.100.1"),
                Some(0),
            ),
            // another family, another transport
            (TWO, udp, "2001:db8::9", None, 0, false, None, Some(3)),
            (TWO, Proto::Tls, near, None, 0, false, None, None),
            // from loopback into the world
            (TWO, udp, far, None, 4, false, Some("198.51.100.1"), Some(1)),
            (TWO, udp, home, None, 4, false, Some("127.0.0.1"), Some(4)),
            // a wildcard socket shows a real address
            (WILD, udp, near, None, 2, false, Some("192.0.2.1"), Some(1)),
            (
                WILD,
                udp,
                home,
                Some(0),
                1,
                false,
                Some("127.0.0.1"),
                Some(2),
            ),
            (WILD, udp, near, Some(0), 1, false, None, Some(0)),
        ] {
            let mut env = env(sockets);
            env.mhomed = mhomed;
            let routed: Option<IpAddr> = routed.map(|ip| ip.parse().unwrap());
            let to: IpAddr = remote.parse().unwrap();
            let found = choose_socket(&env, proto, to, [forced, Some(received)], || routed);
            let case = format!("{proto} to {remote} from {received}, {forced:?}, {mhomed}");
            assert_eq!(found.map(|s| s.id), chosen, "{case}");
        }
    }

    #[test]
    fn an_address_is_its_own_target() {
        let target = |uri: &str| {
            let target = next_hop(uri.as_bytes()).unwrap().numeric();
            target.map(|t| format!("{}:{}", t.proto, t.addr))
        };
        assert_eq!(
            target("sip:192.0.2.1").as_deref(),
            Some("udp:192.0.2.1:5060")
        );
        assert_eq!(
            target("sips:192.0.2.1").as_deref(),
            Some("tls:192.0.2.1:5061")
        );
        assert_eq!(
            target("sip:[2001:db8::1]:99").as_deref(),
            Some("udp:[2001:db8::1]:99")
        );
        assert_eq!(target("sip:example.com"), None);
    }

    #[test]
    fn a_certificate_is_for_the_domain_of_the_uri() {
        let name = |uri: &str| next_hop(uri.as_bytes()).unwrap().name;
        assert_eq!(name("sips:bob@example.com").as_deref(), Some("example.com"));
        assert_eq!(
            name("sips:bob@example.com;maddr=192.0.2.9").as_deref(),
            Some("example.com")
        );
        assert_eq!(name("sips:bob@192.0.2.9"), None);
    }

    #[test]
    fn a_response_goes_where_its_via_says() {
        let hop = |via: &str| {
            let text = format!(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP us;branch=z9hG4bK1\r\nVia: {via}\r\n\
                 From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"
            );
            let msg = Message::parse(text.into_bytes().into()).unwrap();
            let target = sipwright_sip::build::response_target(&msg).unwrap();
            let hop = response_hop(&target).unwrap();
            (hop.host.to_string(), hop.port, hop.addr.is_some())
        };
        let (name, ip) = ("a.example".to_owned(), "192.0.2.1".to_owned());
        let cases = [
            ("SIP/2.0/UDP a.example", (name.clone(), None, false)),
            (
                "SIP/2.0/TCP a.example:5070",
                (name.clone(), Some(5070), false),
            ),
            ("SIP/2.0/UDP a.example;rport=99", (name, Some(99), false)),
            (
                "SIP/2.0/UDP a.example;received=192.0.2.1",
                (ip.clone(), Some(5060), true),
            ),
            (
                "SIP/2.0/UDP a.example;received=192.0.2.1;rport=99",
                (ip.clone(), Some(99), true),
            ),
            (
                "SIP/2.0/UDP 192.0.2.1:5070;maddr=192.0.2.9",
                (ip, Some(5070), true),
            ),
        ];
        for (via, expected) in cases {
            assert_eq!(hop(via), expected, "{via}");
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
