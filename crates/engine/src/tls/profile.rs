//! The profiles in use, and which one a connection gets.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{CertificateError, ClientConfig, ServerConfig};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::failures::reason;
use super::load::Loader;
use super::select::{Selector, best};
use super::vars::Verdict;
use super::verify::{Role, Trust, is_self_issued};
use crate::config::{ClientProfile, ServerProfile, TlsConfig};
use crate::net::NetError;

/// What a connection keeps of its profile.
#[derive(Debug)]
pub struct Identity {
    /// Where the profile was given, as it is shown in messages.
    pub label: Arc<str>,
    /// Our certificate, DER.
    pub certificate: Option<CertificateDer<'static>>,
    /// Name to ask for and to verify instead of the one that was looked up.
    pub server_name: Option<String>,
    pub(super) trust: Option<Arc<Trust>>,
    pub(super) role: Role,
    /// A handshake with an invalid chain fails.
    pub(super) insists: bool,
}

impl Identity {
    /// Of a connection in memory, whose handshake nobody has done.
    pub(crate) fn nominal(label: &str) -> Self {
        Self {
            label: label.into(),
            certificate: None,
            server_name: None,
            trust: None,
            role: Role::Client,
            insists: false,
        }
    }

    /// What is to be thought of the peer's chain, even if the profile does not insist on it,
    /// and the reason when it is found to be bad.
    #[must_use]
    pub fn verdict(&self, chain: &[CertificateDer<'_>]) -> (Verdict, Option<Arc<str>>) {
        let Some((first, rest)) = chain.split_first() else {
            return (Verdict::Missing, None);
        };
        let Some(trust) = &self.trust else {
            return (Verdict::Invalid, None);
        };
        if self.insists {
            return (Verdict::Valid, None);
        }
        match trust.check(first, rest, UnixTime::now(), self.role) {
            Ok(()) => (Verdict::Valid, None),
            Err(e) => {
                let verdict = verdict_of(&e, first, rest.is_empty());
                (verdict, Some(reason(&e).into()))
            }
        }
    }

    /// Whether the profile has the peer's chain verified at all.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.trust.is_some()
    }
}

/// A profile, ready to use.
pub struct Entry<C> {
    pub(super) selector: Selector,
    pub(super) id: Option<String>,
    /// Fingerprint of what it was made of.
    pub(super) print: [u8; 32],
    pub(super) identity: Arc<Identity>,
    pub(super) config: Arc<C>,
}

/// A rustls configuration with the profile that it comes from.
pub type Chosen<C> = (Arc<C>, Arc<Identity>);

impl<C> Entry<C> {
    /// What a connection takes.
    pub(super) fn chosen(&self) -> Chosen<C> {
        (Arc::clone(&self.config), Arc::clone(&self.identity))
    }
}

/// Every profile, ready to use.
#[derive(Default)]
pub struct Profiles {
    pub(super) server: Vec<Entry<ServerConfig>>,
    pub(super) client: Vec<Entry<ClientConfig>>,
    /// What the administrator should know.
    pub warnings: Vec<String>,
}

impl Profiles {
    /// Reads every file that the settings name. A profile whose settings and files
    /// are as they were in `before` keeps its sessions and ticket keys; any other
    /// starts anew, so that nobody resumes a session that would now be refused.
    pub fn load(cfg: &TlsConfig, before: &Self) -> Result<Self, NetError> {
        let mut profiles = Self::default();
        let mut loader = Loader::new(cfg)?;
        for profile in &cfg.server {
            let label = server_label(profile);
            let within = |e: NetError| in_profile(&profile.source, e);
            let entry = loader
                .server_entry(profile, &label, before)
                .map_err(within)?;
            profiles.server.push(entry);
        }
        let fallback = ClientProfile::default();
        // What no profile is for is verified by the system's authorities.
        for profile in cfg.client.iter().chain([&fallback]) {
            let within = |e: NetError| in_profile(&profile.source, e);
            let entry = loader.client_entry(profile, before).map_err(within)?;
            profiles.client.push(entry);
        }
        profiles.warnings = loader.warnings;
        Ok(profiles)
    }

    /// Whether that listener has a profile, if only for some names.
    pub fn covers(&self, listener: SocketAddr) -> bool {
        self.server.iter().any(|e| {
            e.selector.addr.is_none() || e.selector.fit_server(Some(listener), None).is_some()
        })
    }

    /// See [`super::TlsStore::server_for`].
    pub fn server_for(
        &self,
        listener: Option<SocketAddr>,
        name: Option<&str>,
    ) -> Option<Chosen<ServerConfig>> {
        let fits = self
            .server
            .iter()
            .map(|e| e.selector.fit_server(listener, name));
        best(fits).map(|i| self.server[i].chosen())
    }

    /// See [`super::TlsStore::client_for`].
    pub fn client_for(
        &self,
        remote: SocketAddr,
        name: Option<&str>,
        id: Option<&str>,
    ) -> Option<Chosen<ClientConfig>> {
        if let Some(id) = id {
            let found = self.client.iter().find(|e| e.id.as_deref() == Some(id));
            if let Some(found) = found {
                return Some(found.chosen());
            }
        }
        let fits = self.client.iter().map(|e| {
            let only_by_id =
                e.id.is_some() && e.selector.addr.is_none() && e.selector.name.is_none();
            if only_by_id {
                return None;
            }
            e.selector.fit_client(remote, name)
        });
        best(fits).map(|i| self.client[i].chosen())
    }
}

fn verdict_of(error: &rustls::Error, certificate: &CertificateDer<'_>, alone: bool) -> Verdict {
    let rustls::Error::InvalidCertificate(problem) = error else {
        return Verdict::Invalid;
    };
    match problem {
        CertificateError::Revoked => Verdict::Revoked,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Verdict::Expired,
        _ if alone && is_self_issued(certificate) => Verdict::SelfSigned,
        _ => Verdict::Invalid,
    }
}

fn in_profile(source: &str, error: NetError) -> NetError {
    if source.is_empty() {
        return error;
    }
    NetError::new(format!("{source}: {error}"))
}

fn server_label(profile: &ServerProfile) -> String {
    label(
        &profile.source,
        "server",
        profile.addr,
        profile.server_name.as_deref(),
    )
}

/// How a profile is called in messages.
pub(super) fn label(
    source: &str,
    role: &str,
    addr: Option<SocketAddr>,
    name: Option<&str>,
) -> String {
    if !source.is_empty() {
        return source.to_owned();
    }
    match (addr, name) {
        (Some(addr), Some(name)) => format!("{role} {addr} {name}"),
        (Some(addr), None) => format!("{role} {addr}"),
        (None, Some(name)) => format!("{role} {name}"),
        (None, None) => format!("{role} default"),
    }
}
