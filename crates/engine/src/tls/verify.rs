//! Whether a peer's certificate is to be believed.
//!
//! Paths are built by webpki, as in rustls' own verifiers. Ours add what SIP asks
//! for: domains by RFC 5922, `verify_depth`, authorities of several files, and
//! self-signed certificates that the administrator has listed.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyPurposeId, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext, RevocationOptionsBuilder,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::names;

type Fingerprint = [u8; 32];

/// Who is trusted, and how far.
pub struct Trust {
    /// Authorities.
    pub roots: RootCertStore,
    /// Certificates of the list of authorities, which a peer may also show itself.
    pub pinned: Vec<Fingerprint>,
    /// Who is announced to clients as authority (the `ca_list`, not the `ca_path`).
    pub announced: Vec<DistinguishedName>,
    /// Revoked certificates; each certificate of a chain must be covered when there are any.
    pub crls: Vec<CertRevocationList<'static>>,
    /// Intermediates allowed between a certificate and its authority.
    pub depth: Option<u8>,
    /// What can verify signatures.
    pub algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("roots", &self.roots.len())
            .field("crls", &self.crls.len())
            .finish_non_exhaustive()
    }
}

/// What identifies a certificate in [`Trust::pinned`].
#[must_use]
pub fn fingerprint(der: &[u8]) -> Fingerprint {
    let mut print = [0; 32];
    print.copy_from_slice(digest(&SHA256, der).as_ref());
    print
}

/// What the certificate is shown for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The peer is the server.
    Server,
    /// The peer is the client.
    Client,
}

impl Trust {
    /// Whether the chain leads to somebody who is trusted.
    pub fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        role: Role,
    ) -> Result<(), Error> {
        let cert = EndEntityCert::try_from(end_entity).map_err(pki_error)?;
        if self.pinned.contains(&fingerprint(end_entity)) {
            return is_current(end_entity, now);
        }
        let crls: Vec<&CertRevocationList<'_>> = self.crls.iter().collect();
        // As Kamailio asks of OpenSSL: the whole chain, no gap, no list out of date.
        let revocation = RevocationOptionsBuilder::new(&crls)
            .ok()
            .map(|b| b.with_expiration_policy(ExpirationPolicy::Enforce).build());
        let path = cert
            .verify_for_usage(
                self.algorithms.all,
                &self.roots.roots,
                intermediates,
                now,
                Usage(role),
                revocation,
                None,
            )
            .map_err(pki_error)?;
        let depth = path.intermediate_certificates().count();
        match self.depth {
            Some(limit) if depth > usize::from(limit) => Err(other(format!(
                "the chain has {depth} intermediate certificates, verify_depth allows {limit}"
            ))),
            _ => Ok(()),
        }
    }
}

/// Validity of a certificate that is trusted itself.
fn is_current(der: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, cert) =
        X509Certificate::from_der(der).map_err(|_| Error::from(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = cert.validity();
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// Whether issuer and subject are the same.
#[must_use]
pub fn is_self_issued(der: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, cert)| cert.issuer() == cert.subject())
}

/// id-kp-serverAuth, id-kp-clientAuth, id-kp-sipDomain (RFC 5924), anyExtendedKeyUsage.
const SERVER_AUTH: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 2];
const SIP_DOMAIN: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 20];
const ANY: &[u8] = &[85, 29, 37, 0];

struct Usage(Role);

impl webpki::ExtendedKeyUsageValidator for Usage {
    fn validate(&self, present: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let wanted = match self.0 {
            Role::Server => SERVER_AUTH,
            Role::Client => CLIENT_AUTH,
        };
        let allowed = [wanted, SIP_DOMAIN, ANY].map(KeyPurposeId::new);
        let mut none = true;
        for purpose in present {
            none = false;
            if allowed.contains(&purpose?) {
                return Ok(());
            }
        }
        if none {
            Ok(())
        } else {
            let required = match self.0 {
                Role::Server => KeyUsage::server_auth(),
                Role::Client => KeyUsage::client_auth(),
            };
            Err(webpki::Error::RequiredEkuNotFoundContext(
                RequiredEkuNotFoundContext {
                    required,
                    present: Vec::new(),
                },
            ))
        }
    }
}

/// What is not in rustls' list of certificate errors, in words.
#[derive(Debug)]
struct Words(String);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Words {}

fn other(text: impl Into<String>) -> Error {
    let words = Words(text.into());
    CertificateError::Other(OtherError(Arc::new(words))).into()
}

fn pki_error(error: webpki::Error) -> Error {
    use webpki::Error as E;
    match error {
        E::BadDer | E::BadDerTime => CertificateError::BadEncoding.into(),
        E::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }.into()
        }
        E::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }.into()
        }
        E::InvalidCertValidity => CertificateError::Expired.into(),
        E::UnknownIssuer => CertificateError::UnknownIssuer.into(),
        E::CertRevoked => CertificateError::Revoked.into(),
        E::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus.into(),
        E::CrlExpired { time, next_update } => {
            CertificateError::ExpiredRevocationListContext { time, next_update }.into()
        }
        E::InvalidSignatureForPublicKey => CertificateError::BadSignature.into(),
        E::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose.into(),
        E::CaUsedAsEndEntity => other("a certificate of an authority is no certificate of a peer"),
        e => other(format!("{e:?}")),
    }
}

macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, dss, &self.trust.algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, dss, &self.trust.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.trust.algorithms.supported_schemes()
        }
    };
}

/// Verifies servers that we connect to.
#[derive(Debug)]
pub struct ServerVerifier {
    /// Who is trusted.
    pub trust: Arc<Trust>,
    /// Whether anything is verified but that the server has its key.
    pub verify: bool,
    /// Whether the name must be right.
    pub name: bool,
    /// Whether a certificate may have wildcards.
    pub wildcards: bool,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.verify {
            return Ok(ServerCertVerified::assertion());
        }
        self.trust
            .check(end_entity, intermediates, now, Role::Server)?;
        if self.name {
            let cert = EndEntityCert::try_from(end_entity).map_err(pki_error)?;
            names::is_for(&cert, end_entity, server_name, self.wildcards).map_err(|presented| {
                CertificateError::NotValidForNameContext {
                    expected: server_name.to_owned(),
                    presented,
                }
            })?;
        }
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}

/// Verifies clients that connect to us.
#[derive(Debug)]
pub struct ClientVerifier {
    /// Who is trusted.
    pub trust: Arc<Trust>,
    /// Whether a client without a certificate is refused.
    pub mandatory: bool,
    /// Whether one with an invalid certificate is let in.
    pub lenient: bool,
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.trust.announced
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !self.lenient {
            self.trust
                .check(end_entity, intermediates, now, Role::Client)?;
        }
        Ok(ClientCertVerified::assertion())
    }

    signatures!();
}
