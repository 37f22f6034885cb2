//! Settings of clients behind NAT and of edge proxies.

use serde::Deserialize;
use sipwright_sip::script::{NatConfig, OutboundConfig, PathConfig};

/// Clients behind NAT, with the names and defaults of Kamailio's module nathelper.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NathelperSettings {
    /// Parameter of contacts with where they really are.
    pub alias_name: String,
    /// 1: addresses reserved for protocols count as private too.
    pub nat_addr_mode: u8,
    /// Line that marks an SDP body as changed.
    pub nortpproxy_str: String,
    /// The old addresses are told in the SDP body.
    pub append_sdp_oldmediaip: bool,
    /// Name of the AVP that `fix_nated_register` sets too; empty for none.
    pub received_avp: String,
}

impl Default for NathelperSettings {
    fn default() -> Self {
        let nat = NatConfig::default();
        Self {
            alias_name: nat.alias_name,
            nat_addr_mode: u8::from(nat.reserved_too),
            nortpproxy_str: nat.mark,
            append_sdp_oldmediaip: nat.tell_old,
            received_avp: String::new(),
        }
    }
}

impl NathelperSettings {
    /// As the script functions take them.
    #[must_use]
    pub fn to_nat(&self) -> NatConfig {
        NatConfig {
            alias_name: self.alias_name.clone(),
            reserved_too: self.nat_addr_mode == 1,
            mark: self.nortpproxy_str.clone(),
            tell_old: self.append_sdp_oldmediaip,
        }
    }
}

/// Path, with the names and defaults of Kamailio's module path.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PathSettings {
    /// `loose_route` goes where `received` of our own Route says.
    pub use_received: bool,
    /// 0: as a URI; 1: `address~port~transport`.
    pub received_format: u8,
    /// Name of that parameter.
    pub received_name: String,
    /// Two Path header fields, for the side that it came from and the one that it goes to.
    pub enable_r2: bool,
    /// The name of the socket in `sn`.
    pub sockname_mode: bool,
}

impl Default for PathSettings {
    fn default() -> Self {
        Self {
            use_received: false,
            received_format: 0,
            received_name: "received".to_owned(),
            enable_r2: false,
            sockname_mode: false,
        }
    }
}

impl PathSettings {
    /// As the script functions take them.
    #[must_use]
    pub fn to_path(&self) -> PathConfig {
        PathConfig {
            use_received: self.use_received,
            as_alias: self.received_format == 1,
            received_name: self.received_name.clone(),
            double: self.enable_r2,
            name_socket: self.sockname_mode,
        }
    }
}

/// Flows of clients, with the names and defaults of Kamailio's module outbound.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboundSettings {
    /// Whether tokens of flows are written and read.
    pub enabled: bool,
    /// Message flag that asks for a token; -1 for none.
    pub force_outbound_flag: i8,
    /// Message flag that forbids one; -1 for none.
    pub force_no_outbound_flag: i8,
    /// Key of the tokens; empty for one that is drawn at random at the start.
    pub flow_token_secret: String,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            force_outbound_flag: -1,
            force_no_outbound_flag: -1,
            flow_token_secret: String::new(),
        }
    }
}

/// Bytes of a key that is drawn at random (RFC 5626 section 5.2).
const KEY: usize = 20;

impl OutboundSettings {
    /// As the script functions take them.
    #[must_use]
    pub fn to_outbound(&self) -> OutboundConfig {
        let flag = |n: i8| u8::try_from(n).ok().filter(|n| *n < 32);
        let mut secret = self.flow_token_secret.clone().into_bytes();
        if secret.is_empty() {
            secret.resize(KEY, 0);
            // Without chance there are no keys: no token is ever right then.
            if aws_lc_rs::rand::fill(&mut secret).is_err() {
                return OutboundConfig::default();
            }
        }
        OutboundConfig {
            enabled: self.enabled,
            force_flag: flag(self.force_outbound_flag),
            forbid_flag: flag(self.force_no_outbound_flag),
            secret,
        }
    }
}
