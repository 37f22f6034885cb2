//! What a reactor is asked to do.

use std::net::TcpStream;
use std::sync::Arc;

use sipwright_sip::types::ConnId;

use super::conn::Conn;
use super::shared::HandshakeSlot;
use super::table::ConnHandle;

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
}
