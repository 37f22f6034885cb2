//! What a certificate says, for people; decoded when somebody asks.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::vars::{address, date, one_line};
use super::verify::fingerprint;

/// A certificate in words, each as OpenSSL prints it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateFacts {
    /// Such as `/O=Example/CN=sip.example.org`.
    pub subject: String,
    /// The same of who signed it.
    pub issuer: String,
    /// The subjectAltName: `DNS:sip.example.org`, `URI:sip:example.org`, `IP Address:192.0.2.1`, `email:..`.
    pub names: Vec<String>,
    /// Hexadecimal digits, upper case.
    pub serial: String,
    /// Such as `Nov  2 16:04:57 2026 GMT`.
    pub not_before: String,
    /// The same of its end.
    pub not_after: String,
    /// SHA-256 of it: `AB:CD:..`.
    pub fingerprint: String,
    /// The subject's common name; in `subject` a slash may be part of a value.
    pub common_name: Option<String>,
}

impl CertificateFacts {
    /// Decodes a certificate; `None` when it cannot be read.
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, cert) = X509Certificate::from_der(der).ok()?;
        let names = match cert.subject_alternative_name() {
            Ok(Some(extension)) => extension.value.general_names.iter().map(name).collect(),
            _ => Vec::new(),
        };
        let common_name = cert.subject().iter_common_name().next();
        Some(Self {
            subject: one_line(cert.subject()),
            issuer: one_line(cert.issuer()),
            names,
            serial: serial(cert.raw_serial()),
            not_before: date(cert.validity().not_before),
            not_after: date(cert.validity().not_after),
            fingerprint: hex(&fingerprint(der), ":"),
            common_name: common_name.and_then(|a| a.as_str().ok().map(str::to_owned)),
        })
    }
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(host) => format!("DNS:{host}"),
        GeneralName::RFC822Name(mail) => format!("email:{mail}"),
        GeneralName::URI(uri) => format!("URI:{uri}"),
        GeneralName::IPAddress(bytes) => {
            format!("IP Address:{}", address(bytes).unwrap_or_default())
        }
        GeneralName::DirectoryName(directory) => format!("DirName:{}", one_line(directory)),
        _ => "othername:<unsupported>".to_owned(),
    }
}

/// Without the byte that only says that the number is not negative.
fn serial(bytes: &[u8]) -> String {
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => hex(rest, ""),
        _ => hex(bytes, ""),
    }
}

fn hex(bytes: &[u8], between: &str) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(between)
}
