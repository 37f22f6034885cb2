//! TLS: threads, profiles, session resumption.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// Who does the TLS work of a connection (`tls_threads_mode`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TlsMode {
    /// 0: the script worker that owns the connection does everything.
    Inline,
    /// 1: TLS threads do the handshake, a script worker the records.
    Handshake,
    /// 2: TLS threads do all of it.
    #[default]
    Full,
}

impl<'de> Deserialize<'de> for TlsMode {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match u8::deserialize(d)? {
            0 => Ok(Self::Inline),
            1 => Ok(Self::Handshake),
            2 => Ok(Self::Full),
            n => Err(serde::de::Error::custom(format!(
                "threads_mode is 0, 1 or 2, not {n}"
            ))),
        }
    }
}

/// TLS: threads, profiles, session resumption.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// 0, 1 or 2; see [`TlsMode`].
    pub threads_mode: TlsMode,
    /// Threads for TLS and plain TCP; 0 means one per core.
    pub threads: u16,
    /// Profiles for connections that come in; see [`ServerProfile`].
    pub server: Vec<ServerProfile>,
    /// Profiles for connections that go out; see [`ClientProfile`].
    pub client: Vec<ClientProfile>,
    /// Sessions kept for resumption by id (TLS 1.2), in each profile; those that
    /// we open to servers are kept too, one for each server and profile.
    pub session_cache: usize,
    /// Resumption by tickets, whose keys rotate.
    pub session_tickets: bool,
    /// Seconds for which a ticket key makes tickets; it opens them twice as long.
    pub ticket_lifetime_s: u32,
    /// File that gets the secrets of every session; none in normal operation.
    pub key_log: Option<PathBuf>,
    /// Function of the script that decides on each connection we open (Kamailio
    /// `event_callback`, event `tls:connection-out`); none when empty.
    pub event_callback: String,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            threads_mode: TlsMode::Full,
            threads: 0,
            server: Vec::new(),
            client: Vec::new(),
            session_cache: 4096,
            session_tickets: true,
            ticket_lifetime_s: 21_600,
            key_log: None,
            event_callback: String::new(),
        }
    }
}

impl TlsConfig {
    /// Reads the JSON form, for a reload.
    ///
    /// # Errors
    /// The place and the problem.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|e| format!("TLS configuration: {e}"))
    }
}

/// A TLS version that can be served; older ones cannot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V13,
}

/// What a server asks of the client's certificate (Kamailio `verify_client`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyClient {
    /// Does not ask (`off`; `verify_certificate = no`).
    #[default]
    None,
    /// Verifies one if it is shown (`verify_certificate = yes`).
    Optional,
    /// Asks, verifies, and lets in whatever comes of it; the script may ask
    /// `$tls_peer_verified`.
    OptionalNoCa,
    /// Refuses the connection without a valid one (`on`; `require_certificate = yes`).
    Require,
}

/// How the name of a profile is compared (Kamailio `server_name_mode`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NameMode {
    /// 0: that name; `*.` at its start stands for one label.
    #[default]
    Exact,
    /// 1: that domain and everything below it.
    Domain,
    /// 2: everything below that domain, not itself.
    Below,
}

impl<'de> Deserialize<'de> for NameMode {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(match u8::deserialize(d)? {
            1 => Self::Domain,
            2 => Self::Below,
            _ => Self::Exact,
        })
    }
}

/// How we appear to those who connect. The profile of a connection is the one
/// that fits best: its address counts for more than its name, an exact name for
/// more than a domain, and the first for more than a later one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerProfile {
    /// Where it was given, for messages: a file with line and section, a setting.
    pub source: String,
    /// Listening address it is for; any when absent.
    pub addr: Option<SocketAddr>,
    /// Server name (SNI) it is for; any when absent.
    pub server_name: Option<String>,
    /// How `server_name` is compared.
    pub server_name_mode: NameMode,
    /// Name of the profile, as `tls.options` shows it.
    pub server_id: Option<String>,
    /// PEM file: our certificate and its intermediates.
    pub certificate: PathBuf,
    /// PEM file: the private key (PKCS#8, SEC1 or PKCS#1; PKCS#8 may be encrypted).
    pub private_key: PathBuf,
    /// File whose first line is the passphrase of the key.
    pub passphrase_file: Option<PathBuf>,
    /// Environment variable with that passphrase.
    pub passphrase_env: Option<String>,
    /// PEM file: authorities for client certificates.
    pub client_ca: Option<PathBuf>,
    /// Directory of PEM files with further authorities, which are not announced.
    pub ca_path: Option<PathBuf>,
    /// PEM file: lists of revoked certificates.
    pub crl: Option<PathBuf>,
    /// Whether client certificates are asked for.
    pub verify_client: VerifyClient,
    /// Intermediates allowed between a certificate and its authority.
    pub verify_depth: Option<u8>,
    /// Oldest version.
    pub min_version: TlsVersion,
    /// Newest version.
    pub max_version: TlsVersion,
    /// OpenSSL cipher list; empty for all that are offered.
    pub ciphers: String,
    /// Key exchange groups in order of preference; empty for all that are offered.
    pub curves: Vec<String>,
    /// File with the OCSP response (DER) to staple.
    pub ocsp: Option<PathBuf>,
}

impl Default for ServerProfile {
    fn default() -> Self {
        Self {
            source: String::new(),
            addr: None,
            server_name: None,
            server_name_mode: NameMode::Exact,
            server_id: None,
            certificate: PathBuf::new(),
            private_key: PathBuf::new(),
            passphrase_file: None,
            passphrase_env: None,
            client_ca: None,
            ca_path: None,
            crl: None,
            verify_client: VerifyClient::None,
            verify_depth: None,
            min_version: TlsVersion::V12,
            max_version: TlsVersion::V13,
            ciphers: String::new(),
            curves: Vec::new(),
            ocsp: None,
        }
    }
}

/// How we appear to those we connect to. A profile is chosen by `server_id` if the
/// script set one, else by what fits best, as with [`ServerProfile`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientProfile {
    /// Where it was given, for messages.
    pub source: String,
    /// Remote address it is for; any when absent.
    pub addr: Option<SocketAddr>,
    /// Without `addr`: host name it is for. With it, or chosen by `server_id`: the
    /// name to ask for (SNI) and to verify.
    pub server_name: Option<String>,
    /// How `server_name` is compared.
    pub server_name_mode: NameMode,
    /// Name by which a script may choose it.
    pub server_id: Option<String>,
    /// PEM file: a certificate to show when asked.
    pub certificate: Option<PathBuf>,
    /// PEM file: its private key.
    pub private_key: Option<PathBuf>,
    /// File whose first line is the passphrase of the key.
    pub passphrase_file: Option<PathBuf>,
    /// Environment variable with that passphrase.
    pub passphrase_env: Option<String>,
    /// PEM file: authorities of servers; the system's store when absent.
    pub ca: Option<PathBuf>,
    /// Directory of PEM files with further authorities.
    pub ca_path: Option<PathBuf>,
    /// PEM file: lists of revoked certificates.
    pub crl: Option<PathBuf>,
    /// Whether the server's certificate must be valid, and for its name.
    pub verify: bool,
    /// Whether its name must be right (RFC 5922), if it is verified at all.
    pub verify_name: bool,
    /// Whether `*.example.org` in a certificate is taken for one label, which
    /// RFC 5922 section 7.2 forbids.
    pub wildcards: bool,
    /// Intermediates allowed between a certificate and its authority.
    pub verify_depth: Option<u8>,
    /// Oldest version.
    pub min_version: TlsVersion,
    /// Newest version.
    pub max_version: TlsVersion,
    /// OpenSSL cipher list; empty for all that are offered.
    pub ciphers: String,
    /// Key exchange groups in order of preference; empty for all that are offered.
    pub curves: Vec<String>,
}

impl Default for ClientProfile {
    fn default() -> Self {
        Self {
            source: String::new(),
            addr: None,
            server_name: None,
            server_name_mode: NameMode::Exact,
            server_id: None,
            certificate: None,
            private_key: None,
            passphrase_file: None,
            passphrase_env: None,
            ca: None,
            ca_path: None,
            crl: None,
            verify: true,
            verify_name: true,
            wildcards: false,
            verify_depth: None,
            min_version: TlsVersion::V12,
            max_version: TlsVersion::V13,
            ciphers: String::new(),
            curves: Vec::new(),
        }
    }
}
