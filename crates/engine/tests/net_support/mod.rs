//! What the transport tests share: a sink that remembers, a server with worker
//! threads, clients, and waiting for conditions.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use sipwright_engine::config::{ClientProfile, EngineConfig, Listen, ServerProfile, TlsMode};
use sipwright_engine::net::{ConnInfo, Net, SendError, Sink, TxTag};
use sipwright_engine::tls::dev_cert::{self, DevCert, DevKey};
use sipwright_sip::tx::TxId;
use sipwright_sip::types::{Flow, Proto};

/// Longer than anything here takes on a busy machine; reached only by a failure.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_micros(100);

/// Waits until `condition` holds.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::sleep(PAUSE);
    }
}

#[derive(Default)]
pub struct Seen {
    pub messages: Vec<(Bytes, Flow)>,
    pub failed: Vec<(Flow, Option<TxTag>)>,
    pub closed: Vec<Flow>,
}

/// Remembers everything it is told.
#[derive(Default)]
pub struct Recorder {
    seen: Mutex<Seen>,
    changed: Condvar,
    pub jobs: AtomicBool,
    pub lagging: AtomicBool,
}

impl Recorder {
    /// Waits until what was seen satisfies `condition`, then looks at it.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, mut condition: impl FnMut(&Seen) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        let mut seen = self.seen.lock().unwrap();
        loop {
            if let Some(result) = condition(&seen) {
                return result;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}");
            seen = self.changed.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits for `count` messages.
    #[track_caller]
    pub fn messages(&self, count: usize) -> Vec<(Bytes, Flow)> {
        self.wait(&format!("{count} messages"), |s| {
            (s.messages.len() >= count).then(|| s.messages.clone())
        })
    }

    /// Looks at what was seen so far.
    pub fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
    }
}

impl Sink for Recorder {
    fn message(&self, bytes: Bytes, flow: Flow) {
        self.note(|s| s.messages.push((bytes, flow)));
    }

    fn send_failed(&self, flow: &Flow, tx: Option<TxTag>) {
        self.note(|s| s.failed.push((*flow, tx)));
    }

    fn conn_closed(&self, flow: &Flow) {
        self.note(|s| s.closed.push(*flow));
    }

    fn jobs_pending(&self) -> bool {
        self.jobs.load(Ordering::SeqCst)
    }

    fn is_lagging(&self) -> bool {
        self.lagging.load(Ordering::SeqCst)
    }
}

/// Listens on loopback, ports chosen by the system, two network threads.
pub fn config(protos: &[Proto]) -> EngineConfig {
    let mut cfg = EngineConfig {
        workers: 2,
        ..EngineConfig::default()
    };
    cfg.listen = protos
        .iter()
        .map(|p| Listen::new(*p, Ipv4Addr::LOCALHOST.into(), 0))
        .collect();
    cfg.tls.threads = 2;
    cfg
}

/// A running transport and the threads that stand for its script workers.
pub struct Server {
    pub net: Net,
    pub sink: Arc<Recorder>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// With every worker waiting.
    pub fn start(cfg: &EngineConfig) -> Self {
        Self::start_with(cfg, usize::from(cfg.workers))
    }

    /// With `waiting` workers; the others are stuck in their scripts for ever.
    pub fn start_with(cfg: &EngineConfig, waiting: usize) -> Self {
        let sink = Arc::new(Recorder::default());
        let net = Net::bind(cfg, Arc::clone(&sink) as Arc<dyn Sink>).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let workers = (0..waiting).map(|i| {
            let mut port = net.worker(i).unwrap();
            let stop = Arc::clone(&stop);
            thread::spawn(
                move || {
                    while !stop.load(Ordering::SeqCst) && !port.wait(None).stopped {}
                },
            )
        });
        let workers = workers.collect();
        net.start().unwrap();
        Self {
            net,
            sink,
            stop,
            workers,
        }
    }

    pub fn addr(&self, index: usize) -> SocketAddr {
        self.net.sockets()[index].addr
    }

    pub fn flow(&self, index: usize, remote: SocketAddr) -> Flow {
        let info = &self.net.sockets()[index];
        Flow {
            proto: info.proto,
            socket: info.id,
            remote,
            conn: 0,
        }
    }

    pub fn stat(&self, name: &str) -> u64 {
        let all = self.net.stats().snapshot();
        all.iter()
            .find(|(n, _)| *n == name)
            .unwrap_or_else(|| panic!("no counter {name}"))
            .1
    }

    #[track_caller]
    pub fn until_stat(&self, name: &str, value: u64) {
        until(&format!("{name} is {value}"), || self.stat(name) == value);
    }

    /// The only connection there is.
    #[track_caller]
    pub fn only_conn(&self) -> ConnInfo {
        let conns = self.net.conns();
        assert_eq!(conns.len(), 1, "{conns:?}");
        conns[0].clone()
    }

    /// Sends to who does not read until the kernel takes nothing more and the write
    /// buffer is full; how many sends were accepted, tagged from 0.
    #[track_caller]
    pub fn fill(&self, flow: &Flow, chunk: &Bytes) -> u32 {
        let (mut accepted, mut still_full, mut queued) = (0, 0, 0);
        until("the write buffer is full for good", || {
            let now = self.net.conn(flow.conn).unwrap().queued;
            match self.net.send(flow, chunk.clone(), tag(accepted)) {
                Ok(()) => accepted += 1,
                Err(SendError::Full) if now == queued => still_full += 1,
                Err(SendError::Full) => still_full = 0,
                Err(e) => panic!("{e}"),
            }
            queued = now;
            still_full == 1000
        });
        accepted
    }

    /// Stops the transport and everything that waits on it.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.net.stop();
        for worker in self.workers.drain(..) {
            worker.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

pub fn tag(slot: u32) -> Option<TxTag> {
    Some((
        TxId {
            shard: 0,
            slot,
            generation: 0,
        },
        0,
    ))
}

/// A request of any size that a framer accepts.
pub fn request(call_id: &str, body: &str) -> Vec<u8> {
    format!(
        "MESSAGE sip:bob@example.org SIP/2.0\r\n\
         Via: SIP/2.0/TCP client.example.org;branch=z9hG4bK{call_id}\r\n\
         From: <sip:alice@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    try_connect(addr).unwrap()
}

fn try_connect(addr: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Reads exactly `len` bytes.
#[track_caller]
pub fn read_exact(stream: &mut impl Read, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Reads until the other side closes; a reset counts as an end.
pub fn read_to_end(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// A directory that is gone when the test is.
pub struct TempDir(pub PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sipwright-net-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A certificate that lasts as long as the test.
pub struct Certificate {
    pub files: DevCert,
    pub dir: TempDir,
}

impl Certificate {
    pub fn new() -> Self {
        let dir = TempDir::new();
        let files =
            dev_cert::ensure(&dir.0, &["sip.example.org".to_owned()], DevKey::EcdsaP256).unwrap();
        Self { files, dir }
    }

    pub fn server_profile(&self) -> ServerProfile {
        ServerProfile {
            certificate: self.files.certificate.clone(),
            private_key: self.files.private_key.clone(),
            ..ServerProfile::default()
        }
    }

    pub fn client_profile(&self) -> ClientProfile {
        ClientProfile {
            ca: Some(self.files.ca.clone()),
            ..ClientProfile::default()
        }
    }

    /// A configuration with this certificate on both sides.
    pub fn config(&self, protos: &[Proto], mode: TlsMode) -> EngineConfig {
        let mut cfg = config(protos);
        cfg.tls.threads_mode = mode;
        cfg.tls.server = vec![self.server_profile()];
        cfg.tls.client = vec![self.client_profile()];
        cfg
    }

    /// What a client needs that trusts it.
    pub fn client_config(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(&self.files.ca).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A blocking TLS client; the handshake is done when this returns.
pub fn tls_connect(
    addr: SocketAddr,
    config: &Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<TlsStream> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = StreamOwned::new(session, try_connect(addr)?);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    stream.flush()?;
    Ok(stream)
}
