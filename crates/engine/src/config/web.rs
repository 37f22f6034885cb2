//! HTTP and WebSocket on SIP's streams.

use regex::bytes::Regex;
use serde::Deserialize;

/// A regular expression, or none.
#[derive(Clone, Debug, Default)]
pub struct Pattern(pub Option<Regex>);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        // The error's own text points into the expression, over several lines.
        let short = |e: regex::Error| e.to_string().lines().last().unwrap_or_default().to_owned();
        let regex = Regex::new(&text).map_err(short);
        regex.map(|regex| Self(Some(regex))).map_err(|why| {
            serde::de::Error::custom(format!("the regular expression {text:?}: {why}"))
        })
    }
}

/// HTTP requests; names are those of Kamailio's module xhttp.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct XhttpConfig {
    /// Function of the script for `xhttp:request`; empty for none.
    pub event_callback: String,
    /// URIs that the script does not want.
    pub url_skip: Pattern,
    /// URIs that the script wants only.
    pub url_match: Pattern,
}

impl XhttpConfig {
    /// Whether the script is to see a request for this URI.
    #[must_use]
    pub fn wants(&self, uri: &[u8]) -> bool {
        let skipped = self.url_skip.0.as_ref().is_some_and(|r| r.is_match(uri));
        let matched = self.url_match.0.as_ref().is_none_or(|r| r.is_match(uri));
        !self.event_callback.is_empty() && matched && !skipped
    }
}

/// What is sent to silent clients.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepAlive {
    /// Nothing: silence ends the connection as with TCP.
    None,
    /// A ping, which has to be answered.
    #[default]
    Ping,
    /// A pong that nobody asked for.
    Pong,
}

/// WebSocket; names are those of Kamailio's module websocket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebSocketConfig {
    /// Upgrade without a script.
    pub enabled: bool,
    /// Origins (RFC 6454) that are upgraded without a script; any if empty.
    pub origins: Vec<String>,
    /// What is sent to silent clients.
    pub keepalive: KeepAlive,
    /// After how long a silence.
    pub keepalive_ms: u64,
    /// Data of the ping.
    pub ping_data: String,
    /// `Access-Control-Allow-Origin` of the 101: 0 none, 1 any, 2 the client's.
    pub cors_mode: u8,
    /// Function of the script for `websocket:closed`; empty for none.
    pub event_callback: String,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            origins: Vec::new(),
            keepalive: KeepAlive::Ping,
            keepalive_ms: 180_000,
            ping_data: "Sipwright".to_owned(),
            cors_mode: 0,
            event_callback: String::new(),
        }
    }
}
