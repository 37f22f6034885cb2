//! TLS by rustls with the aws-lc-rs provider, linked statically.
//!
//! Nothing here is process-wide: the provider is passed explicitly, no library,
//! global or pthread key is shared with the libssl that Python's `ssl` loads.

pub mod dev_cert;
mod facts;
mod failures;
mod keylog;
mod keys;
mod load;
mod names;
mod ocsp;
mod pem;
mod profile;
mod select;
mod suites;
mod tickets;
pub mod vars;
mod verify;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};

pub use self::facts::CertificateFacts;
pub use self::failures::{Failure, FailureLog, failure_counter, reason};
use self::profile::Profiles;
pub use self::profile::{Chosen, Identity};
pub use self::suites::{bits, openssl_name};
pub use self::vars::Verdict;
use crate::config::TlsConfig;
use crate::net::NetError;
use crate::sync::{OrderedMutex, rank};

/// Name and version of the TLS library, as `sipwright doctor` shows it.
pub const PROVIDER: &str = "rustls with aws-lc-rs (static)";

thread_local! {
    static NEXT_SERVER_ID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Chooses the profile of the next connection that this thread opens (Kamailio
/// `tls_set_connect_server_id`).
pub fn set_next_server_id(id: Option<String>) {
    NEXT_SERVER_ID.set(id);
}

/// What [`set_next_server_id`] chose and no connection has used yet.
#[must_use]
pub fn next_server_id() -> Option<String> {
    NEXT_SERVER_ID.with_borrow(Clone::clone)
}

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
        let profiles = Arc::new(Profiles::load(cfg, &Profiles::default())?);
        Ok(Self {
            current: OrderedMutex::new(rank::TLS_PROFILES, profiles),
        })
    }

    /// Reads everything again and swaps on success.
    ///
    /// # Errors
    /// Names the file and the problem; what was in use stays.
    pub fn reload(&self, cfg: &TlsConfig) -> Result<(), NetError> {
        let profiles = Arc::new(Profiles::load(cfg, &self.current())?);
        // Dropped after the lock: the last reference may free a good deal.
        let before = std::mem::replace(&mut *self.current.lock(), profiles);
        drop(before);
        Ok(())
    }

    fn current(&self) -> Arc<Profiles> {
        Arc::clone(&self.current.lock())
    }

    /// Whether a handshake on that listener can find a profile.
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
    ) -> Option<Chosen<ServerConfig>> {
        self.current().server_for(listener, name)
    }

    /// The profile for a server that we connect to; `id` is the `server_id` that
    /// the script chose, which counts first.
    #[must_use]
    pub fn client_for(
        &self,
        remote: SocketAddr,
        name: Option<&str>,
        id: Option<&str>,
    ) -> Option<Chosen<ClientConfig>> {
        self.current().client_for(remote, name, id)
    }

    /// What the administrator should know.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.current().warnings.clone()
    }
}
