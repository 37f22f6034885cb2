//! TLS by rustls with the aws-lc-rs provider, linked statically.
//!
//! Nothing here is process-wide: the provider is passed explicitly, no library,
//! global or pthread key is shared with the libssl that Python's `ssl` loads.

pub mod dev_cert;
mod pem;
mod profile;
mod verify;

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{ClientConfig, Error, ServerConfig};

use self::profile::Profiles;
use crate::config::TlsConfig;
use crate::net::NetError;
use crate::stats::{Counter, Stats};
use crate::sync::{OrderedMutex, rank};

/// Name and version of the TLS library, as `sipwright doctor` shows it.
pub const PROVIDER: &str = "rustls with aws-lc-rs (static)";

/// The profiles in use; replaced as a whole when certificates are reloaded.
pub struct TlsStore {
    current: OrderedMutex<Arc<Profiles>>,
}

impl TlsStore {
    /// Reads every file that the profiles name.
    ///
    /// # Errors
    /// Names the file and the problem.
    pub fn load(cfg: &TlsConfig) -> Result<Self, NetError> {
        let profiles = Arc::new(Profiles::load(cfg)?);
        Ok(Self {
            current: OrderedMutex::new(rank::TLS_PROFILES, profiles),
        })
    }

    /// Reads everything again and swaps on success.
    ///
    /// # Errors
    /// Names the file and the problem; what was in use stays.
    pub fn reload(&self, cfg: &TlsConfig) -> Result<(), NetError> {
        let profiles = Arc::new(Profiles::load(cfg)?);
        *self.current.lock() = profiles;
        Ok(())
    }

    fn current(&self) -> Arc<Profiles> {
        Arc::clone(&self.current.lock())
    }

    /// Whether a handshake on that listener can find a profile without a name.
    #[must_use]
    pub fn covers(&self, listener: SocketAddr) -> bool {
        self.current().covers(listener)
    }

    /// The profile for a client that asks for `name` on `listener`.
    #[must_use]
    pub fn server_for(
        &self,
        listener: Option<SocketAddr>,
        name: Option<&str>,
    ) -> Option<Arc<ServerConfig>> {
        self.current().server_for(listener, name)
    }

    /// The profile for a server that we connect to.
    #[must_use]
    pub fn client_for(&self, remote: &SocketAddr, name: Option<&str>) -> Option<Arc<ClientConfig>> {
        self.current().client_for(remote, name)
    }

    /// What the administrator should know.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.current().warnings.clone()
    }
}

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
