//! Tokens of flows (module outbound; RFC 5626 sections 5.2 and 5.3).
//!
//! An edge proxy writes a token into the user part of its Path and Record-Route that says by
//! which flow the client reached it: our socket, the client's address and the connection. What
//! comes back with it goes over that very flow. A keyed check sum keeps others from making one up.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::header::HeaderId;
use crate::method::Method;
use crate::nameaddr::parse_nameaddr;
use crate::types::{ConnId, Flow, Proto};
use crate::uri::Uri;

use super::context::Context;
use super::myself::parsed_is_myself;
use super::pv::{addr_uri, base64url, from_base64url};

/// Bytes of the check sum: 80 bits, as RFC 5626 section 5.2 has it.
const MAC: usize = 10;
/// Transport, port and address of our socket and of the client, connection.
const V4: usize = MAC + 1 + 2 * (2 + 4) + 8;
const V6: usize = MAC + 1 + 2 * (2 + 16) + 8;
const PROTOS: [Proto; 5] = [Proto::Udp, Proto::Tcp, Proto::Tls, Proto::Ws, Proto::Wss];

/// Settings of module outbound.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct OutboundConfig {
    /// Whether tokens are written and read.
    pub enabled: bool,
    /// Message flag that asks for a token whatever the client says.
    pub force_flag: Option<u8>,
    /// Message flag that forbids one.
    pub forbid_flag: Option<u8>,
    /// Key of the check sums.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for OutboundConfig {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboundConfig")
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

/// The flow that a request is to leave by, while its destination URI is the one that names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlowRoute {
    /// The destination URI, `sip:192.0.2.1:5060;transport=tcp`.
    pub uri: Vec<u8>,
    /// The flow.
    pub flow: Flow,
}

/// What the user part of our own Route says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// Nothing, or a name that is no token.
    Absent,
    /// The flow that this request came by: it goes where its URIs say.
    Own,
    /// The flow of a client, which it goes over.
    To(Flow),
    /// It was changed, or made by somebody else.
    Forged,
}

/// The token for our Path or Record-Route; `None` where the client wants no flow, or is not
/// the one that sent this request.
pub(super) fn token_to_write(ctx: &Context) -> Option<Vec<u8>> {
    let config = &ctx.env.outbound;
    if !config.enabled {
        return None;
    }
    let has = |flag: Option<u8>| flag.is_some_and(|n| ctx.tx_data.flags >> n & 1 == 1);
    if has(config.forbid_flag) {
        return None;
    }
    let registration = ctx.msg.method() == Method::Register;
    // A request to the client, by the Path of its registration: the flow is that of the Path.
    if !registration && let Some(token) = token_of_path(ctx) {
        return Some(token);
    }
    if has(config.force_flag) || is_first_hop(ctx) && contact_has(ctx, registration) {
        encode(ctx, &ctx.flow)
    } else {
        None
    }
}

/// What the first Route says, if it is ours.
pub(super) fn token_of_route(ctx: &Context, uri: &[u8]) -> Token {
    if !ctx.env.outbound.enabled {
        return Token::Absent;
    }
    let uri = Uri::parse(uri).ok();
    match uri
        .filter(|u| parsed_is_myself(ctx, u))
        .and_then(|u| u.user)
    {
        Some(user) => read(ctx, user),
        None => Token::Absent,
    }
}

/// Sends the request over the flow.
pub(super) fn go_by(ctx: &mut Context, flow: Flow) {
    let uri = addr_uri(flow.remote, flow.proto, true).into_bytes();
    ctx.force_socket = Some(flow.socket);
    ctx.set_dst_uri(uri.clone());
    ctx.flow_route = Some(Arc::new(FlowRoute { uri, flow }));
}

/// The user part of the top Route with `ob`, if that is a token of ours.
fn token_of_path(ctx: &Context) -> Option<Vec<u8>> {
    let msg = &ctx.msg;
    let top = msg.values(HeaderId::Route).next()?;
    let uri = Uri::parse(parse_nameaddr(msg.get(top)).ok()?.uri).ok()?;
    let user = uri
        .user
        .filter(|_| uri.params().has(b"ob") && parsed_is_myself(ctx, &uri))?;
    matches!(read(ctx, user), Token::Own | Token::To(_)).then(|| user.to_vec())
}

/// Whether no proxy was before us.
fn is_first_hop(ctx: &Context) -> bool {
    ctx.msg.values(HeaderId::Via).nth(1).is_none()
}

/// Whether the first contact has `reg-id` (a registration), or `ob` in its URI.
fn contact_has(ctx: &Context, registration: bool) -> bool {
    let msg = &ctx.msg;
    let Some(contact) = msg.values(HeaderId::Contact).next() else {
        return false;
    };
    let Ok(parts) = parse_nameaddr(msg.get(contact)) else {
        return false;
    };
    if registration {
        return parts.param(b"reg-id").is_some();
    }
    Uri::parse(parts.uri).is_ok_and(|uri| uri.params().has(b"ob"))
}

fn encode(ctx: &Context, flow: &Flow) -> Option<Vec<u8>> {
    let ours = ctx.env.socket(flow.socket)?.addr;
    let mut text = Vec::with_capacity(V6);
    let proto = PROTOS.iter().position(|p| *p == flow.proto)?;
    text.push(u8::try_from(proto).ok()? + 1);
    for addr in [ours, flow.remote] {
        text.extend_from_slice(&addr.port().to_be_bytes());
        match addr.ip() {
            IpAddr::V4(ip) => text.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => text.extend_from_slice(&ip.octets()),
        }
    }
    text.extend_from_slice(&flow.conn.to_be_bytes());
    let mac = hmac(&ctx.env.outbound.secret, &text);
    Some(base64url(&[&mac[..MAC], &text[..]].concat()))
}

fn read(ctx: &Context, user: &[u8]) -> Token {
    let Some(bytes) = from_base64url(user).filter(|b| matches!(b.len(), V4 | V6)) else {
        return Token::Absent;
    };
    let (mac, text) = bytes.split_at(MAC);
    let right = hmac(&ctx.env.outbound.secret, text);
    // Looks at every byte, so that the time tells nothing.
    if right[..MAC]
        .iter()
        .zip(mac)
        .fold(0, |d, (a, b)| d | (a ^ b))
        != 0
    {
        return Token::Forged;
    }
    match flow_of(ctx, text) {
        Some(flow) => {
            let here = &ctx.flow;
            let same =
                (here.proto, here.socket, here.remote) == (flow.proto, flow.socket, flow.remote);
            if same { Token::Own } else { Token::To(flow) }
        }
        // Of a socket that we had before a restart.
        None => Token::Forged,
    }
}

fn flow_of(ctx: &Context, text: &[u8]) -> Option<Flow> {
    let (proto, rest) = text.split_first()?;
    let proto = *PROTOS.get(usize::from(*proto).checked_sub(1)?)?;
    let (addresses, conn) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
    let (ours, theirs) = addresses.split_at(addresses.len() / 2);
    let (ours, remote) = (address(ours)?, address(theirs)?);
    let mut sockets = ctx.env.sockets.iter();
    let socket = sockets.find(|s| s.proto == proto && s.addr == ours)?;
    Some(Flow {
        proto,
        socket: socket.id,
        remote,
        conn: ConnId::from_be_bytes(conn.try_into().ok()?),
    })
}

fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let (port, ip) = bytes.split_at_checked(2)?;
    let ip = match ip.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
    };
    Some(SocketAddr::new(
        ip,
        u16::from_be_bytes(port.try_into().ok()?),
    ))
}

/// HMAC (RFC 2104) with SHA-256.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new()
        .chain_update(block.map(|b| b ^ 0x36))
        .chain_update(text)
        .finalize();
    Sha256::new()
        .chain_update(block.map(|b| b ^ 0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_sum_is_that_of_rfc_4231() {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&hmac(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
