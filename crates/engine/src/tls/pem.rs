//! PEM files; every error names the file and what is wrong with it.

use std::fmt::Display;
use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::net::NetError;

/// An error about a file.
pub fn file_error(path: &Path, problem: impl Display) -> NetError {
    NetError::new(format!("{}: {problem}", path.display()))
}

fn describe(path: &Path, error: &PemError, wanted: &str) -> NetError {
    match error {
        PemError::NoItemsFound => file_error(path, format!("no {wanted} in it")),
        PemError::Io(e) => file_error(path, e),
        other => file_error(path, format!("not PEM: {other}")),
    }
}

/// A certificate and its intermediates, in the order of the file.
pub fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, NetError> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let certificates = read().map_err(|e| describe(path, &e, "certificate"))?;
    if certificates.is_empty() {
        return Err(describe(path, &PemError::NoItemsFound, "certificate"));
    }
    Ok(certificates)
}

/// A private key: PKCS#8, SEC1 or PKCS#1; the first in the file.
pub fn key(path: &Path) -> Result<PrivateKeyDer<'static>, NetError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|e| describe(path, &e, "private key (an encrypted one cannot be read)"))
}

/// Authorities. A system's store may hold some that rustls cannot read: those are
/// skipped, unless nothing is left.
pub fn roots(path: &Path) -> Result<RootCertStore, NetError> {
    let mut store = RootCertStore::empty();
    let (added, _ignored) = store.add_parsable_certificates(chain(path)?);
    if added == 0 {
        return Err(file_error(path, "no usable certificate authority in it"));
    }
    Ok(store)
}
