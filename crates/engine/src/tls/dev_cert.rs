//! A development authority and a server certificate, made on first run.
//!
//! ```text
//! DIR/ca.pem  DIR/ca.key        the authority: give ca.pem to clients
//! DIR/server.pem  DIR/server.key  for localhost, 127.0.0.1, ::1 and this host's name
//! ```

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pem::file_error;
use crate::net::NetError;

const DAY_S: u64 = 86_400;
/// Life of the authority. Clients that import it do so once.
const CA_DAYS: u64 = 3650;
/// Life of the server certificate; it is renewed with a month to go.
const SERVER_DAYS: u64 = 365;
const RENEW_DAYS: u64 = 30;

/// Kind of key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DevKey {
    /// ECDSA on P-256.
    #[default]
    EcdsaP256,
    /// RSA with 2048 bits, for old telephones.
    Rsa2048,
}

/// Where the files are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DevCert {
    /// Certificate of the authority.
    pub ca: PathBuf,
    /// Server certificate, followed by the authority's.
    pub certificate: PathBuf,
    /// Private key of the server, mode 0600.
    pub private_key: PathBuf,
    /// Whether anything was written.
    pub created: bool,
}

/// The development certificate in `dir`: the one that is there if it is for
/// `hosts` and lasts another month, else a new one.
///
/// # Errors
/// Names the file that could not be read or written.
pub fn ensure(dir: &Path, hosts: &[String], kind: DevKey) -> Result<DevCert, NetError> {
    let mut files = DevCert {
        ca: dir.join("ca.pem"),
        certificate: dir.join("server.pem"),
        private_key: dir.join("server.key"),
        created: false,
    };
    let ca_key = dir.join("ca.key");
    let names = names(hosts);
    if files.private_key.exists() && is_good(&files.certificate, &names) {
        return Ok(files);
    }
    fs::create_dir_all(dir).map_err(|e| file_error(dir, e))?;
    let have_ca = ca_key.exists() && is_good(&files.ca, &[]);
    if !have_ca {
        make_ca(&files.ca, &ca_key, kind)?;
    }
    let ca_pem = fs::read_to_string(&files.ca).map_err(|e| file_error(&files.ca, e))?;
    let key_pem = fs::read_to_string(&ca_key).map_err(|e| file_error(&ca_key, e))?;
    let key = KeyPair::from_pem(&key_pem).map_err(|e| file_error(&ca_key, e))?;
    let issuer = Issuer::from_ca_cert_pem(&ca_pem, key).map_err(|e| file_error(&files.ca, e))?;
    make_server(&files, &ca_pem, &issuer, names, kind)?;
    files.created = true;
    Ok(files)
}

fn names(hosts: &[String]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    for host in hosts {
        if !host.is_empty() && !names.iter().any(|n| n.eq_ignore_ascii_case(host)) {
            names.push(host.clone());
        }
    }
    names
}

fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

/// Whether the first certificate of the file is for `names` and lasts long enough.
fn is_good(path: &Path, names: &[String]) -> bool {
    let Ok(der) = CertificateDer::from_pem_file(path) else {
        return false;
    };
    let Ok((_, cert)) = X509Certificate::from_der(&der) else {
        return false;
    };
    let end = u64::try_from(cert.validity().not_after.timestamp()).unwrap_or(0);
    end > now_s() + RENEW_DAYS * DAY_S && names.iter().all(|name| is_for(&cert, name))
}

fn is_for(cert: &X509Certificate<'_>, name: &str) -> bool {
    let Ok(Some(alternatives)) = cert.subject_alternative_name() else {
        return false;
    };
    let octets = name.parse().ok().map(|ip: std::net::IpAddr| match ip {
        std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
        std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
    });
    alternatives
        .value
        .general_names
        .iter()
        .any(|general| match (general, &octets) {
            (GeneralName::IPAddress(bytes), Some(octets)) => *bytes == octets.as_slice(),
            (GeneralName::DNSName(dns), None) => dns.eq_ignore_ascii_case(name),
            _ => false,
        })
}

fn key_pair(kind: DevKey) -> Result<KeyPair, rcgen::Error> {
    match kind {
        DevKey::EcdsaP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        DevKey::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
    }
}

fn params(
    names: Vec<String>,
    common_name: &str,
    days: u64,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    // A clock that is a little behind must not refuse a fresh certificate.
    let now = SystemTime::now();
    params.not_before = (now - std::time::Duration::from_secs(3600)).into();
    params.not_after = (now + std::time::Duration::from_secs(days * DAY_S)).into();
    Ok(params)
}

fn make_ca(cert_path: &Path, key_path: &Path, kind: DevKey) -> Result<(), NetError> {
    let make = || {
        let key = key_pair(kind)?;
        let name = format!("Sipwright development CA {:x}", now_s());
        let mut params = params(Vec::new(), &name, CA_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok::<_, rcgen::Error>((params.self_signed(&key)?.pem(), key.serialize_pem()))
    };
    let (certificate, key) = make().map_err(|e| file_error(cert_path, e))?;
    write(key_path, &key, 0o600)?;
    write(cert_path, &certificate, 0o644)
}

fn make_server(
    files: &DevCert,
    ca_pem: &str,
    issuer: &Issuer<'_, KeyPair>,
    names: Vec<String>,
    kind: DevKey,
) -> Result<(), NetError> {
    let make = || {
        let key = key_pair(kind)?;
        let mut params = params(names, "Sipwright development server", SERVER_DAYS)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, issuer)?;
        Ok::<_, rcgen::Error>((certificate.pem() + ca_pem, key.serialize_pem()))
    };
    let (chain, key) = make().map_err(|e| file_error(&files.certificate, e))?;
    write(&files.private_key, &key, 0o600)?;
    write(&files.certificate, &chain, 0o644)
}

/// Replaces a file as a whole; at no moment is a key readable by others.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), NetError> {
    let temporary = path.with_extension("new");
    let attempt = || {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        // The mode above does not count for a file that a crash has left behind.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    attempt().map_err(|e| file_error(path, e))
}
