//! Binding the listening sockets, before anything runs.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use sipwright_sip::types::{Proto, SocketId, SocketInfo};

use super::NetError;
use super::pktinfo;
use super::shared::Sockets;
use super::sys;
use crate::config::{EngineConfig, Listen, UdpConfig};

/// Binds every configured socket; the first that fails ends it, and is named.
///
/// After them come the addresses of this machine that wildcard sockets stand for, each
/// as a socket of its own, so that Via and Record-Route show a real one.
pub fn bind_all(cfg: &EngineConfig) -> Result<(Vec<SocketInfo>, Sockets), NetError> {
    let mut infos = Vec::new();
    let mut sockets = Sockets::default();
    for (index, listen) in cfg.listen.iter().enumerate() {
        let id = socket_id(index)?;
        let bound = bind_one(listen, &cfg.udp, cfg.forward.tos).map_err(|e| {
            let (proto, addr) = (listen.proto, listen.socket_addr());
            NetError::new(format!("cannot listen on {proto}:{addr}: {e}"))
        })?;
        infos.push(info(id, listen, bound.addr));
        sockets.udp.push(bound.udp);
        sockets.tcp.push(bound.tcp);
    }
    let faces =
        faces(&infos).map_err(|e| NetError::new(format!("addresses of interfaces: {e}")))?;
    infos.extend(faces);
    Ok((with_websocket(cfg, infos), sockets))
}

/// The same sockets, where none is bound: those of a transport in memory.
pub fn infos(cfg: &EngineConfig) -> Result<Vec<SocketInfo>, NetError> {
    let listens = cfg.listen.iter().enumerate();
    let infos: Result<Vec<_>, _> = listens
        .map(|(index, listen)| Ok(info(socket_id(index)?, listen, listen.socket_addr())))
        .collect();
    Ok(with_websocket(cfg, infos?))
}

fn socket_id(index: usize) -> Result<SocketId, NetError> {
    SocketId::try_from(index)
        .map_err(|_| NetError::new(format!("{} listening sockets are too many", index + 1)))
}

fn info(id: SocketId, listen: &Listen, addr: SocketAddr) -> SocketInfo {
    SocketInfo {
        id,
        proto: listen.proto,
        addr,
        advertise: listen.advertise.clone(),
        name: listen.name.clone(),
    }
}

fn with_websocket(cfg: &EngineConfig, mut infos: Vec<SocketInfo>) -> Vec<SocketInfo> {
    if cfg.may_upgrade() {
        let twins = websocket_twins(&infos);
        infos.extend(twins);
    }
    infos
}

/// WebSocket on the TCP and TLS sockets, each as a socket of its own, so that Via and
/// Record-Route name the transport.
fn websocket_twins(sockets: &[SocketInfo]) -> Vec<SocketInfo> {
    let mut made = Vec::new();
    for socket in sockets {
        let proto = match socket.proto {
            Proto::Tcp => Proto::Ws,
            Proto::Tls => Proto::Wss,
            _ => continue,
        };
        let Ok(id) = SocketId::try_from(sockets.len() + made.len()) else {
            break;
        };
        made.push(SocketInfo {
            id,
            proto,
            ..socket.clone()
        });
    }
    made
}

fn faces(bound: &[SocketInfo]) -> std::io::Result<Vec<SocketInfo>> {
    let mut wild = bound.iter().filter(|s| s.addr.ip().is_unspecified());
    if wild.clone().next().is_none() {
        return Ok(Vec::new());
    }
    let local = pktinfo::local_addresses()?;
    let mut made = Vec::new();
    for socket in &mut wild {
        let mine = local
            .iter()
            .filter(|ip| ip.is_ipv4() == socket.addr.is_ipv4());
        for ip in mine {
            let Ok(id) = SocketId::try_from(bound.len() + made.len()) else {
                break;
            };
            made.push(SocketInfo {
                id,
                addr: SocketAddr::new(*ip, socket.addr.port()),
                ..socket.clone()
            });
        }
    }
    Ok(made)
}

struct Bound {
    addr: SocketAddr,
    udp: Option<UdpSocket>,
    tcp: Option<TcpListener>,
}

fn bind_one(listen: &Listen, udp: &UdpConfig, tos: u8) -> std::io::Result<Bound> {
    let addr = listen.socket_addr();
    match listen.proto {
        Proto::Udp => {
            let fd = sys::udp_socket(&addr, udp.receive_buffer, udp.send_buffer)?;
            sys::set_tos(&fd, &addr, tos)?;
            if addr.ip().is_unspecified() {
                pktinfo::enable(&fd, addr.is_ipv6())?;
            }
            let socket = UdpSocket::from(fd);
            Ok(Bound {
                addr: socket.local_addr()?,
                udp: Some(socket),
                tcp: None,
            })
        }
        _ => {
            let listener = TcpListener::from(sys::tcp_listener(&addr)?);
            // Connections that it accepts inherit it.
            sys::set_tos(&listener, &addr, tos)?;
            Ok(Bound {
                addr: listener.local_addr()?,
                udp: None,
                tcp: Some(listener),
            })
        }
    }
}
