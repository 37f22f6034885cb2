//! Settings that only functions of the script see.

use serde::Deserialize;
use sipwright_sip::script::{SanityConfig, Value};

/// A text or a number of a script variable.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
pub enum VarValue {
    /// A number.
    Int(i64),
    /// Text.
    Text(String),
}

impl VarValue {
    /// As scripts see it.
    #[must_use]
    pub fn value(&self) -> Value<'static> {
        match self {
            Self::Int(n) => Value::Int(*n),
            Self::Text(text) => Value::owned(text.clone().into_bytes()),
        }
    }
}

/// Checks of requests, with the names and defaults of Kamailio's module sanity.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SanitySettings {
    /// What `sanity_check_defaults` checks of the message.
    pub default_checks: i64,
    /// Which URIs it checks.
    pub uri_checks: i64,
    /// Further extensions that Proxy-Require may name, with commas between them.
    pub proxy_require: String,
    /// What is wrong is answered by `sanity_reply` only.
    pub noreply: bool,
}

impl Default for SanitySettings {
    fn default() -> Self {
        let sanity = SanityConfig::default();
        Self {
            default_checks: sanity.checks,
            uri_checks: sanity.uris,
            proxy_require: String::new(),
            noreply: sanity.no_reply,
        }
    }
}

impl SanitySettings {
    /// As the script functions take them.
    #[must_use]
    pub fn to_sanity(&self) -> SanityConfig {
        let tokens = self.proxy_require.split(',').map(str::trim);
        SanityConfig {
            checks: self.default_checks,
            uris: self.uri_checks,
            extensions: tokens
                .filter(|token| !token.is_empty())
                .map(str::to_owned)
                .collect(),
            no_reply: self.noreply,
        }
    }
}

/// Answers to OPTIONS and contacts, with the names and defaults of Kamailio's module siputils.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiputilsSettings {
    /// Its first character separates the parts of a URI in `encode_contact`.
    pub contact_flds_separator: String,
    /// Accept of the answers of `options_reply`.
    pub options_accept: String,
    /// Accept-Encoding of them.
    pub options_accept_encoding: String,
    /// Accept-Language of them.
    pub options_accept_language: String,
    /// Supported of them.
    pub options_support: String,
}

impl Default for SiputilsSettings {
    fn default() -> Self {
        Self {
            contact_flds_separator: "*".to_owned(),
            options_accept: "*/*".to_owned(),
            options_accept_encoding: String::new(),
            options_accept_language: "en".to_owned(),
            options_support: String::new(),
        }
    }
}

impl SiputilsSettings {
    /// Header lines of the answers of `options_reply`.
    #[must_use]
    pub fn options_headers(&self) -> Vec<u8> {
        format!(
            "Accept: {}\r\nAccept-Encoding: {}\r\nAccept-Language: {}\r\nSupported: {}\r\n",
            self.options_accept,
            self.options_accept_encoding,
            self.options_accept_language,
            self.options_support
        )
        .into_bytes()
    }
}

/// What is written before the lines of the log that a message is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogPrefixSettings {
    /// Text with pseudo-variables; empty for none.
    pub text: String,
    /// The variables are read for each line, not once for each message.
    pub each_line: bool,
}
