//! PEM files; every error names the file and what is wrong with it.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

use crate::net::NetError;

/// An error about a file.
pub fn file_error(path: &Path, problem: impl Display) -> NetError {
    NetError::new(format!("{}: {problem}", path.display()))
}

/// An error of reading PEM.
pub fn describe(path: &Path, error: &PemError, wanted: &str) -> NetError {
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

/// Certificate revocation lists.
pub fn crls(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, NetError> {
    let read = || CertificateRevocationListDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let wanted = "certificate revocation list (BEGIN X509 CRL)";
    let lists = read().map_err(|e| describe(path, &e, wanted))?;
    if lists.is_empty() {
        return Err(describe(path, &PemError::NoItemsFound, wanted));
    }
    Ok(lists)
}

/// The PEM files of a directory of authorities, as `c_rehash` leaves them: every
/// file that begins with a certificate, each one once.
pub fn directory(path: &Path) -> Result<Vec<PathBuf>, NetError> {
    let entries = std::fs::read_dir(path).map_err(|e| file_error(path, e))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|e| file_error(path, e))?.path();
        // The hashed names are links to files of the same directory.
        if let Ok(real) = file.canonicalize()
            && real.is_file()
        {
            files.push(real);
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A certificate as PEM.
#[must_use]
pub fn to_pem(der: &[u8]) -> String {
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    // 48 bytes make a line of 64 characters.
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for position in 0..4 {
                let index = (bits >> (18 - 6 * position)) & 63;
                let filled = position <= group.len();
                out.push(if filled {
                    char::from(ALPHABET[index as usize])
                } else {
                    '='
                });
            }
        }
        out.push('\n');
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::pem::PemObject;

    #[test]
    fn what_is_written_is_read_back() {
        for len in [1, 2, 3, 47, 48, 49, 500] {
            let der: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
            let read = CertificateDer::from_pem_slice(to_pem(&der).as_bytes()).unwrap();
            assert_eq!(read.as_ref(), der, "{len}");
        }
    }
}
