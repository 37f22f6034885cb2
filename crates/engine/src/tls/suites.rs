//! Which versions, cipher suites and key exchange groups a profile offers.
//!
//! Cipher lists are written in OpenSSL's language, as Kamailio's `cipher_list` is.
//! It is applied to the suites that rustls has: AEAD ciphers with ephemeral keys.
//! What a list asks for beyond those is named.

use std::fmt::Write;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion};

use crate::config::TlsVersion;

/// A suite as OpenSSL names it.
struct Known {
    suite: CipherSuite,
    /// Name in OpenSSL.
    name: &'static str,
    /// Words of a cipher list that include it, besides those of [`EVERY`].
    tags: &'static [&'static str],
}

/// Words that include every suite there is.
const EVERY: &[&str] = &["ALL", "DEFAULT", "HIGH", "FIPS", "AEAD"];

/// Words that include every TLS 1.2 suite there is.
const EVERY_12: &[&str] = &[
    "ECDHE", "EECDH", "KECDHE", "KEECDH", "ECDH", "TLSV1.2", "TLSV1.2+",
];

const KNOWN: &[Known] = &[
    Known {
        suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        name: "TLS_AES_256_GCM_SHA384",
        tags: &[],
    },
    Known {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        name: "TLS_AES_128_GCM_SHA256",
        tags: &[],
    },
    Known {
        suite: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        name: "TLS_CHACHA20_POLY1305_SHA256",
        tags: &[],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        tags: &["AECDSA", "ECDSA", "AES", "AES256", "AESGCM"],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        tags: &["AECDSA", "ECDSA", "AES", "AES128", "AESGCM"],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        tags: &["AECDSA", "ECDSA", "CHACHA20"],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-RSA-AES256-GCM-SHA384",
        tags: &["ARSA", "AES", "AES256", "AESGCM"],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-RSA-AES128-GCM-SHA256",
        tags: &["ARSA", "AES", "AES128", "AESGCM"],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        tags: &["ARSA", "CHACHA20"],
    },
];

impl Known {
    fn is_13(&self) -> bool {
        self.name.starts_with("TLS_")
    }

    /// Whether a word of a list, in upper case, includes it.
    fn has(&self, word: &str) -> bool {
        // Such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.
        let iana = format!("{:?}", self.suite).replace("TLS13_", "TLS_");
        word == self.name
            || word == iana
            || (!self.is_13()
                && (EVERY.contains(&word) || EVERY_12.contains(&word) || self.tags.contains(&word)))
    }
}

/// Name of a suite as OpenSSL and Kamailio's `$tls_cipher_info` have it.
#[must_use]
pub fn openssl_name(suite: CipherSuite) -> &'static str {
    let found = KNOWN.iter().find(|k| k.suite == suite);
    found.map_or("unknown", |k| k.name)
}

/// Bits of a suite's key.
#[must_use]
pub fn bits(suite: CipherSuite) -> u16 {
    if openssl_name(suite).contains("128-GCM") || openssl_name(suite).contains("_128_") {
        128
    } else {
        256
    }
}

/// A provider with what the profile allows, and the words of the list for which
/// there is no suite.
///
/// # Errors
/// What is wrong with the list or the groups, and what would be right.
pub fn provider(ciphers: &str, curves: &[String]) -> Result<(CryptoProvider, Vec<String>), String> {
    let mut provider = aws_lc_rs::default_provider();
    let (chosen, missing) = choose(ciphers)?;
    provider.cipher_suites = chosen.into_iter().filter_map(of_rustls).collect();
    if !curves.is_empty() {
        provider.kx_groups = groups(curves)?;
    }
    Ok((provider, missing))
}

fn of_rustls(suite: CipherSuite) -> Option<SupportedCipherSuite> {
    let all = aws_lc_rs::ALL_CIPHER_SUITES;
    all.iter().find(|s| s.suite() == suite).copied()
}

/// OpenSSL applies a cipher list to TLS 1.2; the suites of TLS 1.3 all stay unless
/// the list names some of them.
fn choose(list: &str) -> Result<(Vec<CipherSuite>, Vec<String>), String> {
    let mut chosen: Vec<&Known> = Vec::new();
    let mut killed: Vec<&Known> = Vec::new();
    let mut missing = Vec::new();
    let words = list.split([':', ',', ' ', ';']).filter(|w| !w.is_empty());
    for word in words {
        let first = word.as_bytes()[0];
        let name = word.trim_start_matches(['!', '-', '+']).to_uppercase();
        let parts: Vec<&str> = name.split('+').collect();
        let is_in = |k: &&Known| parts.iter().all(|part| k.has(part));
        match first {
            b'@' => {}
            b'!' => {
                killed.extend(KNOWN.iter().filter(is_in));
                chosen.retain(|k| !is_in(k));
            }
            b'-' => chosen.retain(|k| !is_in(k)),
            b'+' => {
                let (last, mut first): (Vec<_>, Vec<_>) = chosen.into_iter().partition(is_in);
                first.extend(last);
                chosen = first;
            }
            _ => {
                let mut found = KNOWN.iter().filter(is_in).peekable();
                if found.peek().is_none() {
                    missing.push(word.to_owned());
                }
                for known in found {
                    let is_new = !chosen.iter().any(|k| k.suite == known.suite);
                    let is_dead = killed.iter().any(|k| k.suite == known.suite);
                    if is_new && !is_dead {
                        chosen.push(known);
                    }
                }
            }
        }
    }
    if list.trim().is_empty() {
        return Ok((KNOWN.iter().map(|k| k.suite).collect(), missing));
    }
    if chosen.is_empty() {
        return Err(nothing_left(&missing));
    }
    let mut suites: Vec<CipherSuite> = Vec::new();
    if !chosen.iter().any(|k| k.is_13()) {
        suites.extend(KNOWN.iter().filter(|k| k.is_13()).map(|k| k.suite));
    }
    suites.extend(chosen.iter().map(|k| k.suite));
    Ok((suites, missing))
}

fn nothing_left(missing: &[String]) -> String {
    let mut text = String::from("the cipher list leaves no cipher suite");
    if !missing.is_empty() {
        let _ = write!(text, "; not offered: {}", missing.join(", "));
    }
    text.push_str(
        " (CBC, RC4, 3DES and RSA or static DH key exchange are not); remove it, or use of ",
    );
    let names: Vec<&str> = KNOWN.iter().map(|k| k.name).collect();
    text.push_str(&names.join(", "));
    text
}

/// Key exchange groups by their names in OpenSSL and IANA.
fn groups(names: &[String]) -> Result<Vec<&'static dyn SupportedKxGroup>, String> {
    names
        .iter()
        .map(|name| {
            group(name).ok_or_else(|| {
                format!(
                    "curve {name:?} is not offered; one of X25519MLKEM768, X25519, P-256, P-384"
                )
            })
        })
        .collect()
}

fn group(name: &str) -> Option<&'static dyn SupportedKxGroup> {
    use aws_lc_rs::kx_group as kx;
    Some(match name.to_lowercase().as_str() {
        "x25519mlkem768" => kx::X25519MLKEM768,
        "x25519" => kx::X25519,
        "p-256" | "prime256v1" | "secp256r1" => kx::SECP256R1,
        "p-384" | "secp384r1" => kx::SECP384R1,
        _ => return None,
    })
}

static NEWEST_FIRST: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// The versions from `min` to `max`.
///
/// # Errors
/// There is none between them.
pub fn versions(
    min: TlsVersion,
    max: TlsVersion,
) -> Result<&'static [&'static SupportedProtocolVersion], String> {
    match (min, max) {
        (TlsVersion::V12, TlsVersion::V13) => Ok(&NEWEST_FIRST),
        (TlsVersion::V13, TlsVersion::V13) => Ok(&NEWEST_FIRST[..1]),
        (TlsVersion::V12, TlsVersion::V12) => Ok(&NEWEST_FIRST[1..]),
        (TlsVersion::V13, TlsVersion::V12) => {
            Err("the newest TLS version is older than the oldest".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<&'static str> {
        let (suites, _) = choose(list).unwrap();
        suites
            .into_iter()
            .map(openssl_name)
            .filter(|n| !n.starts_with("TLS_"))
            .collect()
    }

    #[test]
    fn every_known_suite_is_offered_by_the_library() {
        assert!(KNOWN.iter().all(|k| of_rustls(k.suite).is_some()));
        assert_eq!(KNOWN.len(), aws_lc_rs::ALL_CIPHER_SUITES.len());
    }

    #[test]
    fn lists_in_the_language_of_openssl() {
        assert_eq!(names("").len(), 6);
        assert_eq!(names("HIGH:!aNULL:!MD5").len(), 6);
        assert_eq!(
            names("ECDHE-RSA-AES128-GCM-SHA256"),
            ["ECDHE-RSA-AES128-GCM-SHA256"]
        );
        assert_eq!(
            names("EECDH+AESGCM:!ECDSA"),
            ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"]
        );
        assert_eq!(
            names("ECDHE+aRSA:+AES256")[2],
            "ECDHE-RSA-AES256-GCM-SHA384"
        );
        assert_eq!(names("!CHACHA20:ALL").len(), 4);
        assert_eq!(
            names("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
            ["ECDHE-ECDSA-AES128-GCM-SHA256"]
        );
    }

    #[test]
    fn tls_1_3_stays_unless_it_is_named() {
        let count_13 = |list| {
            let (suites, _) = choose(list).unwrap();
            suites
                .iter()
                .filter(|s| openssl_name(**s).starts_with("TLS_"))
                .count()
        };
        assert_eq!(count_13("ECDHE-RSA-AES128-GCM-SHA256"), 3);
        assert_eq!(count_13("TLS_AES_128_GCM_SHA256:ECDHE"), 1);
    }

    #[test]
    fn what_is_not_offered_is_named() {
        let (_, missing) = choose("ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA:DHE+AES:!RC4").unwrap();
        assert_eq!(missing, ["AES256-SHA", "DHE+AES"]);
        let error = choose("AES256-SHA:3DES").unwrap_err();
        assert!(error.contains("not offered: AES256-SHA, 3DES"), "{error}");
        let error = groups(&["P-256".into(), "brainpool".into()]).unwrap_err();
        assert!(error.contains("\"brainpool\""), "{error}");
    }

    #[test]
    fn bits_of_the_key() {
        assert_eq!(bits(CipherSuite::TLS13_AES_128_GCM_SHA256), 128);
        assert_eq!(
            bits(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
            128
        );
        assert_eq!(bits(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256), 256);
    }
}
