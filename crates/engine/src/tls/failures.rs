//! Handshakes that fail: which counter, which line in the log.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::{CertificateError, Error, InvalidMessage};

use crate::log::{self, level};
use crate::stats::{Counter, Stats};

/// Lines a second; a port scan must not fill the disk.
const LINES_PER_SECOND: u64 = 10;

/// The counter of a failed handshake.
#[must_use]
pub fn failure_counter<'a>(stats: &'a Stats, error: &Error) -> &'a Counter {
    match error {
        Error::AlertReceived(_) => &stats.handshakes_failed_alert,
        Error::InvalidCertificate(_)
        | Error::InvalidCertRevocationList(_)
        | Error::NoCertificatesPresented
        | Error::UnsupportedNameType => &stats.handshakes_failed_certificate,
        Error::PeerIncompatible(_) | Error::General(_) => &stats.handshakes_failed_incompatible,
        _ => &stats.handshakes_failed_protocol,
    }
}

/// A handshake that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The other side.
    pub remote: SocketAddr,
    /// Whether we opened the connection.
    pub outbound: bool,
    /// Label of the profile; empty while there is none.
    pub profile: &'a str,
    /// The reason.
    pub why: &'a str,
}

/// Logs failures, so many a second; the next line says how many were left out.
#[derive(Debug, Default)]
pub struct FailureLog {
    /// Second in the upper half, lines in it in the lower.
    window: AtomicU64,
    hidden: AtomicU64,
}

impl FailureLog {
    /// One line: who, which profile, why.
    pub fn note(&self, now_ms: u64, failure: &Failure<'_>) {
        let Failure {
            remote,
            outbound,
            profile,
            why,
        } = failure;
        if !self.admits(now_ms) {
            self.hidden.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let direction = if *outbound { "to" } else { "from" };
        let mut line = format!("TLS handshake {direction} {remote} failed");
        if !profile.is_empty() {
            let _ = write!(line, ", profile {profile}");
        }
        let _ = write!(line, ": {why}");
        match self.hidden.swap(0, Ordering::Relaxed) {
            0 => {}
            n => {
                let _ = write!(line, " ({n} more since the last line)");
            }
        }
        log::log(level::WARN, &line);
    }

    fn admits(&self, now_ms: u64) -> bool {
        let second = (now_ms / 1000) << 32;
        let next = |seen: u64| {
            let lines = if seen >> 32 == second >> 32 {
                seen & u64::from(u32::MAX)
            } else {
                0
            };
            (lines < LINES_PER_SECOND).then_some(second | (lines + 1))
        };
        self.window
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }
}

/// The reason in words that help whoever reads the log.
#[must_use]
pub fn reason(error: &Error) -> String {
    let hint = match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what came is not TLS; does it speak plain SIP to a TLS port?"
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate leads to no authority in ca_list"
        }
        Error::NoCertificatesPresented => "it showed no certificate, which the profile requires",
        _ => return error.to_string(),
    };
    format!("{error}: {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second() {
        let log = FailureLog::default();
        let admitted = (0..100).filter(|_| log.admits(5_500)).count();
        assert_eq!(admitted as u64, LINES_PER_SECOND);
        assert!(log.admits(6_000));
    }
}
