//! Sending: a datagram at once, a message for a stream by the thread that owns the connection.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::types::{Flow, Proto, SendOptions};
use sipwright_sip::ws;

use super::command::Command;
use super::shared::Phase;
use super::table::{ConnHandle, ConnState, Found, Hop, NewConn, OutItem, PushError, Refused};
use super::{How, Net, TxTag, icmp, monotonic_ms, pktinfo};
use crate::sync::assert_no_lock_held;
use crate::tls;

/// A connection may close between being found and being used; so often another one
/// is tried. Each try needs another connection that ends in just that moment.
const CLOSING_TRIES: usize = 8;

/// Why a message was refused at once; nothing of it is or will be sent, and
/// [`Sink::send_failed`] is not called.
#[derive(Debug)]
pub enum SendError {
    /// The engine is stopped, or this is a forked child.
    Stopped,
    /// No listening socket of that protocol and address family.
    NoSocket,
    /// There is no connection, and none can be opened to there.
    NoConnection,
    /// Too many bytes wait in the connection already.
    Full,
    /// Too many connections.
    TooManyConnections,
    /// The kernel refused the datagram.
    Io(io::Error),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the engine is stopped"),
            Self::NoSocket => {
                f.write_str("no listening socket of that protocol and address family")
            }
            Self::NoConnection => f.write_str("no connection"),
            Self::Full => f.write_str("the write buffer of the connection is full"),
            Self::TooManyConnections => f.write_str("too many connections"),
            Self::Io(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for SendError {}

impl Net {
    /// Sends `bytes` along `flow`; never blocks. UDP leaves at once. A stream
    /// takes the connection `flow.conn`, else one to `flow.remote`, else opens one,
    /// which it does from [`Net::start`] on.
    ///
    /// # Errors
    /// See [`SendError`]; later failures are reported by [`Sink::send_failed`].
    pub fn send(&self, flow: &Flow, bytes: Bytes, tx: Option<TxTag>) -> Result<(), SendError> {
        self.send_named(flow, bytes, tx, None)
    }

    /// As [`Net::send`], with the host name of the next hop: TLS sends it as SNI
    /// and verifies the certificate for it (RFC 5922). Without one the address counts.
    ///
    /// # Errors
    /// As [`Net::send`].
    pub fn send_named(
        &self,
        flow: &Flow,
        bytes: Bytes,
        tx: Option<TxTag>,
        server_name: Option<&str>,
    ) -> Result<(), SendError> {
        let options = SendOptions::default();
        let how = How {
            server_name,
            options,
        };
        self.send_how(flow, bytes, tx, how)
    }

    /// As [`Net::send_named`], with a say in what becomes of the connection.
    ///
    /// # Errors
    /// As [`Net::send`].
    pub fn send_how(
        &self,
        flow: &Flow,
        bytes: Bytes,
        tx: Option<TxTag>,
        how: How<'_>,
    ) -> Result<(), SendError> {
        if !self.shared().alive() {
            return Err(SendError::Stopped);
        }
        match flow.proto {
            _ if bytes.is_empty() => Ok(()),
            Proto::Udp => self.send_datagram(flow, &bytes),
            _ => {
                let item = OutItem {
                    bytes,
                    tx,
                    message: true,
                };
                self.send_stream(flow, item, how)
            }
        }
    }

    fn send_datagram(&self, flow: &Flow, bytes: &[u8]) -> Result<(), SendError> {
        let shared = self.shared();
        let info = shared.socket_for(Proto::Udp, &flow.remote, flow.socket);
        let info = info.ok_or(SendError::NoSocket)?;
        if let Some(memory) = &shared.memory {
            shared.stats.sent_udp.inc();
            let flow = Flow {
                socket: info.id,
                ..*flow
            };
            memory.sent(flow, Bytes::copy_from_slice(bytes));
            return Ok(());
        }
        let sockets = shared.sockets();
        let (bound, face) = shared.bound(info);
        let socket = sockets.udp.get(bound).and_then(Option::as_ref);
        let socket = socket.ok_or(SendError::Stopped)?;
        assert_no_lock_held("sendto");
        let send = || match face {
            None => socket.send_to(bytes, flow.remote),
            Some(from) => pktinfo::send_from(socket, bytes, flow.remote, from),
        };
        let refused = |e: &io::Error| e.raw_os_error().is_some_and(icmp::is_unreachable_code);
        // The first error may be about an earlier datagram to somebody else, told by ICMP.
        let sent = match send() {
            Err(e) if refused(&e) => send(),
            sent => sent,
        };
        match sent {
            Ok(_) => shared.stats.sent_udp.inc(),
            // As lost as in any full buffer on the way; timers A and E take care of it.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => shared.stats.udp_send_full.inc(),
            Err(e) => {
                shared.stats.udp_send_errors.inc();
                return Err(SendError::Io(e));
            }
        }
        Ok(())
    }

    fn send_stream(&self, flow: &Flow, item: OutItem, how: How<'_>) -> Result<(), SendError> {
        let bound = self.shared().cfg.limits.write_buffer;
        let server_id = if flow.proto.is_secure() {
            tls::next_server_id()
        } else {
            None
        };
        let hop = Hop {
            server_name: how.server_name,
            server_id: server_id.as_deref(),
        };
        for _ in 0..CLOSING_TRIES {
            let (handle, new) = self.connection(flow, hop, how.options)?;
            let framed = handle.is_websocket() && self.shared().memory.is_none();
            let bytes = match framed {
                true => ws::message(&item.bytes),
                false => item.bytes.clone(),
            };
            let pushed = handle.push(OutItem { bytes, ..item }, bound);
            // Not before, lest it be closed for want of anything to send.
            let close = how.options.close && pushed.is_ok();
            if close {
                handle.close_when_sent();
            }
            if new {
                if server_id.is_some() {
                    tls::set_next_server_id(None);
                }
                // Only now, so that a connect that fails at once fails this item too.
                self.open(&handle)?;
            }
            match pushed {
                Ok(notify) => {
                    if (notify || close) && !new {
                        self.tell_owner(&handle, Command::Flush(handle.id));
                    }
                    return Ok(());
                }
                Err(PushError::Full) => {
                    self.shared().stats.write_buffer_full.inc();
                    return Err(SendError::Full);
                }
                Err(PushError::Closed) => {}
            }
        }
        Err(SendError::NoConnection)
    }

    /// A mailbox that nobody reads belongs to a worker that ends; it fails what
    /// waits in its connections itself.
    pub(super) fn tell_owner(&self, handle: &Arc<ConnHandle>, command: Command) {
        if let Some(memory) = &self.shared().memory {
            return self.obey(memory, handle, command);
        }
        let _ = self.shared().mailboxes[handle.owner()].post(command);
    }

    /// The connection to use, and whether it is new and has to be opened.
    fn connection(
        &self,
        flow: &Flow,
        hop: Hop<'_>,
        options: SendOptions,
    ) -> Result<(Arc<ConnHandle>, bool), SendError> {
        let shared = self.shared();
        if options.exact {
            let known = shared.table.of_flow(flow).ok_or(SendError::NoConnection)?;
            return Ok((known, false));
        }
        let found = shared.table.find_or_insert(flow, hop, || {
            let cannot = matches!(flow.proto, Proto::Ws | Proto::Wss);
            if cannot || options.no_connect || shared.phase() == Phase::Bound {
                return None;
            }
            let info = shared.socket_for(flow.proto, &flow.remote, flow.socket)?;
            Some(NewConn {
                proto: flow.proto,
                remote: flow.remote,
                socket: info.id,
                outbound: true,
                server_name: hop.server_name.map(str::to_owned),
                server_id: hop.server_id.map(str::to_owned),
                owner: shared.place(flow.proto, false, usize::MAX),
                state: ConnState::Connecting,
                born: monotonic_ms(),
            })
        });
        match found {
            Ok(Found::Known(handle)) => Ok((handle, false)),
            Ok(Found::New(handle)) => Ok((handle, true)),
            Ok(Found::Nothing) => Err(SendError::NoConnection),
            Err(Refused::Max | Refused::PerSource) => {
                shared.stats.refused_connections_max.inc();
                Err(SendError::TooManyConnections)
            }
        }
    }

    fn open(&self, handle: &Arc<ConnHandle>) -> Result<(), SendError> {
        let shared = self.shared();
        let owner = handle.owner();
        shared.count_new(owner);
        shared.stats.connections_opened.inc();
        if let Some(memory) = &shared.memory {
            self.obey(memory, handle, Command::Open(Arc::clone(handle)));
            return Ok(());
        }
        if shared.mailboxes[owner]
            .post(Command::Open(Arc::clone(handle)))
            .is_ok()
        {
            return Ok(());
        }
        // The worker that was to have it has just ended; network threads do not.
        shared.count_gone(owner);
        shared.count_new(0);
        handle.set_owner(0);
        let again = shared.mailboxes[0].post(Command::Open(Arc::clone(handle)));
        again.map_err(|_| {
            shared.table.remove(handle);
            shared.count_gone(0);
            SendError::Stopped
        })
    }
}
