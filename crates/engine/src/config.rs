//! What the engine is started with: one JSON object, read from the settings.
//!
//! An unknown field is an error, every field but `listen` has a default, and
//! durations are whole milliseconds in fields named `*_ms`.

use std::net::{IpAddr, SocketAddr};

mod edge;
mod script;
mod tls;
mod web;

use serde::Deserialize;
use sipwright_sip::types::Proto;

pub use self::edge::{NathelperSettings, OutboundSettings, PathSettings};
pub use self::script::{LogPrefixSettings, SanitySettings, SiputilsSettings, VarValue};
pub use self::tls::{
    ClientProfile, NameMode, ServerProfile, TlsConfig, TlsMode, TlsVersion, VerifyClient,
};
pub use self::web::{KeepAlive, Pattern, WebSocketConfig, XhttpConfig};
pub use crate::dns::DnsConfig;
pub use crate::record::RecordConfig;

/// Everything the engine needs to know before it binds a socket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Sockets to listen on, in the order in which they get their `SocketId`.
    pub listen: Vec<Listen>,
    /// Script workers, each of which takes one `WorkerPort`.
    pub workers: u16,
    /// TLS and the threads that do it.
    pub tls: TlsConfig,
    /// Bounds on memory and connections.
    pub limits: Limits,
    /// How long the transport waits for what.
    pub timeouts: Timeouts,
    /// Transaction timers (RFC 3261 section 17, RFC 6026).
    pub timers: Timers,
    /// What transactions do (Kamailio's module tm).
    pub tm: TmConfig,
    /// UDP socket options.
    pub udp: UdpConfig,
    /// Name resolution.
    pub dns: DnsConfig,
    /// Choice of transport and socket for requests that leave.
    pub forward: ForwardConfig,
    /// Record-Route and Route.
    pub rr: RrSettings,
    /// Clients behind NAT.
    pub nathelper: NathelperSettings,
    /// Path of registrations.
    pub path: PathSettings,
    /// Flows of clients (RFC 5626).
    pub outbound: OutboundSettings,
    /// HTTP requests on the TCP and TLS sockets (Kamailio's module xhttp).
    pub xhttp: XhttpConfig,
    /// WebSocket (Kamailio's module websocket).
    pub websocket: WebSocketConfig,
    /// A SIP message on a stream without Content-Length has no body, instead of ending the
    /// stream (Kamailio `tcp_accept_no_cl`).
    pub accept_missing_length: bool,
    /// Other From and To for the next hop.
    pub uac: UacSettings,
    /// The recording of calls.
    pub record: RecordConfig,
    /// Further names of this server: `host`, `host:port` or `proto:host:port`.
    pub aliases: Vec<String>,
    /// Domains of which this server is each host: `domain`, `domain:port` or
    /// `proto:domain:port` (Kamailio's corex, `alias_subdomains`).
    pub alias_subdomains: Vec<String>,
    /// Value of the Server header of responses made here; none when empty.
    pub server_header: String,
    /// Value of the User-Agent header of requests made here; none when empty.
    pub user_agent_header: String,
    /// Number of this server, `$sid`.
    pub server_id: u32,
    /// Responses go to the source port whatever the Via asks (RFC 3581).
    pub force_rport: bool,
    /// Our own Via asks for `rport`.
    pub local_rport: bool,
    /// Extended AVP with further parameters of our Via; empty for none.
    pub xavp_via_params: String,
    /// Extended AVP with the host and port of our Via; empty for none.
    pub xavp_via_fields: String,
    /// Largest Max-Forwards that `process_maxfwd` lets through; 0 for 256.
    pub max_forwards_limit: u32,
    /// Script variables that each worker begins with.
    pub varset: Vec<(String, VarValue)>,
    /// Other names of AVPs, with the names that they stand for.
    pub avp_aliases: Vec<(String, String)>,
    /// Checks of requests.
    pub sanity: SanitySettings,
    /// Answers to OPTIONS, and contacts.
    pub siputils: SiputilsSettings,
    /// What is written before lines of the log.
    pub log_prefix: LogPrefixSettings,
    /// A network thread reads UDP once no worker has waited for this long.
    pub relief_after_ms: u64,
    /// Seed of branches and tags; 0 draws one at random, which is what every
    /// process but a test wants.
    pub instance_seed: u64,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            workers: 2,
            tls: TlsConfig::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            timers: Timers::default(),
            tm: TmConfig::default(),
            udp: UdpConfig::default(),
            dns: DnsConfig::default(),
            forward: ForwardConfig::default(),
            rr: RrSettings::default(),
            nathelper: NathelperSettings::default(),
            path: PathSettings::default(),
            outbound: OutboundSettings::default(),
            xhttp: XhttpConfig::default(),
            websocket: WebSocketConfig::default(),
            accept_missing_length: false,
            uac: UacSettings::default(),
            record: RecordConfig::default(),
            aliases: Vec::new(),
            alias_subdomains: Vec::new(),
            server_header: String::new(),
            user_agent_header: String::new(),
            server_id: 0,
            force_rport: false,
            local_rport: false,
            xavp_via_params: String::new(),
            xavp_via_fields: String::new(),
            max_forwards_limit: 0,
            varset: Vec::new(),
            avp_aliases: Vec::new(),
            sanity: SanitySettings::default(),
            siputils: SiputilsSettings::default(),
            log_prefix: LogPrefixSettings::default(),
            relief_after_ms: 10,
            instance_seed: 0,
        }
    }
}

impl EngineConfig {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// The place and the problem: a syntax error, an unknown field, a wrong type.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let config: Self =
            serde_json::from_str(text).map_err(|e| format!("engine configuration: {e}"))?;
        config.dns.zone()?;
        Ok(config)
    }

    /// Whether WebSocket is offered, by the script or without one.
    #[must_use]
    pub fn may_upgrade(&self) -> bool {
        self.websocket.enabled || !self.xhttp.event_callback.is_empty()
    }
}

/// One socket to listen on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// `udp`, `tcp` or `tls`.
    #[serde(deserialize_with = "proto")]
    pub proto: Proto,
    /// Address of an interface, or the wildcard.
    pub addr: IpAddr,
    /// Port; 0 lets the system choose.
    pub port: u16,
    /// Host and port to write into Via and Record-Route instead.
    #[serde(default)]
    pub advertise: Option<(String, u16)>,
    /// Name for `KSR.corex.set_send_socket_name` and the like.
    #[serde(default)]
    pub name: Option<String>,
}

impl Listen {
    /// A socket without an advertised address or a name.
    #[must_use]
    pub const fn new(proto: Proto, addr: IpAddr, port: u16) -> Self {
        Self {
            proto,
            addr,
            port,
            advertise: None,
            name: None,
        }
    }

    /// Address to bind.
    #[must_use]
    pub const fn socket_addr(&self) -> SocketAddr {
        SocketAddr::new(self.addr, self.port)
    }
}

fn proto<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Proto, D::Error> {
    let name = String::deserialize(d)?;
    Proto::parse(name.as_bytes())
        .ok_or_else(|| serde::de::Error::custom(format!("unknown protocol {name:?}")))
}

/// Bounds; what exceeds one is refused and counted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one message on a stream; a datagram is bounded by UDP itself.
    pub max_message: usize,
    /// Connections in all (Kamailio `tcp_max_connections`).
    pub connections: usize,
    /// Connections from one IPv4 address, or one IPv6 /64 network.
    pub connections_per_source: usize,
    /// TLS handshakes of incoming connections in progress.
    pub handshakes: usize,
    /// Bytes that may wait in one connection (Kamailio `tcp_conn_wq_max`).
    pub write_buffer: usize,
    /// Jobs that may wait for the script workers.
    pub queue: usize,
    /// Microseconds that jobs may wait there before requests that begin something are refused; 0 for no bound.
    pub queue_wait_us: u64,
    /// Seconds in the Retry-After of a 503 for want of room in that queue.
    pub retry_after_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 65_536,
            connections: 16_384,
            connections_per_source: 1024,
            handshakes: 4096,
            write_buffer: 1 << 20,
            queue: 8192,
            queue_wait_us: 0,
            retry_after_s: 10,
        }
    }
}

/// How long the transport waits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// An outgoing TCP connection (Kamailio `tcp_connect_timeout`).
    pub connect_ms: u64,
    /// A TLS handshake, from its first byte on either side.
    pub handshake_ms: u64,
    /// A connection without traffic (Kamailio `tcp_connection_lifetime`).
    pub idle_ms: u64,
    /// The rest of a message that has begun (Kamailio `tcp_msg_read_timeout`).
    pub message_ms: u64,
    /// Flushing and the other side's farewell once we close.
    pub close_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 5_000,
            handshake_ms: 10_000,
            idle_ms: 120_000,
            message_ms: 20_000,
            close_ms: 1_000,
        }
    }
}

/// Transaction timers; the defaults are Kamailio's where it has one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timers {
    /// T1, round-trip estimate (RFC 3261 section 17.1.1.1).
    pub t1_ms: u64,
    /// T2, longest retransmission interval of non-INVITE requests.
    pub t2_ms: u64,
    /// T4, longest time a message stays in the network.
    pub t4_ms: u64,
    /// Wait for any response (Kamailio tm `fr_timer`).
    pub fr_ms: u64,
    /// Wait for a final response after a provisional one (`fr_inv_timer`).
    pub fr_inv_ms: u64,
    /// Longest life of an INVITE transaction (`max_inv_lifetime`; timer C is within).
    pub max_inv_ms: u64,
    /// Longest life of any other (`max_noninv_lifetime`).
    pub max_noninv_ms: u64,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1_ms: 500,
            t2_ms: 4_000,
            t4_ms: 5_000,
            fr_ms: 30_000,
            fr_inv_ms: 120_000,
            max_inv_ms: 180_000,
            max_noninv_ms: 32_000,
        }
    }
}

/// Transactions; names, numbers and defaults are those of Kamailio's module tm.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TmConfig {
    /// Function of the script for `tm:local-request`; empty for none.
    pub event_callback: String,
    /// Which failures a failure route leaves to be compared: 0 all, 1 none, 2 those
    /// before the last set of branches, 3 none if it adds a branch.
    pub failure_reply_mode: u8,
    /// A 100 goes to INVITE by itself.
    pub auto_inv_100: bool,
    /// Its reason phrase.
    pub auto_inv_100_reason: String,
    /// A 503 of a branch goes upstream as 500.
    pub remap_503_500: bool,
    /// Every provisional response starts Timer C anew.
    pub restart_fr_on_each_reply: bool,
    /// Branches without any response: 0 count as answered with 487 once cancelled, 1
    /// are cancelled when a provisional response comes, 2 at once.
    pub cancel_b_method: u8,
    /// A CANCEL without its INVITE: 0 is forwarded with state, 1 without, 2 dropped.
    pub unmatched_cancel: u8,
    /// Our own CANCELs say why.
    pub local_cancel_reason: bool,
    /// The Reason of a CANCEL that comes goes into those that we send for it.
    pub e2e_cancel_reason: bool,
    /// An INVITE whose only branch stays silent is answered.
    pub noisy_ctimer: bool,
    /// Clients of RFC 2543: the same request has the same Request-URI.
    pub ruri_matching: bool,
    /// Clients of RFC 2543: the same request has the same top Via.
    pub via1_matching: bool,
    /// A request that comes back unchanged is answered with 482 (RFC 5393 section 4).
    pub loop_detection: bool,
    /// Most branches of a request at a time, here and further on (RFC 5393 section 5);
    /// 0 to let Max-Breadth alone.
    pub max_breadth: u32,
}

impl Default for TmConfig {
    fn default() -> Self {
        Self {
            event_callback: String::new(),
            failure_reply_mode: 3,
            auto_inv_100: true,
            auto_inv_100_reason: "Trying".to_owned(),
            remap_503_500: true,
            restart_fr_on_each_reply: true,
            cancel_b_method: 1,
            unmatched_cancel: 0,
            local_cancel_reason: true,
            e2e_cancel_reason: true,
            noisy_ctimer: true,
            ruri_matching: true,
            via1_matching: true,
            loop_detection: true,
            max_breadth: 60,
        }
    }
}

/// UDP socket options.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UdpConfig {
    /// Receive buffer asked of the kernel, bytes; it may grant less.
    pub receive_buffer: usize,
    /// Send buffer asked of the kernel, bytes.
    pub send_buffer: usize,
    /// Datagrams read by one system call.
    pub batch: usize,
}

impl Default for UdpConfig {
    fn default() -> Self {
        Self {
            receive_buffer: 8 << 20,
            send_buffer: 2 << 20,
            batch: 32,
        }
    }
}

/// Choice of transport and socket for requests that leave.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardConfig {
    /// Ask the kernel's routing table for the socket even where the one that the message
    /// came in on would do (Kamailio `mhomed`).
    pub mhomed: bool,
    /// Bytes from which on a request does not leave by UDP (RFC 3261 section 18.1.1;
    /// Kamailio `udp_mtu`); 0 for no bound.
    pub udp_mtu: usize,
    /// The transport that such a request is tried over (Kamailio `udp_mtu_try_proto`).
    #[serde(deserialize_with = "proto")]
    pub udp_mtu_try_proto: Proto,
    /// Type of service of packets that leave (Kamailio `tos`); 0 leaves it to the system.
    pub tos: u8,
    /// Which responses without a transaction are forwarded.
    pub stray_responses: StrayResponses,
}

/// Which responses without a transaction are forwarded by their Via.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrayResponses {
    /// Those whose top Via has a branch that we made.
    Ours,
    /// All whose top Via names us, as in Kamailio.
    Any,
}

impl Default for ForwardConfig {
    fn default() -> Self {
        Self {
            mhomed: false,
            udp_mtu: 1300,
            udp_mtu_try_proto: Proto::Tcp,
            tos: 0,
            stray_responses: StrayResponses::Ours,
        }
    }
}

/// Record-Route and Route, with the names and defaults of Kamailio's module rr.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools)]
pub struct RrSettings {
    /// `;lr=on` instead of `;lr`.
    pub enable_full_lr: bool,
    /// Add `;ftag=`, so that `is_direction` works.
    pub append_fromtag: bool,
    /// Two Record-Routes: 0 never, 1 when the message leaves on another socket than it
    /// came in, 2 always.
    pub enable_double_rr: u8,
    /// Put the user of the request-URI into the Record-Route.
    pub add_username: bool,
    /// A Route with this user is not ours, whatever its host; empty for none.
    pub ignore_user: String,
    /// Send from the socket that the second of our two Routes names.
    pub force_send_socket: bool,
}

impl Default for RrSettings {
    fn default() -> Self {
        Self {
            enable_full_lr: false,
            append_fromtag: true,
            enable_double_rr: 1,
            add_username: false,
            ignore_user: String::new(),
            force_send_socket: true,
        }
    }
}

/// From and To for the next hop, with the names and defaults of Kamailio's module uac.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UacSettings {
    /// `none`, `manual` or `auto`.
    pub restore_mode: String,
    /// Parameter of Record-Route for From.
    pub rr_from_store_param: String,
    /// Parameter of Record-Route for To.
    pub rr_to_store_param: String,
    /// Mixed into these parameters; empty for nothing.
    pub restore_passwd: String,
}

impl Default for UacSettings {
    fn default() -> Self {
        Self {
            restore_mode: "auto".to_owned(),
            rr_from_store_param: "vsf".to_owned(),
            rr_to_store_param: "vst".to_owned(),
            restore_passwd: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_gives_the_defaults() {
        let cfg = EngineConfig::from_json("{}").unwrap();
        assert_eq!(cfg.tls.threads_mode, TlsMode::Full);
        assert_eq!(cfg.timeouts.idle_ms, 120_000);
        assert!(cfg.listen.is_empty());
    }

    #[test]
    fn a_full_listen_entry_is_read() {
        let text = r#"{"listen": [{"proto": "TLS", "addr": "::1", "port": 5061,
                       "advertise": ["sip.example.org", 443], "name": "edge"}], "tls": {"threads_mode": 1}}"#;
        let cfg = EngineConfig::from_json(text).unwrap();
        assert_eq!(cfg.listen[0].proto, Proto::Tls);
        assert_eq!(
            cfg.listen[0].advertise,
            Some(("sip.example.org".into(), 443))
        );
        assert_eq!(cfg.tls.threads_mode, TlsMode::Handshake);
    }

    #[test]
    fn unknown_fields_and_values_are_named() {
        for (text, named) in [
            (r#"{"liste": []}"#, "liste"),
            (
                r#"{"listen": [{"proto": "sctp", "addr": "::1", "port": 1}]}"#,
                "sctp",
            ),
            (r#"{"tls": {"threads_mode": 3}}"#, "not 3"),
        ] {
            let error = EngineConfig::from_json(text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
