//! Reads the files of profiles and makes rustls configurations of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};
use rustls::{ClientConfig, ConfigBuilder, KeyLog, RootCertStore, ServerConfig, client};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{BorrowedCertRevocationList, CertRevocationList};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::keylog::KeyLogWriter;
use super::keys::{self, Passphrase};
use super::profile::{Chosen, Entry, Identity, Profiles, label};
use super::select::Selector;
use super::verify::{ClientVerifier, Role, ServerVerifier, Trust, fingerprint};
use super::{ocsp, pem, suites, tickets};
use crate::config::{ClientProfile, ServerProfile, TlsConfig, VerifyClient};
use crate::net::NetError;

/// Where Debian and its kin keep the system's authorities.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// An end of our certificate that is nearer than this is worth a warning.
const EXPIRES_SOON_DAYS: i64 = 7;

/// Intermediates that webpki follows at most.
const DEEPEST: u8 = 6;

/// What the profiles of one load share.
pub struct Loader<'a> {
    cfg: &'a TlsConfig,
    key_log: Option<Arc<KeyLogWriter>>,
    /// What the administrator should know.
    pub warnings: Vec<String>,
    files: HashMap<PathBuf, Vec<u8>>,
}

/// What both kinds of profile say about whom to trust.
struct TrustFiles<'a> {
    ca: Option<&'a Path>,
    ca_path: Option<&'a Path>,
    crl: Option<&'a Path>,
    depth: Option<u8>,
}

impl<'a> Loader<'a> {
    /// Opens the key log, if there is to be one.
    pub fn new(cfg: &'a TlsConfig) -> Result<Self, NetError> {
        let mut warnings = Vec::new();
        let key_log = match &cfg.key_log {
            Some(path) => {
                let text = "every TLS session can be decrypted with what is written there";
                warnings.push(format!("TLS key log {}: {text}", path.display()));
                Some(Arc::new(KeyLogWriter::open(path)?))
            }
            None => None,
        };
        Ok(Self {
            cfg,
            key_log,
            warnings,
            files: HashMap::new(),
        })
    }

    /// A fingerprint of everything a profile is made of.
    fn print(&mut self, profile: &dyn std::fmt::Debug, files: &[Option<&Path>]) -> [u8; 32] {
        let cfg = self.cfg;
        let mut hash = Context::new(&SHA256);
        let shared = (
            cfg.session_cache,
            cfg.session_tickets,
            cfg.ticket_lifetime_s,
            &cfg.key_log,
        );
        hash.update(format!("{profile:?}{shared:?}").as_bytes());
        for path in files.iter().copied().flatten() {
            let bytes = self
                .files
                .entry(path.to_owned())
                // A file that cannot be read is named when it is needed.
                .or_insert_with(|| std::fs::read(path).unwrap_or_default());
            hash.update(&bytes.len().to_be_bytes());
            hash.update(bytes);
        }
        let mut print = [0; 32];
        print.copy_from_slice(hash.finish().as_ref());
        print
    }

    /// A profile for connections that come in.
    pub fn server_entry(
        &mut self,
        profile: &ServerProfile,
        label: &str,
        before: &Profiles,
    ) -> Result<Entry<ServerConfig>, NetError> {
        let files = [
            Some(profile.certificate.as_path()),
            Some(profile.private_key.as_path()),
            profile.passphrase_file.as_deref(),
            profile.client_ca.as_deref(),
            profile.crl.as_deref(),
            profile.ocsp.as_deref(),
        ];
        let selector = Selector {
            addr: profile.addr,
            name: profile.server_name.clone(),
            mode: profile.server_name_mode,
        };
        let print = self.print(profile, &files);
        let (config, identity) = match known(&before.server, print, profile.ca_path.is_some()) {
            Some(same) => {
                self.warn_server(profile, label)?;
                same
            }
            None => self.server(profile, label)?,
        };
        if let Some(problem) = identity.certificate.as_ref().and_then(|c| validity(c)) {
            let path = profile.certificate.display();
            self.warnings
                .push(format!("TLS profile {label}: {path} {problem}"));
        }
        Ok(Entry {
            selector,
            id: profile.server_id.clone(),
            print,
            identity,
            config,
        })
    }

    fn warn_server(
        &mut self,
        profile: &ServerProfile,
        label: &str,
    ) -> Result<CryptoProvider, NetError> {
        if profile.verify_client == VerifyClient::OptionalNoCa {
            let text = "client certificates that are not valid are let in; the script must ask $tls_peer_verified";
            self.warnings.push(format!("TLS profile {label}: {text}"));
        }
        self.suites(label, &profile.ciphers, &profile.curves)
    }

    fn suites(
        &mut self,
        label: &str,
        ciphers: &str,
        curves: &[String],
    ) -> Result<CryptoProvider, NetError> {
        let (provider, missing) = suites::provider(ciphers, curves).map_err(NetError::new)?;
        if !missing.is_empty() {
            let text = format!("cipher list: not offered: {}", missing.join(", "));
            self.warnings.push(format!("TLS profile {label}: {text}"));
        }
        Ok(provider)
    }

    fn server(
        &mut self,
        profile: &ServerProfile,
        label: &str,
    ) -> Result<Chosen<ServerConfig>, NetError> {
        let at = |e: rustls::Error| pem::file_error(&profile.certificate, e);
        let provider = Arc::new(self.warn_server(profile, label)?);
        let chain = pem::chain(&profile.certificate)?;
        let passphrase = Passphrase {
            file: profile.passphrase_file.as_deref(),
            env: profile.passphrase_env.as_deref(),
        };
        let key = keys::key(&profile.private_key, passphrase)?;
        let stapled = match &profile.ocsp {
            Some(path) => ocsp::load(path, &chain[0])?,
            None => Vec::new(),
        };
        let versions = suites::versions(profile.min_version, profile.max_version);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions.map_err(NetError::new)?)
            .map_err(at)?;
        let verifier = self.client_verifier(profile, label, &provider)?;
        let builder = match &verifier {
            Some(verifier) => builder
                .with_client_cert_verifier(Arc::clone(verifier) as Arc<dyn ClientCertVerifier>),
            None => builder.with_no_client_auth(),
        };
        let identity = Identity {
            label: label.into(),
            certificate: Some(chain[0].clone()),
            server_name: profile.server_name.clone(),
            trust: verifier.map(|v| Arc::clone(&v.trust)),
            role: Role::Client,
            insists: profile.verify_client != VerifyClient::OptionalNoCa,
        };
        let config = builder.with_single_cert_with_ocsp(chain, key, stapled);
        let mut config =
            config.map_err(|e| mismatch(e, &profile.private_key, &profile.certificate))?;
        // As Kamailio: the order of `cipher_list` says what is preferred.
        config.ignore_client_order = true;
        if self.cfg.session_tickets {
            config.ticketer = tickets::rotating(self.cfg.ticket_lifetime_s).map_err(at)?;
        }
        config.session_storage = match self.cfg.session_cache {
            0 => Arc::new(NoServerSessionStorage {}),
            size => ServerSessionMemoryCache::new(size),
        };
        // A phone has one connection at a time, and is given the next ticket when it resumes.
        let resumes = self.cfg.session_tickets || self.cfg.session_cache > 0;
        config.send_tls13_tickets = usize::from(resumes);
        if let Some(log) = &self.key_log {
            config.key_log = Arc::clone(log) as Arc<dyn KeyLog>;
        }
        Ok((Arc::new(config), Arc::new(identity)))
    }

    fn client_verifier(
        &mut self,
        profile: &ServerProfile,
        label: &str,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<ClientVerifier>>, NetError> {
        if profile.verify_client == VerifyClient::None {
            if profile.crl.is_some() {
                let text = "a crl is given, but client certificates are not asked for";
                self.warnings.push(format!("TLS profile {label}: {text}"));
            }
            return Ok(None);
        }
        let lenient = profile.verify_client == VerifyClient::OptionalNoCa;
        let files = TrustFiles {
            ca: profile.client_ca.as_deref(),
            ca_path: profile.ca_path.as_deref(),
            crl: profile.crl.as_deref(),
            depth: profile.verify_depth,
        };
        let trust = self.trust(&files, label, provider, false)?;
        if trust.roots.is_empty() && trust.pinned.is_empty() && !lenient {
            let text = "client certificates are to be verified, but no ca_list says by whom";
            return Err(pem::file_error(&profile.certificate, text));
        }
        Ok(Some(Arc::new(ClientVerifier {
            trust: Arc::new(trust),
            mandatory: profile.verify_client == VerifyClient::Require,
            lenient,
        })))
    }

    /// Reads authorities and lists of revoked certificates.
    fn trust(
        &mut self,
        files: &TrustFiles<'_>,
        label: &str,
        provider: &Arc<CryptoProvider>,
        or_system: bool,
    ) -> Result<Trust, NetError> {
        let mut trust = Trust {
            roots: RootCertStore::empty(),
            pinned: Vec::new(),
            announced: Vec::new(),
            crls: Vec::new(),
            depth: files.depth,
            algorithms: provider.signature_verification_algorithms,
        };
        let system = Path::new(SYSTEM_ROOTS);
        let use_system = or_system && files.ca.is_none() && files.ca_path.is_none();
        let list = files
            .ca
            .or((use_system && system.exists()).then_some(system));
        if let Some(path) = list {
            add_roots(&mut trust, path)?;
        }
        trust.announced = trust.roots.subjects();
        if let Some(dir) = files.ca_path {
            for file in pem::directory(dir)? {
                // A directory may hold other files too.
                if pem::chain(&file).is_ok() {
                    add_roots(&mut trust, &file)?;
                }
            }
            if trust.roots.is_empty() {
                return Err(pem::file_error(
                    dir,
                    "no usable certificate authority in it",
                ));
            }
        }
        if let Some(path) = files.crl {
            for der in pem::crls(path)? {
                let parsed = BorrowedCertRevocationList::from_der(&der).and_then(|c| c.to_owned());
                let list = parsed.map_err(|e| {
                    pem::file_error(path, format!("certificate revocation list: {e:?}"))
                })?;
                trust.crls.push(CertRevocationList::Owned(list));
            }
        }
        if files.depth.is_some_and(|d| d > DEEPEST) {
            let text = format!(
                "verify_depth: chains of more than {DEEPEST} intermediates are refused whatever it says"
            );
            self.warnings.push(format!("TLS profile {label}: {text}"));
        }
        Ok(trust)
    }

    /// A profile for connections that go out.
    pub fn client_entry(
        &mut self,
        profile: &ClientProfile,
        before: &Profiles,
    ) -> Result<Entry<ClientConfig>, NetError> {
        let label = label(
            &profile.source,
            "client",
            profile.addr,
            profile.server_name.as_deref(),
        );
        let system = profile.ca.is_none() && profile.ca_path.is_none();
        let files = [
            profile.certificate.as_deref(),
            profile.private_key.as_deref(),
            profile.passphrase_file.as_deref(),
            profile.ca.as_deref(),
            profile.crl.as_deref(),
            system.then_some(Path::new(SYSTEM_ROOTS)),
        ];
        let print = self.print(profile, &files);
        let provider = self.warn_client(profile, &label)?;
        let (config, identity) = match known(&before.client, print, profile.ca_path.is_some()) {
            Some(same) => same,
            None => self.client(profile, &label, provider)?,
        };
        Ok(Entry {
            selector: Selector {
                addr: profile.addr,
                name: profile.server_name.clone(),
                mode: profile.server_name_mode,
            },
            id: profile.server_id.clone(),
            print,
            identity,
            config,
        })
    }

    fn warn_client(
        &mut self,
        profile: &ClientProfile,
        label: &str,
    ) -> Result<CryptoProvider, NetError> {
        let text = match (profile.verify, profile.verify_name) {
            (true, true) => None,
            (true, false) => Some(
                "the names of certificates are not verified, whoever has any valid certificate can read and change",
            ),
            (false, _) => {
                Some("certificates are not verified, anybody in between can read and change")
            }
        };
        if let Some(text) = text {
            self.warnings
                .push(format!("TLS client profile {label}: {text}"));
        }
        self.suites(label, &profile.ciphers, &profile.curves)
    }

    fn client(
        &mut self,
        profile: &ClientProfile,
        label: &str,
        provider: CryptoProvider,
    ) -> Result<Chosen<ClientConfig>, NetError> {
        let provider = Arc::new(provider);
        let general = |e: rustls::Error| NetError::new(e.to_string());
        let files = TrustFiles {
            ca: profile.ca.as_deref(),
            ca_path: profile.ca_path.as_deref(),
            crl: profile.crl.as_deref(),
            depth: profile.verify_depth,
        };
        // Without any authority every handshake fails, which is what was asked for.
        let trust = Arc::new(self.trust(&files, label, &provider, true)?);
        let verifier = ServerVerifier {
            trust: Arc::clone(&trust),
            verify: profile.verify,
            name: profile.verify_name,
            wildcards: profile.wildcards,
        };
        let versions = suites::versions(profile.min_version, profile.max_version);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions.map_err(NetError::new)?)
            .map_err(general)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let (mut config, own) = with_own_certificate(builder, profile)?;
        config.resumption = match self.cfg.session_cache {
            0 => client::Resumption::disabled(),
            size => client::Resumption::in_memory_sessions(size),
        };
        if let Some(log) = &self.key_log {
            config.key_log = Arc::clone(log) as Arc<dyn KeyLog>;
        }
        // A name without an address, or with a wildcard, only selects.
        let says_name = profile.addr.is_some() || profile.server_id.is_some();
        let name = profile.server_name.clone();
        let identity = Identity {
            label: label.into(),
            certificate: own,
            server_name: name.filter(|n| says_name && !n.starts_with("*.")),
            trust: Some(trust),
            role: Role::Server,
            insists: profile.verify,
        };
        Ok((Arc::new(config), Arc::new(identity)))
    }
}

/// The configuration with the certificate that the profile has for servers that ask.
fn with_own_certificate(
    builder: ConfigBuilder<ClientConfig, client::WantsClientCert>,
    profile: &ClientProfile,
) -> Result<(ClientConfig, Option<CertificateDer<'static>>), NetError> {
    let Some(certificate) = &profile.certificate else {
        return Ok((builder.with_no_client_auth(), None));
    };
    // Both may be in one file, as in Kamailio.
    let key_file = profile.private_key.as_ref().unwrap_or(certificate);
    let passphrase = Passphrase {
        file: profile.passphrase_file.as_deref(),
        env: profile.passphrase_env.as_deref(),
    };
    let chain = pem::chain(certificate)?;
    let own = chain.first().cloned();
    let config = builder
        .with_client_auth_cert(chain, keys::key(key_file, passphrase)?)
        .map_err(|e| mismatch(e, key_file, certificate))?;
    Ok((config, own))
}

/// What is to be said of our certificate's time, if anything.
fn validity(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, cert) = X509Certificate::from_der(certificate).ok()?;
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
    let (from, to) = (cert.validity().not_before, cert.validity().not_after);
    let left = (to.timestamp() - now).div_euclid(86_400);
    if now < from.timestamp() {
        Some(format!("is not valid before {from}"))
    } else if left < 0 {
        Some(format!("is out of date since {to}"))
    } else {
        (left < EXPIRES_SOON_DAYS).then(|| format!("is out of date in {left} days, on {to}"))
    }
}

fn add_roots(trust: &mut Trust, path: &Path) -> Result<(), NetError> {
    let certificates = pem::chain(path)?;
    // The system's list holds authorities only.
    if path != Path::new(SYSTEM_ROOTS) {
        let prints = certificates.iter().map(|c| fingerprint(c));
        trust.pinned.extend(prints);
    }
    let (added, _ignored) = trust.roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(pem::file_error(
            path,
            "no usable certificate authority in it",
        ));
    }
    Ok(())
}

fn mismatch(error: rustls::Error, key: &Path, certificate: &Path) -> NetError {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            pem::file_error(key, format!("is not the key of {}", certificate.display()))
        }
        other => pem::file_error(certificate, other),
    }
}

/// What was made of the same settings and files before. A directory of authorities
/// is read anew each time.
fn known<C>(before: &[Entry<C>], print: [u8; 32], has_directory: bool) -> Option<Chosen<C>> {
    if has_directory {
        return None;
    }
    before.iter().find(|e| e.print == print).map(Entry::chosen)
}
