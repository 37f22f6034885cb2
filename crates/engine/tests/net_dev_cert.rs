//! The development certificate: made once, private, renewed when it must be.

mod net_support;

use std::os::unix::fs::PermissionsExt;

use net_support::{Server, TempDir, config, tls_connect};
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use sipwright_engine::config::ServerProfile;
use sipwright_engine::tls::dev_cert::{DevKey, ensure};
use sipwright_sip::types::Proto;

#[test]
fn it_is_made_once_and_again_for_another_host() {
    let dir = TempDir::new();
    let first = ensure(&dir.0, &["a.example.org".into()], DevKey::EcdsaP256).unwrap();
    assert!(first.created);
    let ca = std::fs::read(&first.ca).unwrap();
    let certificate = std::fs::read(&first.certificate).unwrap();
    for key in ["server.key", "ca.key"] {
        let mode = std::fs::metadata(dir.0.join(key))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    let again = ensure(&dir.0, &["A.example.org".into()], DevKey::EcdsaP256).unwrap();
    assert!(!again.created);
    assert_eq!(std::fs::read(&again.certificate).unwrap(), certificate);
    let moved = ensure(&dir.0, &["b.example.org".into()], DevKey::EcdsaP256).unwrap();
    assert!(moved.created);
    assert_ne!(std::fs::read(&moved.certificate).unwrap(), certificate);
    assert_eq!(
        std::fs::read(&moved.ca).unwrap(),
        ca,
        "clients that trust it go on to"
    );
}

#[test]
fn a_damaged_file_is_replaced_and_an_unwritable_place_is_named() {
    let dir = TempDir::new();
    let files = ensure(&dir.0, &[], DevKey::EcdsaP256).unwrap();
    std::fs::write(&files.certificate, "damaged").unwrap();
    assert!(ensure(&dir.0, &[], DevKey::EcdsaP256).unwrap().created);
    let error = ensure(&files.certificate, &[], DevKey::EcdsaP256)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&files.certificate.display().to_string()),
        "{error}"
    );
}

/// PKCS#8 as it is made; SEC1 and PKCS#1 as OpenSSL and Kamailio's tools write them.
#[test]
fn it_serves_every_name_with_every_kind_of_key() {
    for kind in [DevKey::EcdsaP256, DevKey::Rsa2048] {
        let dir = TempDir::new();
        let files = ensure(&dir.0, &["sip.example.org".into()], kind).unwrap();
        let certificate = net_support::Certificate { files, dir };
        let mut cfg = config(&[Proto::Tls]);
        cfg.tls.server = vec![certificate.server_profile()];
        let server = Server::start(&cfg);
        for version in [&TLS12, &TLS13] {
            let client = certificate.client_config(&[version]);
            for name in ["localhost", "127.0.0.1", "::1", "sip.example.org"] {
                tls_connect(server.addr(0), &client, name).unwrap();
            }
            assert!(tls_connect(server.addr(0), &client, "elsewhere.example.org").is_err());
        }
    }
}

#[test]
fn older_key_formats_are_read() {
    let dir = TempDir::new();
    for (kind, label) in [(DevKey::Rsa2048, "RSA"), (DevKey::EcdsaP256, "EC")] {
        let sub = dir.0.join(label);
        let files = ensure(&sub, &[], kind).unwrap();
        let PrivateKeyDer::Pkcs8(pkcs8) = PrivateKeyDer::from_pem_file(&files.private_key).unwrap()
        else {
            panic!("made as PKCS#8");
        };
        // The old format is the OCTET STRING at the end of the PKCS#8 structure:
        // both begin with SEQUENCE { INTEGER version 0 (RSA) or 1 (EC).
        let der = pkcs8.secret_pkcs8_der();
        let version = if label == "RSA" {
            [0x02, 0x01, 0x00]
        } else {
            [0x02, 0x01, 0x01]
        };
        let inner = inner_sequence(der, version);
        let pem = to_pem(&format!("{label} PRIVATE KEY"), inner);
        let path = sub.join("old.key");
        std::fs::write(&path, pem).unwrap();
        let mut cfg = config(&[Proto::Tls]);
        cfg.tls.server = vec![ServerProfile {
            certificate: files.certificate,
            private_key: path,
            ..ServerProfile::default()
        }];
        drop(Server::start(&cfg));
    }
}

/// The SEQUENCE inside the OCTET STRING that starts with that INTEGER.
fn inner_sequence(der: &[u8], version: [u8; 3]) -> &[u8] {
    // The outer structure has its own version first; skip that one.
    let at = (8..der.len())
        .find(|i| der[*i..].starts_with(&version))
        .unwrap();
    let start = (at - 4..at).find(|i| der[*i] == 0x30).unwrap();
    let len = match at - start {
        2 => usize::from(der[start + 1]) + 2,
        3 => usize::from(der[start + 2]) + 3,
        _ => usize::from(u16::from_be_bytes([der[start + 2], der[start + 3]])) + 4,
    };
    &der[start..start + len]
}

fn to_pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for chunk in line.chunks(3) {
            let word =
                chunk.iter().fold(0_u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
            for i in 0..4 {
                let sextet = (word >> (18 - 6 * i)) & 63;
                let digit = char::from(ALPHABET[sextet as usize]);
                text.push(if i <= chunk.len() { digit } else { '=' });
            }
        }
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}
