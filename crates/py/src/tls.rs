//! TLS connections and certificates as tuples for Python.

use std::net::SocketAddr;

use sipwright_engine::net::ConnInfo;
use sipwright_engine::tls::{CertificateFacts, Verdict, vars};

/// An endpoint as `(address, port)`.
pub type Endpoint = (String, u16);

/// A connection as `(id, source, local, outbound, state, timeout_ms, queued, thread)`.
pub type Connection = (
    u64,
    Endpoint,
    Endpoint,
    bool,
    &'static str,
    u64,
    usize,
    String,
);

/// What TLS agreed on as `(cipher, version, profile, server_name, verified, resumed, certificate,
/// unverified)`.
pub type Agreed = (
    String,
    &'static str,
    String,
    Option<String>,
    bool,
    bool,
    &'static str,
    Option<String>,
);

/// A certificate as `(subject, issuer, names, serial, not_before, not_after, fingerprint, common_name)`.
pub type Certificate = (
    String,
    String,
    Vec<String>,
    String,
    String,
    String,
    String,
    Option<String>,
);

/// Decodes a certificate; `None` when it cannot be read.
pub fn certificate(der: &[u8]) -> Option<Certificate> {
    let facts = CertificateFacts::of(der)?;
    Some((
        facts.subject,
        facts.issuer,
        facts.names,
        facts.serial,
        facts.not_before,
        facts.not_after,
        facts.fingerprint,
        facts.common_name,
    ))
}

/// What is listed of a connection, the latter once its handshake is done.
pub fn connection(c: ConnInfo) -> (Connection, Option<Agreed>) {
    let endpoint = |a: SocketAddr| (a.ip().to_string(), a.port());
    let local = c.local.map(endpoint).unwrap_or_default();
    let agreed = c.tls.map(|tls| {
        let unverified = tls.unverified();
        (
            vars::description(&tls),
            tls.version,
            tls.profile.label.to_string(),
            tls.server_name,
            tls.verdict == Verdict::Valid,
            tls.resumed,
            tls.verdict.name(),
            unverified,
        )
    });
    let remote = endpoint(c.remote);
    let plain = (
        c.id,
        remote,
        local,
        c.outbound,
        c.state,
        c.timeout_ms,
        c.queued,
        c.thread,
    );
    (plain, agreed)
}
