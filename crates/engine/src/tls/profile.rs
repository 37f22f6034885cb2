//! From settings to rustls configurations, and which one a connection gets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::pem;
use super::verify::AcceptAny;
use crate::config::{ClientProfile, ServerProfile, TlsConfig, TlsVersion, VerifyClient};
use crate::net::NetError;

/// Where Debian and its kin keep the system's authorities.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Sessions that a client profile remembers.
const CLIENT_SESSIONS: usize = 1024;

struct Entry<C> {
    addr: Option<SocketAddr>,
    server_name: Option<String>,
    config: Arc<C>,
}

impl<C> Entry<C> {
    /// How well it fits: `None` if not at all, else the more the better. The
    /// address counts for more than the name, as in Kamailio's tls.cfg.
    fn fit(&self, addr: Option<SocketAddr>, name: Option<&str>) -> Option<u8> {
        let by_addr = match self.addr {
            None => 0,
            Some(mine) if Some(mine) == addr => 2,
            Some(_) => return None,
        };
        let by_name = match (&self.server_name, name) {
            (None, _) => 0,
            (Some(mine), Some(asked)) if covers_name(mine, asked) => 1,
            (Some(_), _) => return None,
        };
        Some(by_addr + by_name)
    }
}

/// Names compare without case; `*.example.org` stands for one label.
fn covers_name(mine: &str, asked: &str) -> bool {
    let asked = asked.trim_end_matches('.');
    match (mine.strip_prefix("*."), asked.split_once('.')) {
        (Some(parent), Some((_, rest))) => parent.eq_ignore_ascii_case(rest),
        _ => mine.eq_ignore_ascii_case(asked),
    }
}

/// The best entry; the first among equals.
fn best<'a, C>(
    entries: &'a [Entry<C>],
    addr: Option<SocketAddr>,
    name: Option<&str>,
) -> Option<&'a Arc<C>> {
    let mut found: Option<(u8, &Arc<C>)> = None;
    for entry in entries {
        if let Some(fit) = entry.fit(addr, name)
            && found.is_none_or(|(so_far, _)| fit > so_far)
        {
            found = Some((fit, &entry.config));
        }
    }
    found.map(|(_, config)| config)
}

/// Every profile, ready to use.
pub struct Profiles {
    server: Vec<Entry<ServerConfig>>,
    client: Vec<Entry<ClientConfig>>,
    /// What the administrator should know.
    pub warnings: Vec<String>,
}

impl Profiles {
    /// Reads every file that the settings name.
    pub fn load(cfg: &TlsConfig) -> Result<Self, NetError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut profiles = Self {
            server: Vec::new(),
            client: Vec::new(),
            warnings: Vec::new(),
        };
        for profile in &cfg.server {
            let config = Arc::new(server_config(profile, cfg, &provider)?);
            let (addr, server_name) = (profile.addr, profile.server_name.clone());
            profiles.server.push(Entry {
                addr,
                server_name,
                config,
            });
        }
        for profile in &cfg.client {
            profiles.add_client(profile, &provider)?;
        }
        // What no profile is for is verified by the system's authorities.
        profiles.add_client(&ClientProfile::default(), &provider)?;
        Ok(profiles)
    }

    fn add_client(
        &mut self,
        profile: &ClientProfile,
        provider: &Arc<CryptoProvider>,
    ) -> Result<(), NetError> {
        let config = Arc::new(client_config(profile, provider)?);
        let (addr, server_name) = (profile.addr, profile.server_name.clone());
        if !profile.verify {
            let who = addr.map_or_else(
                || server_name.clone().unwrap_or_else(|| "any server".into()),
                |a| a.to_string(),
            );
            let text = "certificates are not verified, anybody in between can read and change";
            self.warnings
                .push(format!("TLS client profile for {who}: {text}"));
        }
        self.client.push(Entry {
            addr,
            server_name,
            config,
        });
        Ok(())
    }

    /// Whether that listener has a profile whatever name is asked for.
    pub fn covers(&self, listener: SocketAddr) -> bool {
        self.server_for(Some(listener), None).is_some()
            || self
                .server
                .iter()
                .any(|e| e.addr.is_none_or(|a| a == listener))
    }

    /// See [`super::TlsStore::server_for`].
    pub fn server_for(
        &self,
        listener: Option<SocketAddr>,
        name: Option<&str>,
    ) -> Option<Arc<ServerConfig>> {
        best(&self.server, listener, name).cloned()
    }

    /// See [`super::TlsStore::client_for`].
    pub fn client_for(&self, remote: &SocketAddr, name: Option<&str>) -> Option<Arc<ClientConfig>> {
        best(&self.client, Some(*remote), name).cloned()
    }
}

static VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

fn versions(min: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match min {
        TlsVersion::V12 => &VERSIONS,
        TlsVersion::V13 => &VERSIONS[..1],
    }
}

fn server_config(
    profile: &ServerProfile,
    cfg: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<ServerConfig, NetError> {
    let at = |e: rustls::Error| pem::file_error(&profile.certificate, e);
    let chain = pem::chain(&profile.certificate)?;
    let key = pem::key(&profile.private_key)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions(profile.min_version))
        .map_err(at)?;
    let builder = match client_verifier(profile, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => {
            let text = format!("is not the key of {}", profile.certificate.display());
            pem::file_error(&profile.private_key, text)
        }
        other => at(other),
    })?;
    if cfg.session_tickets {
        // Its keys rotate by themselves, every six hours.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(at)?;
    }
    config.session_storage = match cfg.session_cache {
        0 => Arc::new(NoServerSessionStorage {}),
        size => ServerSessionMemoryCache::new(size),
    };
    Ok(config)
}

fn client_verifier(
    profile: &ServerProfile,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>, NetError> {
    if profile.verify_client == VerifyClient::None {
        return Ok(None);
    }
    let Some(path) = &profile.client_ca else {
        let text = "client certificates are to be verified, but no client_ca is given";
        return Err(pem::file_error(&profile.certificate, text));
    };
    let roots = Arc::new(pem::roots(path)?);
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
    if profile.verify_client == VerifyClient::Optional {
        builder = builder.allow_unauthenticated();
    }
    builder
        .build()
        .map(Some)
        .map_err(|e| pem::file_error(path, e))
}

fn client_config(
    profile: &ClientProfile,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientConfig, NetError> {
    let general = |e: &dyn std::fmt::Display| NetError::new(format!("TLS client profile: {e}"));
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions(profile.min_version))
        .map_err(|e| general(&e))?;
    let builder = if profile.verify {
        let roots = Arc::new(client_roots(profile)?);
        if roots.is_empty() {
            // Nothing can be verified; every handshake fails, which is what was asked for.
            builder.with_root_certificates(roots)
        } else {
            let verifier =
                WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build();
            builder.with_webpki_verifier(verifier.map_err(|e| general(&e))?)
        }
    } else {
        let verifier = Arc::new(AcceptAny(Arc::clone(provider)));
        builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
    };
    let mut config = match (&profile.certificate, &profile.private_key) {
        (Some(certificate), Some(key)) => builder
            .with_client_auth_cert(pem::chain(certificate)?, pem::key(key)?)
            .map_err(|e| pem::file_error(certificate, e))?,
        (Some(certificate), None) => {
            return Err(pem::file_error(
                certificate,
                "no private_key is given for it",
            ));
        }
        (None, _) => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(CLIENT_SESSIONS);
    Ok(config)
}

fn client_roots(profile: &ClientProfile) -> Result<RootCertStore, NetError> {
    match &profile.ca {
        Some(path) => pem::roots(path),
        None if Path::new(SYSTEM_ROOTS).exists() => pem::roots(Path::new(SYSTEM_ROOTS)),
        None => Ok(RootCertStore::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(addr: Option<&str>, name: Option<&str>, config: u8) -> Entry<u8> {
        Entry {
            addr: addr.map(|a| a.parse().unwrap()),
            server_name: name.map(str::to_owned),
            config: Arc::new(config),
        }
    }

    #[test]
    fn the_closest_profile_wins() {
        let here = "192.0.2.1:5061";
        let entries = [
            entry(None, None, 0),
            entry(None, Some("*.example.org"), 1),
            entry(Some(here), None, 2),
            entry(Some(here), Some("a.example.org"), 3),
        ];
        let cases = [
            ("192.0.2.9:5061", None, 0),
            ("192.0.2.9:5061", Some("other.test"), 0),
            ("192.0.2.9:5061", Some("A.Example.org"), 1),
            (here, None, 2),
            (here, Some("b.example.org"), 2),
            (here, Some("a.example.org"), 3),
        ];
        for (addr, name, expected) in cases {
            let found = best(&entries, Some(addr.parse().unwrap()), name);
            assert_eq!(found.map(|c| **c), Some(expected), "{addr} {name:?}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(covers_name("*.example.org", "sip.example.org"));
        assert!(!covers_name("*.example.org", "a.b.example.org"));
        assert!(!covers_name("*.example.org", "example.org"));
    }
}
