//! From the configuration to what transactions and scripts take.

use bytes::Bytes;
use sipwright_sip::script::uac::{Restore, UacConfig};
use sipwright_sip::script::{Alias, RrConfig};
use sipwright_sip::tx::{CancelUnreplied, DropReplies, TxConfig};
use sipwright_sip::types::Proto;

use crate::config::{EngineConfig, RrSettings, Timers, UacSettings};

impl EngineConfig {
    /// Timers and header lines as the transaction layer takes them.
    #[must_use]
    pub fn to_tx(&self) -> TxConfig {
        let reply_headers = match self.server_header.as_str() {
            "" => Bytes::new(),
            server => format!("Server: {server}\r\n").into(),
        };
        let tm = &self.tm;
        TxConfig {
            reply_headers,
            remap_503: tm.remap_503_500,
            drop_replies: match tm.failure_reply_mode {
                0 => DropReplies::Nothing,
                1 => DropReplies::All,
                2 => DropReplies::LastSet,
                _ => DropReplies::IfNewBranch,
            },
            cancel_unreplied: match tm.cancel_b_method {
                0 => CancelUnreplied::Assume487,
                2 => CancelUnreplied::AtOnce,
                _ => CancelUnreplied::Wait,
            },
            restart_timer_c: tm.restart_fr_on_each_reply,
            auto_trying: tm.auto_inv_100,
            trying_reason: tm.auto_inv_100_reason.clone().into(),
            answer_silence: tm.noisy_ctimer,
            ruri_matching: tm.ruri_matching,
            via1_matching: tm.via1_matching,
            cancel_reason: tm.local_cancel_reason,
            ..self.timers.to_tx()
        }
    }
}

impl RrSettings {
    /// The settings of module rr as the script functions take them.
    #[must_use]
    pub fn to_rr(&self) -> RrConfig {
        RrConfig {
            enable_full_lr: self.enable_full_lr,
            append_fromtag: self.append_fromtag,
            enable_double_rr: self.enable_double_rr,
            add_username: self.add_username,
            ignore_user: self.ignore_user.clone(),
            force_send_socket: self.force_send_socket,
        }
    }
}

impl UacSettings {
    /// The settings of module uac as the script functions take them.
    #[must_use]
    pub fn to_uac(&self) -> UacConfig {
        UacConfig {
            restore: match self.restore_mode.as_str() {
                "none" => Restore::None,
                "manual" => Restore::Manual,
                _ => Restore::Auto,
            },
            from_param: self.rr_from_store_param.clone(),
            to_param: self.rr_to_store_param.clone(),
            passwd: self.restore_passwd.clone(),
        }
    }
}

impl Timers {
    fn to_tx(&self) -> TxConfig {
        let ms = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        TxConfig {
            t1_ms: ms(self.t1_ms),
            t2_ms: ms(self.t2_ms),
            t4_ms: ms(self.t4_ms),
            fr_timer_ms: ms(self.fr_ms),
            fr_inv_timer_ms: ms(self.fr_inv_ms),
            max_inv_lifetime_ms: ms(self.max_inv_ms),
            max_noninv_lifetime_ms: ms(self.max_noninv_ms),
            ..TxConfig::default()
        }
    }
}

impl EngineConfig {
    /// The further names of this server; what cannot be read is left out
    /// (the settings check them before).
    #[must_use]
    pub fn aliases(&self) -> Vec<Alias> {
        let subdomains = self.alias_subdomains.iter().map(|text| Alias {
            subdomains: true,
            ..parse_alias(text)
        });
        let plain = self.aliases.iter().map(|text| parse_alias(text));
        plain.chain(subdomains).collect()
    }
}

/// `host`, `host:port`, `proto:host` or `proto:host:port`, IPv6 in brackets.
fn parse_alias(text: &str) -> Alias {
    let (proto, rest) = match text.split_once(':') {
        Some((first, rest)) => match Proto::parse(first.as_bytes()) {
            Some(proto) => (Some(proto), rest),
            None => (None, text),
        },
        None => (None, text),
    };
    let tail = rest.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match rest[tail..]
        .rsplit_once(':')
        .map(|(before, port)| (tail + before.len(), port.parse().ok()))
    {
        Some((end, Some(port))) => (&rest[..end], Some(port)),
        _ => (rest, None),
    };
    Alias {
        proto,
        host: host.to_owned(),
        port,
        subdomains: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_in_all_forms() {
        let cases = [
            ("example.com", (None, "example.com", None)),
            ("example.com:5080", (None, "example.com", Some(5080))),
            ("tls:example.com", (Some(Proto::Tls), "example.com", None)),
            (
                "udp:[2001:db8::1]:5060",
                (Some(Proto::Udp), "[2001:db8::1]", Some(5060)),
            ),
            ("[2001:db8::1]", (None, "[2001:db8::1]", None)),
        ];
        for (text, (proto, host, port)) in cases {
            assert_eq!(
                parse_alias(text),
                Alias {
                    proto,
                    host: host.to_owned(),
                    port,
                    subdomains: false,
                },
                "{text}"
            );
        }
    }
}
