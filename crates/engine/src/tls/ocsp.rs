//! OCSP responses to staple (RFC 6066 section 8): a file in DER that somebody
//! else renews, such as a cron job with `openssl ocsp`.

use std::path::Path;

use x509_parser::der_parser::asn1_rs::Tag;
use x509_parser::der_parser::der::parse_der;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pem::file_error;
use crate::net::NetError;

/// Status of a response, RFC 6960 section 4.2.1.
const STATUS: [&str; 7] = [
    "successful",
    "malformedRequest",
    "internalError",
    "tryLater",
    "",
    "sigRequired",
    "unauthorized",
];

/// The response, if it is one that says something about that certificate. Whether it
/// is still current, and well signed, is for clients to see.
pub fn load(path: &Path, certificate: &[u8]) -> Result<Vec<u8>, NetError> {
    let bytes = std::fs::read(path).map_err(|e| file_error(path, e))?;
    let status = status(&bytes)
        .ok_or_else(|| file_error(path, "is no OCSP response in DER (openssl ocsp -respout)"))?;
    if status != 0 {
        let name = STATUS.get(status as usize).unwrap_or(&"");
        let text = format!("the OCSP response says {status} {name}, nothing of the certificate");
        return Err(file_error(path, text));
    }
    let (_, cert) = X509Certificate::from_der(certificate)
        .map_err(|e| file_error(path, format!("certificate: {e}")))?;
    let serial = cert.raw_serial();
    if !bytes.windows(serial.len()).any(|w| w == serial) {
        return Err(file_error(
            path,
            "the OCSP response is for another certificate",
        ));
    }
    Ok(bytes)
}

/// `OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, .. }`
fn status(bytes: &[u8]) -> Option<u32> {
    let (_, response) = parse_der(bytes).ok()?;
    let first = response.as_sequence().ok()?.first()?.clone();
    (first.header.tag() == Tag::Enumerated)
        .then(|| first.as_u32().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_of_a_response() {
        assert_eq!(status(&[0x30, 3, 0x0a, 1, 0]), Some(0));
        assert_eq!(status(&[0x30, 3, 0x0a, 1, 3]), Some(3));
        assert_eq!(status(&[0x30, 3, 0x02, 1, 0]), None);
        assert_eq!(status(b"-----BEGIN"), None);
    }
}
