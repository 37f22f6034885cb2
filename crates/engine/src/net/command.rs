//! What a reactor is asked to do.

use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::types::ConnId;

use super::conn::Conn;
use super::shared::HandshakeSlot;
use super::table::ConnHandle;

/// What becomes of a connection once an HTTP request of it was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// The next request is served.
    Next,
    /// It is closed.
    Close,
    /// It carries WebSocket from now on.
    Upgrade,
}

/// What a reactor is asked to do.
pub enum Command {
    /// Serve a connection that another thread accepted.
    Accepted(TcpStream, Arc<ConnHandle>, Option<HandshakeSlot>),
    /// Open an outgoing connection.
    Open(Arc<ConnHandle>),
    /// Serve a connection that another reactor has brought through its handshake.
    Adopt(Box<Conn>),
    /// Bytes wait in this connection.
    Flush(ConnId),
    /// Flush and close it.
    Close(ConnId),
    /// The script has decided whether it may be written to.
    Release(ConnId, bool),
    /// The answer to its HTTP request is among the bytes that wait.
    Answered(ConnId, After),
    /// Send this close frame of WebSocket, then close it.
    Farewell(ConnId, Bytes),
}

impl Command {
    /// The connection that it is about, unless it brings one.
    pub const fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Accepted(..) | Self::Open(_) | Self::Adopt(_) => None,
            Self::Flush(id)
            | Self::Close(id)
            | Self::Release(id, _)
            | Self::Answered(id, _)
            | Self::Farewell(id, _) => Some(*id),
        }
    }
}
