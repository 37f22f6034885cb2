//! TLS connections as fast as a few threads make them: connect, full handshake, close_notify.
//!
//! `tls_storm HOST:PORT CLIENTS SECONDS COUNT` ends after the time or the number of handshakes, whichever is first, and
//! prints one JSON line. Loopback only. It verifies nothing: it is a load, not a client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Takes any certificate.
#[derive(Debug)]
struct Any;

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((server, [clients, seconds, count])) = parse(&args) else {
        eprintln!("usage: tls_storm HOST:PORT CLIENTS SECONDS COUNT, the host on loopback");
        return ExitCode::from(2);
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    let config = Arc::new(config);
    let (made, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let begin = Instant::now();
    let end = begin + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                // A server that is gone refuses at once: no use in asking on for ever.
                let mut refused = 0;
                while Instant::now() < end && made.load(Ordering::Relaxed) < count && refused < 3 {
                    if visit(server, &config).is_ok() {
                        made.fetch_add(1, Ordering::Relaxed);
                        refused = 0;
                    } else {
                        failed.fetch_add(1, Ordering::Relaxed);
                        refused += 1;
                    }
                }
            });
        }
    });
    let (made, failed) = (made.into_inner(), failed.into_inner());
    let took = begin.elapsed().as_secs_f64();
    println!(r#"{{"made": {made}, "failed": {failed}, "seconds": {took:.3}}}"#);
    ExitCode::SUCCESS
}

fn parse(args: &[String]) -> Option<(SocketAddr, [u64; 3])> {
    let [server, rest @ ..] = args else {
        return None;
    };
    let server: SocketAddr = server.parse().ok()?;
    let numbers: Vec<u64> = rest.iter().filter_map(|text| text.parse().ok()).collect();
    let numbers = <[u64; 3]>::try_from(numbers).ok()?;
    server.ip().is_loopback().then_some((server, numbers))
}

/// One connection; the server's tickets or the end of its stream are not waited for.
fn visit(server: SocketAddr, config: &Arc<ClientConfig>) -> std::io::Result<()> {
    let mut sock = TcpStream::connect_timeout(&server, TIMEOUT)?;
    sock.set_nodelay(true)?;
    sock.set_read_timeout(Some(TIMEOUT))?;
    let name = ServerName::from(server.ip());
    let mut session =
        ClientConnection::new(Arc::clone(config), name).map_err(std::io::Error::other)?;
    // A CRLF ping and its answer: with TLS 1.3 the server has then finished, too.
    let mut stream = rustls::Stream::new(&mut session, &mut sock);
    stream.write_all(b"\r\n\r\n")?;
    stream.read_exact(&mut [0; 2])?;
    session.send_close_notify();
    session.complete_io(&mut sock)?;
    Ok(())
}
