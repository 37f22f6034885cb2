//! A TCP socket with or without TLS on it; never blocks.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use bytes::Bytes;
use rustls::server::{Acceptor, ClientHello};
use rustls::{ClientConfig, ClientConnection, Connection, HandshakeKind, ServerConfig};
use rustls_pki_types::ServerName;

use super::table::{OutItem, TlsInfo};
use crate::tls::{self, Identity};

/// Items written by one system call.
const WRITE_BATCH: usize = 16;

/// Bytes on their way out, in order. An item leaves only when the kernel has all
/// of it, so that what is left after a failure is exactly what was not sent.
#[derive(Default)]
pub struct Outgoing {
    /// Not, or not wholly, given to the kernel or to TLS.
    items: VecDeque<OutItem>,
    /// Bytes of the first item that were given.
    offset: usize,
    /// Encrypted, but part of the ciphertext is still ours.
    staged: VecDeque<OutItem>,
    done_messages: u64,
    done_bytes: usize,
}

impl Outgoing {
    /// Adds at the end.
    pub fn extend(&mut self, items: impl IntoIterator<Item = OutItem>) {
        self.items.extend(items);
    }

    /// Messages and bytes that the kernel has taken since the last call.
    pub const fn take_done(&mut self) -> (u64, usize) {
        let done = (self.done_messages, self.done_bytes);
        self.done_messages = 0;
        self.done_bytes = 0;
        done
    }

    /// Whether everything is with the kernel.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.staged.is_empty()
    }

    /// What was not sent.
    pub fn into_unsent(self) -> impl Iterator<Item = OutItem> {
        self.staged.into_iter().chain(self.items)
    }

    fn done(&mut self, item: &OutItem) {
        self.done_messages += u64::from(item.message);
        self.done_bytes += item.bytes.len();
    }

    fn consume_plain(&mut self, mut n: usize) {
        while let Some(first) = self.items.front() {
            let left = first.bytes.len() - self.offset;
            if n < left {
                self.offset += n;
                return;
            }
            n -= left;
            self.offset = 0;
            if let Some(item) = self.items.pop_front() {
                self.done(&item);
            }
        }
    }

    fn staged_done(&mut self) {
        while let Some(item) = self.staged.pop_front() {
            self.done(&item);
        }
    }
}

/// Why a handshake failed.
#[derive(Debug)]
pub enum HandshakeError {
    /// The other side hung up.
    Closed,
    /// TLS could not agree.
    Tls(rustls::Error),
}

enum Tls {
    Plain,
    /// Waits for the ClientHello, which chooses the profile.
    Hello(Box<Acceptor>),
    Session(Box<Connection>),
}

/// The socket and its TLS state.
pub struct Stream {
    sock: TcpStream,
    tls: Tls,
    /// The last read left nothing in the socket: epoll tells when there is more, so
    /// that asking again would be a system call for nothing.
    drained: bool,
}

/// Reads from the socket and notes whether that emptied it.
struct Emptying<'a> {
    sock: &'a mut TcpStream,
    drained: &'a mut bool,
}

impl Read for Emptying<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.sock.read(buf)?;
        // At the end of the stream it is not: that is told once more.
        *self.drained = n > 0 && n < buf.len();
        Ok(n)
    }
}

impl Stream {
    /// Without TLS.
    pub const fn plain(sock: TcpStream) -> Self {
        Self {
            sock,
            tls: Tls::Plain,
            drained: false,
        }
    }

    /// As TLS server; the profile is chosen in [`Stream::handshake`].
    pub fn server(sock: TcpStream) -> Self {
        Self {
            sock,
            tls: Tls::Hello(Box::default()),
            drained: false,
        }
    }

    /// Becomes a TLS client once TCP is up.
    pub fn start_client(
        &mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<(), rustls::Error> {
        let session = ClientConnection::new(config, name)?;
        self.tls = Tls::Session(Box::new(session.into()));
        Ok(())
    }

    /// For epoll and socket options.
    pub const fn socket(&self) -> &TcpStream {
        &self.sock
    }

    /// Takes the handshake as far as it goes; true once it is done.
    pub fn handshake(
        &mut self,
        select: impl FnOnce(&ClientHello<'_>) -> Option<Arc<ServerConfig>>,
    ) -> Result<bool, HandshakeError> {
        if let Tls::Hello(acceptor) = &mut self.tls {
            let Some(session) = accept(&mut self.sock, acceptor, select)? else {
                return Ok(false);
            };
            self.tls = Tls::Session(Box::new(session));
        }
        match &mut self.tls {
            Tls::Session(session) => drive(&mut self.sock, session),
            Tls::Plain | Tls::Hello(_) => Ok(true),
        }
    }

    /// Decrypted bytes; `Ok(0)` at the end of the stream.
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut sock = Emptying {
            sock: &mut self.sock,
            drained: &mut self.drained,
        };
        let Tls::Session(session) = &mut self.tls else {
            if std::mem::take(sock.drained) {
                return Err(ErrorKind::WouldBlock.into());
            }
            return sock.read(buf);
        };
        loop {
            match session.reader().read(buf) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                // Ended without close_notify: TCP ended first.
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            if std::mem::take(sock.drained) {
                return Err(ErrorKind::WouldBlock.into());
            }
            if session.read_tls(&mut sock)? == 0 {
                return Ok(0);
            }
            if let Err(e) = session.process_new_packets() {
                // Best effort: tells the other side why.
                let _ = session.write_tls(sock.sock);
                return Err(io::Error::new(ErrorKind::InvalidData, e));
            }
        }
    }

    /// Writes as much as the socket takes; true once everything is with the kernel.
    pub fn flush(&mut self, out: &mut Outgoing) -> io::Result<bool> {
        match &mut self.tls {
            Tls::Session(session) => flush_tls(&mut self.sock, session, out),
            Tls::Plain | Tls::Hello(_) => flush_plain(&mut self.sock, out),
        }
    }

    /// Whether ciphertext waits for room in the socket.
    pub fn wants_write(&self) -> bool {
        matches!(&self.tls, Tls::Session(session) if session.wants_write())
    }

    /// Says farewell: close_notify if there is TLS; true once it is with the kernel.
    pub fn finish(&mut self, said: &mut bool) -> io::Result<bool> {
        if let Tls::Session(session) = &mut self.tls {
            if !*said {
                session.send_close_notify();
                *said = true;
            }
            if !write_records(&mut self.sock, session)? {
                return Ok(false);
            }
        }
        // An error means that the other side was faster.
        let _ = self.sock.shutdown(Shutdown::Write);
        Ok(true)
    }

    /// Reads and drops raw bytes; true at the end of the stream. Data that nobody
    /// reads would turn our farewell into a reset, and a last answer would be lost.
    pub fn discard(&mut self, buf: &mut [u8]) -> bool {
        loop {
            match self.sock.read(buf) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return e.kind() != ErrorKind::WouldBlock,
            }
        }
    }

    /// What the handshake agreed on.
    pub fn tls_info(&self, profile: Arc<Identity>) -> Option<TlsInfo> {
        let Tls::Session(session) = &self.tls else {
            return None;
        };
        let server_name = match &**session {
            Connection::Server(s) => s.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        };
        let suite = session.negotiated_cipher_suite().map(|s| s.suite());
        let chain = session.peer_certificates().unwrap_or_default();
        let (verdict, problem) = profile.verdict(chain);
        Some(TlsInfo {
            version: match session.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "unknown",
            },
            cipher: suite.map_or("", tls::openssl_name),
            cipher_bits: suite.map_or(0, tls::bits),
            server_name,
            resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
            peer_certificate: chain.first().map(|cert| Bytes::copy_from_slice(cert)),
            verdict,
            problem,
            profile,
        })
    }
}

fn would_block(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn accept(
    sock: &mut TcpStream,
    acceptor: &mut Acceptor,
    select: impl FnOnce(&ClientHello<'_>) -> Option<Arc<ServerConfig>>,
) -> Result<Option<Connection>, HandshakeError> {
    let accepted = loop {
        match acceptor.read_tls(sock) {
            Ok(0) => return Err(HandshakeError::Closed),
            Ok(_) => {}
            Err(e) if would_block(&e) => return Ok(None),
            Err(_) => return Err(HandshakeError::Closed),
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => break accepted,
            Ok(None) => {}
            Err((e, mut alert)) => {
                let _ = alert.write_all(sock);
                return Err(HandshakeError::Tls(e));
            }
        }
    };
    let Some(config) = select(&accepted.client_hello()) else {
        let e = rustls::Error::General("no profile for this name".into());
        return Err(HandshakeError::Tls(e));
    };
    match accepted.into_connection(config) {
        Ok(session) => Ok(Some(session.into())),
        Err((e, mut alert)) => {
            let _ = alert.write_all(sock);
            Err(HandshakeError::Tls(e))
        }
    }
}

fn drive(sock: &mut TcpStream, session: &mut Connection) -> Result<bool, HandshakeError> {
    loop {
        let flushed = write_records(sock, session).map_err(|_| HandshakeError::Closed)?;
        if !session.is_handshaking() {
            return Ok(true);
        }
        if !flushed && !session.wants_read() {
            return Ok(false);
        }
        match session.read_tls(sock) {
            Ok(0) => return Err(HandshakeError::Closed),
            Ok(_) => {}
            Err(e) if would_block(&e) => return Ok(false),
            Err(_) => return Err(HandshakeError::Closed),
        }
        if let Err(e) = session.process_new_packets() {
            // Best effort: the alert tells the other side why.
            let _ = write_records(sock, session);
            return Err(HandshakeError::Tls(e));
        }
    }
}

/// Gives the kernel the ciphertext that waits; true if all of it.
fn write_records(sock: &mut TcpStream, session: &mut Connection) -> io::Result<bool> {
    while session.wants_write() {
        match session.write_tls(sock) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

fn flush_plain(sock: &mut TcpStream, out: &mut Outgoing) -> io::Result<bool> {
    while !out.items.is_empty() {
        let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
        let mut count = 0;
        for (slice, item) in slices.iter_mut().zip(&out.items) {
            let skip = if count == 0 { out.offset } else { 0 };
            *slice = IoSlice::new(&item.bytes[skip..]);
            count += 1;
        }
        match sock.write_vectored(&slices[..count]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => out.consume_plain(n),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

fn flush_tls(
    sock: &mut TcpStream,
    session: &mut Connection,
    out: &mut Outgoing,
) -> io::Result<bool> {
    loop {
        // rustls bounds its buffer, so this ends although nothing is written here.
        while let Some(item) = out.items.front() {
            let n = session.writer().write(&item.bytes[out.offset..])?;
            out.offset += n;
            if out.offset < item.bytes.len() {
                break;
            }
            out.offset = 0;
            out.staged.extend(out.items.pop_front());
        }
        if !write_records(sock, session)? {
            return Ok(false);
        }
        out.staged_done();
        if out.items.is_empty() {
            return Ok(true);
        }
    }
}
