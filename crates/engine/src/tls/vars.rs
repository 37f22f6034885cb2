//! `$tls_*` and `$tls(key)`: what a script may know of a TLS connection.
//!
//! Values are those of Kamailio's module tls: numbers as text that is also a
//! number, dates as OpenSSL prints them, nothing where the certificate says nothing.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use sipwright_sip::script::Value;
use sipwright_sip::script::pv::Index;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use super::pem::to_pem;
use crate::net::TlsInfo;

/// What came of verifying the other side's certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It showed none.
    Missing,
    /// It is valid.
    Valid,
    /// A list says that it is revoked.
    Revoked,
    /// Its time is over.
    Expired,
    /// It is signed by itself and by nobody who is trusted.
    SelfSigned,
    /// Anything else.
    Invalid,
}

impl Verdict {
    /// As it is shown in lists of connections.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "none",
            Self::Valid => "verified",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::SelfSigned => "self-signed",
            Self::Invalid => "not verified",
        }
    }
}

/// The value of `$class` or `$tls(inner)`; `None` when there is no such variable.
#[must_use]
pub fn get(info: &TlsInfo, class: &str, inner: &str, index: Index) -> Option<Value<'static>> {
    let name = class.strip_prefix("tls_");
    let Some(name) = name else {
        return (class == "tls").then(|| key(info, inner)).flatten();
    };
    if let Some(value) = of_connection(info, name) {
        return Some(value);
    }
    let (der, field) = if let Some(field) = name.strip_prefix("peer_") {
        (info.peer_certificate.as_deref(), field)
    } else {
        let field = name.strip_prefix("my_")?;
        (info.profile.certificate.as_deref(), field)
    };
    let Some(der) = der else {
        return Some(Value::Null);
    };
    of_certificate(der, field, inner, index)
}

/// Every variable, with or without a connection; sorted.
const NAMES: &[&str] = &[
    "tls",
    "tls_cipher_bits",
    "tls_cipher_info",
    "tls_description",
    "tls_my_issuer",
    "tls_my_issuer_cn",
    "tls_my_issuer_country",
    "tls_my_issuer_locality",
    "tls_my_issuer_organization",
    "tls_my_issuer_state",
    "tls_my_issuer_unit",
    "tls_my_raw_cert",
    "tls_my_san_count",
    "tls_my_san_email",
    "tls_my_san_hostname",
    "tls_my_san_ip",
    "tls_my_san_uri",
    "tls_my_serial",
    "tls_my_subject",
    "tls_my_subject_cn",
    "tls_my_subject_country",
    "tls_my_subject_locality",
    "tls_my_subject_organization",
    "tls_my_subject_state",
    "tls_my_subject_uid",
    "tls_my_subject_unit",
    "tls_my_urlencoded_cert",
    "tls_my_version",
    "tls_peer_expired",
    "tls_peer_issuer",
    "tls_peer_issuer_cn",
    "tls_peer_issuer_country",
    "tls_peer_issuer_locality",
    "tls_peer_issuer_organization",
    "tls_peer_issuer_state",
    "tls_peer_issuer_unit",
    "tls_peer_notAfter",
    "tls_peer_notBefore",
    "tls_peer_raw_cert",
    "tls_peer_revoked",
    "tls_peer_san_count",
    "tls_peer_san_email",
    "tls_peer_san_hostname",
    "tls_peer_san_ip",
    "tls_peer_san_uri",
    "tls_peer_selfsigned",
    "tls_peer_serial",
    "tls_peer_server_name",
    "tls_peer_subject",
    "tls_peer_subject_cn",
    "tls_peer_subject_country",
    "tls_peer_subject_locality",
    "tls_peer_subject_organization",
    "tls_peer_subject_state",
    "tls_peer_subject_uid",
    "tls_peer_subject_unit",
    "tls_peer_urlencoded_cert",
    "tls_peer_verified",
    "tls_peer_version",
    "tls_version",
];

/// Whether there is a variable of that name.
#[must_use]
pub fn is_known(class: &str) -> bool {
    NAMES.binary_search(&class).is_ok()
}

fn text(text: impl Into<String>) -> Value<'static> {
    Value::owned(text.into().into_bytes())
}

fn number(n: i64) -> Value<'static> {
    Value::StrInt(n.to_string().into_bytes().into(), n)
}

fn opt(value: Option<String>) -> Value<'static> {
    value.map_or(Value::Null, text)
}

/// Lines of names in the form of OpenSSL's `X509_NAME_oneline`.
fn key(info: &TlsInfo, inner: &str) -> Option<Value<'static>> {
    let (der, issuer) = match inner {
        "m_subject_line" => (info.profile.certificate.as_deref(), false),
        "m_issuer_line" => (info.profile.certificate.as_deref(), true),
        "p_subject_line" => (info.peer_certificate.as_deref(), false),
        "p_issuer_line" => (info.peer_certificate.as_deref(), true),
        _ => return None,
    };
    let Some(der) = der else {
        return Some(Value::Null);
    };
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    let name = if issuer {
        cert.issuer()
    } else {
        cert.subject()
    };
    Some(text(one_line(name)))
}

fn of_connection(info: &TlsInfo, name: &str) -> Option<Value<'static>> {
    let is = |verdict: Verdict| number(i64::from(info.verdict == verdict));
    Some(match name {
        "version" => text(info.version),
        "description" => text(format!("{}\n", description(info))),
        "cipher_info" => text(info.cipher),
        "cipher_bits" => number(info.cipher_bits.into()),
        "peer_verified" => is(Verdict::Valid),
        "peer_revoked" => is(Verdict::Revoked),
        "peer_expired" => is(Verdict::Expired),
        "peer_selfsigned" => is(Verdict::SelfSigned),
        "peer_server_name" => opt(info.server_name.clone()),
        _ => return None,
    })
}

/// The cipher suite as OpenSSL's `SSL_CIPHER_description` lays it out.
#[must_use]
pub fn description(info: &TlsInfo) -> String {
    let (kx, au) = match info.cipher.split('-').collect::<Vec<_>>()[..] {
        ["ECDHE", au, ..] => ("ECDH", au),
        _ => ("any", "any"),
    };
    let cipher = if info.cipher.contains("CHACHA20") {
        "CHACHA20/POLY1305(256)".to_owned()
    } else {
        format!("AESGCM({})", info.cipher_bits)
    };
    let version = info.version;
    format!(
        "{:<30} {version:<7} Kx={kx:<8} Au={au:<5} Enc={cipher:<22} Mac=AEAD",
        info.cipher
    )
}

fn of_certificate(der: &[u8], field: &str, inner: &str, index: Index) -> Option<Value<'static>> {
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    Some(match field {
        // As OpenSSL: one less than what people call it.
        "version" => number(cert.version().0.into()),
        "serial" => text(cert.serial.to_string()),
        "notBefore" => text(date(cert.validity().not_before)),
        "notAfter" => text(date(cert.validity().not_after)),
        "raw_cert" => text(to_pem(der)),
        "urlencoded_cert" => text(url_encoded(&to_pem(der))),
        "subject" => text(one_line(cert.subject())),
        "issuer" => text(one_line(cert.issuer())),
        "san_count" => number(names(&cert, inner)?.len().try_into().unwrap_or(0)),
        _ => match field.strip_prefix("san_") {
            Some(kind) => at(names(&cert, kind)?, index),
            None => part(&cert, field)?,
        },
    })
}

fn at(mut names: Vec<String>, index: Index) -> Value<'static> {
    let position = match index {
        Index::None => 0,
        Index::At(i) if i >= 0 => i.unsigned_abs() as usize,
        Index::At(i) => match names.len().checked_sub(i.unsigned_abs() as usize) {
            Some(position) => position,
            None => return Value::Null,
        },
        Index::All => return opt((!names.is_empty()).then(|| names.join(","))),
    };
    if position < names.len() {
        text(names.swap_remove(position))
    } else {
        Value::Null
    }
}

/// Names of one kind in the subjectAltName.
fn names(cert: &X509Certificate<'_>, kind: &str) -> Option<Vec<String>> {
    let pick: fn(&GeneralName<'_>) -> Option<String> = match kind {
        "hostname" | "dns" => |n| match n {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        },
        "email" => |n| match n {
            GeneralName::RFC822Name(name) => Some((*name).to_owned()),
            _ => None,
        },
        "uri" => |n| match n {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        },
        "ip" => |n| match n {
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        },
        _ => return None,
    };
    let Ok(Some(extension)) = cert.subject_alternative_name() else {
        return Some(Vec::new());
    };
    Some(
        extension
            .value
            .general_names
            .iter()
            .filter_map(pick)
            .collect(),
    )
}

pub(super) fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).to_string());
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(v6).to_string())
}

/// `subject_cn`, `issuer_country` and the like.
fn part(cert: &X509Certificate<'_>, field: &str) -> Option<Value<'static>> {
    let (who, what) = field.split_once('_')?;
    let name = match who {
        "subject" => cert.subject(),
        "issuer" => cert.issuer(),
        _ => return None,
    };
    let oid = oid_of(what)?;
    let found = name.iter_by_oid(&oid).next();
    Some(opt(found.and_then(|a| a.as_str().ok().map(str::to_owned))))
}

fn oid_of(part: &str) -> Option<Oid<'static>> {
    use x509_parser::der_parser::oid;
    Some(match part {
        "cn" => oid!(2.5.4.3),
        "country" => oid!(2.5.4.6),
        "locality" => oid!(2.5.4.7),
        "state" => oid!(2.5.4.8),
        "organization" => oid!(2.5.4.10),
        "unit" => oid!(2.5.4.11),
        "uid" => oid!(0.9.2342.19200300.100.1.1),
        _ => return None,
    })
}

/// `/C=DE/O=Example/CN=sip.example.org`.
pub(super) fn one_line(name: &X509Name<'_>) -> String {
    let mut line = String::new();
    for attribute in name.iter_attributes() {
        let oid = attribute.attr_type();
        let short = [
            "cn",
            "country",
            "locality",
            "state",
            "organization",
            "unit",
            "uid",
        ]
        .into_iter()
        .zip(["CN", "C", "L", "ST", "O", "OU", "UID"])
        .find(|(part, _)| oid_of(part).as_ref() == Some(oid))
        .map_or_else(|| oid.to_id_string(), |(_, short)| short.to_owned());
        let value = attribute.as_str().unwrap_or("?");
        let _ = write!(line, "/{short}={value}");
    }
    line
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Nov  2 16:04:57 2026 GMT`.
pub(super) fn date(time: ASN1Time) -> String {
    let t = time.to_datetime();
    let month = MONTHS[usize::from(u8::from(t.month())) - 1];
    format!(
        "{month} {:2} {:02}:{:02}:{:02} {} GMT",
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.year()
    )
}

/// Percent-encoding as Kamailio writes it, hexadecimal digits in lower case.
fn url_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_kamailio_are_known() {
        assert!(NAMES.is_sorted());
        assert!(NAMES.iter().all(|name| is_known(name)));
        assert!(!is_known("tls_peer_nonsense") && !is_known("tlsx"));
    }

    #[test]
    fn values_by_index() {
        let names = || vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(at(names(), Index::None), text("a"));
        assert_eq!(at(names(), Index::At(1)), text("b"));
        assert_eq!(at(names(), Index::At(-1)), text("b"));
        assert_eq!(at(names(), Index::At(2)), Value::Null);
        assert_eq!(at(names(), Index::At(-3)), Value::Null);
        assert_eq!(at(names(), Index::All), text("a,b"));
    }
}
