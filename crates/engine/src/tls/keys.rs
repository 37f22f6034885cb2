//! Private keys, also encrypted ones (PKCS#8 with PBES2, RFC 8018).

use std::path::Path;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::{iv::FixedLength, pbkdf2};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::der_parser::asn1_rs::Oid;
use x509_parser::der_parser::der::{DerObject, parse_der};
use x509_parser::der_parser::oid;
use x509_parser::pem::Pem;

use super::pem::{describe, file_error};
use crate::net::NetError;

/// Longest key derivation that is carried out; more is a file that wants to hurt.
const MAX_ITERATIONS: u32 = 10_000_000;

const CONVERT: &str = "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW";

/// Where the passphrase of a key is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passphrase<'a> {
    /// The first line of this file.
    pub file: Option<&'a Path>,
    /// This environment variable.
    pub env: Option<&'a str>,
}

impl Passphrase<'_> {
    fn read(self, key: &Path) -> Result<Vec<u8>, NetError> {
        if let Some(path) = self.file {
            let text = std::fs::read(path).map_err(|e| file_error(path, e))?;
            let line = text.split(|b| matches!(b, b'\n' | b'\r')).next();
            return Ok(line.unwrap_or_default().to_vec());
        }
        if let Some(name) = self.env {
            return std::env::var(name)
                .map(String::into_bytes)
                .map_err(|e| file_error(key, format!("passphrase variable {name}: {e}")));
        }
        let text = "the private key is encrypted; give its passphrase by passphrase_file or passphrase_env";
        Err(file_error(key, text))
    }
}

/// A private key: PKCS#8, SEC1, PKCS#1 or encrypted PKCS#8; the first in the file.
pub fn key(path: &Path, passphrase: Passphrase<'_>) -> Result<PrivateKeyDer<'static>, NetError> {
    let text = std::fs::read(path).map_err(|e| file_error(path, e))?;
    if let Some(problem) = unreadable(&text) {
        return Err(file_error(path, problem));
    }
    let Some(sealed) = encrypted(path, &text)? else {
        return PrivateKeyDer::from_pem_slice(&text).map_err(|e| describe(path, &e, "private key"));
    };
    let secret = passphrase.read(path)?;
    decrypt(&sealed, &secret)
        .map(|der| PrivatePkcs8KeyDer::from(der).into())
        .map_err(|e| file_error(path, e))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}

/// Keys that OpenSSL reads and we do not.
fn unreadable(text: &[u8]) -> Option<String> {
    if contains(text, b"Proc-Type: 4,ENCRYPTED") {
        // Its key is made by MD5 (EVP_BytesToKey), once.
        let what =
            "a private key encrypted in the old PEM format, whose protection is weak, is not read";
        return Some(format!("{what}; {CONVERT}"));
    }
    let is_dsa = contains(text, b"BEGIN DSA PRIVATE KEY");
    is_dsa.then(|| "DSA keys are not offered; make an ECDSA, RSA or Ed25519 key".to_owned())
}

fn encrypted(path: &Path, text: &[u8]) -> Result<Option<Vec<u8>>, NetError> {
    if !contains(text, b"BEGIN ENCRYPTED PRIVATE KEY") {
        return Ok(None);
    }
    for section in Pem::iter_from_buffer(text) {
        let section = section.map_err(|e| file_error(path, format!("not PEM: {e}")))?;
        if section.label == "ENCRYPTED PRIVATE KEY" {
            return Ok(Some(section.contents));
        }
    }
    Ok(None)
}

/// What RFC 8018 calls PBES2 parameters, as far as they are used here.
struct Scheme {
    salt: Vec<u8>,
    iterations: std::num::NonZeroU32,
    prf: pbkdf2::Algorithm,
    cipher: &'static Algorithm,
    iv: [u8; 16],
}

/// The DER of a PKCS#8 key out of an `EncryptedPrivateKeyInfo`.
fn decrypt(sealed: &[u8], passphrase: &[u8]) -> Result<Vec<u8>, String> {
    let broken = || "the encrypted private key is damaged".to_owned();
    let (_, info) = parse_der(sealed).map_err(|_| broken())?;
    let parts = sequence(&info).ok_or_else(broken)?;
    let [algorithm, data] = parts else {
        return Err(broken());
    };
    let scheme = scheme(algorithm).ok_or_else(|| {
        format!("its encryption is not read (PBES2 with PBKDF2 and AES-CBC is); {CONVERT}")
    })?;
    if scheme.iterations.get() > MAX_ITERATIONS {
        return Err(format!("more than {MAX_ITERATIONS} iterations; {CONVERT}"));
    }
    let mut key = vec![0; key_len(scheme.cipher)];
    pbkdf2::derive(
        scheme.prf,
        scheme.iterations,
        &scheme.salt,
        passphrase,
        &mut key,
    );
    let mut bytes = data.as_slice().map_err(|_| broken())?.to_vec();
    let unbound = UnboundCipherKey::new(scheme.cipher, &key).map_err(|_| broken())?;
    key.fill(0);
    let opener = PaddedBlockDecryptingKey::cbc_pkcs7(unbound).map_err(|_| broken())?;
    let context = DecryptionContext::Iv128(FixedLength::from(scheme.iv));
    let plain = opener.decrypt(&mut bytes, context);
    // The wrong key mostly shows in the padding, else in what comes out.
    let plain = plain.ok().filter(|p| parse_der(p).is_ok());
    plain
        .map(|p| p.to_vec())
        .ok_or_else(|| "wrong passphrase".to_owned())
}

fn key_len(cipher: &'static Algorithm) -> usize {
    if std::ptr::eq(cipher, &raw const AES_256_) {
        32
    } else if std::ptr::eq(cipher, &raw const AES_192_) {
        24
    } else {
        16
    }
}

static AES_128_: Algorithm = AES_128;
static AES_192_: Algorithm = AES_192;
static AES_256_: Algorithm = AES_256;

fn sequence<'a, 'b>(object: &'b DerObject<'a>) -> Option<&'b [DerObject<'a>]> {
    object.as_sequence().ok().map(Vec::as_slice)
}

/// Algorithm and parameters of an `AlgorithmIdentifier`.
fn algorithm<'a, 'b>(object: &'b DerObject<'a>) -> Option<(Oid<'a>, &'b DerObject<'a>)> {
    let [name, parameters] = sequence(object)? else {
        return None;
    };
    Some((name.as_oid_val().ok()?, parameters))
}

fn scheme(object: &DerObject<'_>) -> Option<Scheme> {
    let (name, parameters) = algorithm(object)?;
    let [derivation, encryption] = sequence(parameters)? else {
        return None;
    };
    let (kdf, kdf_parameters) = algorithm(derivation)?;
    let is_pbes2 = name == oid!(1.2.840.113549.1.5.13) && kdf == oid!(1.2.840.113549.1.5.12);
    if !is_pbes2 {
        return None;
    }
    let [salt, iterations, optional @ ..] = sequence(kdf_parameters)? else {
        return None;
    };
    // keyLength INTEGER OPTIONAL, prf DEFAULT hmacWithSHA1
    let prf = optional.iter().find_map(algorithm);
    let (cipher, iv) = algorithm(encryption)?;
    Some(Scheme {
        salt: salt.as_slice().ok()?.to_vec(),
        iterations: iterations.as_u32().ok()?.try_into().ok()?,
        prf: prf.map_or(Some(pbkdf2::PBKDF2_HMAC_SHA1), |(name, _)| prf_of(&name))?,
        cipher: cipher_of(&cipher)?,
        iv: iv.as_slice().ok()?.try_into().ok()?,
    })
}

fn prf_of(name: &Oid<'_>) -> Option<pbkdf2::Algorithm> {
    let table = [
        (oid!(1.2.840.113549.2.7), pbkdf2::PBKDF2_HMAC_SHA1),
        (oid!(1.2.840.113549.2.9), pbkdf2::PBKDF2_HMAC_SHA256),
        (oid!(1.2.840.113549.2.10), pbkdf2::PBKDF2_HMAC_SHA384),
        (oid!(1.2.840.113549.2.11), pbkdf2::PBKDF2_HMAC_SHA512),
    ];
    table
        .into_iter()
        .find(|(oid, _)| oid == name)
        .map(|(_, prf)| prf)
}

fn cipher_of(name: &Oid<'_>) -> Option<&'static Algorithm> {
    let table = [
        (oid!(2.16.840.1.101.3.4.1.2), &AES_128_),
        (oid!(2.16.840.1.101.3.4.1.22), &AES_192_),
        (oid!(2.16.840.1.101.3.4.1.42), &AES_256_),
    ];
    table
        .into_iter()
        .find(|(oid, _)| oid == name)
        .map(|(_, cipher)| cipher)
}
