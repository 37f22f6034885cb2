//! What all messages share: sockets, names of this server, settings of the modules.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::types::{Proto, SocketId, SocketInfo};

use super::context::{Context, Value};
use super::pv::Foreign;
use super::vars::SharedVars;

/// A name of this server (`alias=` of kamailio.cfg).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alias {
    /// Only for this transport; `None` for any.
    pub proto: Option<Proto>,
    /// Host, compared without regard to case.
    pub host: String,
    /// Only for this port; `None` for any.
    pub port: Option<u16>,
    /// Hosts below that name are this server too.
    pub subdomains: bool,
}

impl Alias {
    fn names(&self, host: &[u8]) -> bool {
        let ours = unbracket(self.host.as_bytes());
        let below = || {
            let (above, tail) = host.split_at(host.len().saturating_sub(ours.len()));
            above.ends_with(b".") && tail.eq_ignore_ascii_case(ours)
        };
        ours.eq_ignore_ascii_case(host) || self.subdomains && below()
    }
}

/// Names of this server that are learned while it runs (`register_myself` of module
/// domain). A look-up where there are none costs a look at a flag.
#[derive(Debug, Default)]
pub struct OwnNames {
    any: AtomicBool,
    // in lower case; held for a look-up or a change only, nothing else is locked meanwhile
    names: RwLock<HashSet<Box<[u8]>>>,
}

impl OwnNames {
    /// Replaces all of them.
    pub fn set<T: AsRef<str>>(&self, names: impl IntoIterator<Item = T>) {
        let names = names.into_iter();
        let found: HashSet<_> = names
            .map(|n| n.as_ref().to_ascii_lowercase().into_bytes().into())
            .collect();
        let mut known = self.names.write().unwrap_or_else(PoisonError::into_inner);
        self.any.store(!found.is_empty(), Ordering::Relaxed);
        *known = found;
    }

    /// Whether `host` is one of them.
    #[must_use]
    pub fn has(&self, host: &[u8]) -> bool {
        self.any.load(Ordering::Relaxed) && {
            let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
            names.contains(&*host.to_ascii_lowercase())
        }
    }
}

/// Settings of module rr, with Kamailio's defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::struct_excessive_bools)]
pub struct RrConfig {
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

impl Default for RrConfig {
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

/// Pseudo-variables of other modules (`$sht(..)`, `$dlg(..)`, `$tls_peer_subject`).
pub trait ForeignVars: Send + Sync {
    /// The value of `var`; `inner` is its inner name with variables expanded.
    fn get(&self, ctx: &Context, var: &Foreign, inner: &[u8]) -> Value<'static>;
    /// Sets `var`; [`Value::Null`] unsets it. False when that is not possible.
    fn set(&self, ctx: &mut Context, var: &Foreign, inner: &[u8], value: Value<'_>) -> bool;
}

/// Settings and tables that all messages share; immutable once made.
#[derive(Clone, Default)]
pub struct Env {
    /// Listening sockets, in the order of the configuration; `id` is the index.
    pub sockets: Vec<SocketInfo>,
    /// Whether they are in memory only, so that no kernel knows routes from them.
    pub in_memory: bool,
    /// Further names of this server.
    pub aliases: Vec<Alias>,
    /// Names that are learned while it runs.
    pub own_names: Arc<OwnNames>,
    /// Value of the Server header of our responses, `$version(full)`.
    pub server_header: String,
    /// Version number as `$version(num)` gives it.
    pub version: String,
    /// Preprocessor defines, `$def(name)` and `KSR.kx.get_def`.
    pub defines: Vec<(String, String)>,
    /// Start of the server in seconds since 1970, `$Tb`.
    pub started: u64,
    /// Offset of local time from UTC in seconds, for `$Tf`, `$time(..)`, `$timef(..)`.
    pub utc_offset: i32,
    /// Settings of module rr.
    pub rr: RrConfig,
    /// Settings of module uac.
    pub uac: super::uac::UacConfig,
    /// Settings of module nathelper.
    pub nat: super::nathelper::NatConfig,
    /// Settings of module path.
    pub path: super::path::PathConfig,
    /// Settings of module outbound.
    pub outbound: super::outbound::OutboundConfig,
    /// The kernel's routing table chooses the socket to send from even where the one that
    /// the message came in on would do (Kamailio's `mhomed`).
    pub mhomed: bool,
    /// `max_limit` of module maxfwd; 0 means the default of 70.
    pub max_forwards_limit: u32,
    /// `received_avp` of nathelper: the AVP that `fix_nated_register` sets, without `$avp()`.
    pub received_avp: Option<String>,
    /// `contact_flds_separator` of siputils; `None` for the asterisk.
    pub contact_separator: Option<u8>,
    /// Other names of AVPs, with the names that they stand for.
    pub avp_aliases: Vec<(Vec<u8>, Vec<u8>)>,
    /// Header lines of the answers of `options_reply`.
    pub options_headers: Vec<u8>,
    /// Number of this server, `$sid`.
    pub server_id: u32,
    /// Responses go to the source port whatever the Via asks.
    pub force_rport: bool,
    /// Our own Via asks for `rport`.
    pub local_rport: bool,
    /// Extended AVP with further parameters of our Via.
    pub xavp_via_params: Vec<u8>,
    /// Extended AVP with the host and port of our Via.
    pub xavp_via_fields: Vec<u8>,
    /// Settings of module sanity.
    pub sanity: super::sanity::SanityConfig,
    /// `$shv(..)`: variables that all workers share.
    pub shared: Arc<SharedVars>,
    /// Variables of other modules.
    pub foreign: Option<Arc<dyn ForeignVars>>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("sockets", &self.sockets)
            .field("aliases", &self.aliases)
            .finish_non_exhaustive()
    }
}

impl Env {
    /// The socket of that index.
    #[must_use]
    pub fn socket(&self, id: SocketId) -> Option<&SocketInfo> {
        self.sockets
            .get(usize::from(id))
            .filter(|s| s.id == id)
            .or_else(|| self.sockets.iter().find(|s| s.id == id))
    }

    /// Value of a preprocessor define.
    #[must_use]
    pub fn define(&self, name: &[u8]) -> Option<&[u8]> {
        self.defines
            .iter()
            .find(|d| d.0.as_bytes() == name)
            .map(|d| d.1.as_bytes())
    }

    /// The socket that `[proto:]host[:port]` names, as `$fs` takes it.
    #[must_use]
    pub fn find_socket(&self, text: &[u8]) -> Option<&SocketInfo> {
        let (proto, rest) = match memchr::memchr(b':', text) {
            Some(i) if Proto::parse(&text[..i]).is_some() => {
                (Proto::parse(&text[..i]), &text[i + 1..])
            }
            _ => (None, text),
        };
        let (host, port) = split_port(rest)?;
        let ip = crate::uri::host_ip(unbracket(host));
        self.sockets.iter().find(|s| {
            proto.is_none_or(|p| p == s.proto)
                && port.is_none_or(|p| p == s.addr.port())
                && ip.is_some_and(|ip| same_ip(ip, s.addr.ip()))
        })
    }

    /// Whether a socket is bound to `host` and `port`, or advertises them; port 0
    /// matches any.
    #[must_use]
    pub fn socket_is(&self, socket: &SocketInfo, host: &[u8], port: u16) -> bool {
        let host = unbracket(host);
        let port_ok = |p: u16| port == 0 || port == p;
        let bound = || crate::uri::host_ip(host).is_some_and(|ip| same_ip(ip, socket.addr.ip()));
        let advertised = |(h, p): &(String, u16)| {
            port_ok(*p) && unbracket(h.as_bytes()).eq_ignore_ascii_case(host)
        };
        port_ok(socket.addr.port()) && bound() || socket.advertise.as_ref().is_some_and(advertised)
    }

    /// The socket of that name (`listen=... name "..."`).
    #[must_use]
    pub fn named_socket(&self, name: &[u8]) -> Option<&SocketInfo> {
        self.sockets
            .iter()
            .find(|s| s.name.as_deref().is_some_and(|n| n.as_bytes() == name))
    }

    /// Whether `host`, `port` and `proto` name this server: one of its sockets,
    /// what it advertises, an alias or a learned name (Kamailio's `check_self`). `port` 0 and
    /// `proto` `None` match any.
    #[must_use]
    pub fn is_self(&self, host: &[u8], port: u16, proto: Option<Proto>) -> bool {
        let host = unbracket(host);
        let port_ok = |p: u16| port == 0 || port == p;
        let proto_ok = |p: Proto| proto.is_none_or(|q| q == p);
        self.sockets
            .iter()
            .any(|s| proto_ok(s.proto) && self.socket_is(s, host, port))
            || self.aliases.iter().any(|a| {
                a.names(host) && a.port.is_none_or(port_ok) && a.proto.is_none_or(proto_ok)
            })
            || self.own_names.has(host)
    }
}

/// An IPv6 reference without its brackets.
pub(super) fn unbracket(host: &[u8]) -> &[u8] {
    host.strip_prefix(b"[")
        .and_then(|h| h.strip_suffix(b"]"))
        .unwrap_or(host)
}

fn same_ip(a: IpAddr, b: IpAddr) -> bool {
    a.to_canonical() == b.to_canonical()
}

/// `host[:port]`, with IPv6 in brackets. `None` when the port is no number.
pub(super) fn split_port(text: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let bracket = memchr::memrchr(b']', text).unwrap_or(0);
    match memchr::memrchr(b':', text) {
        Some(colon) if colon >= bracket => {
            let port = std::str::from_utf8(&text[colon + 1..]).ok()?.parse().ok()?;
            Some((&text[..colon], Some(port)))
        }
        _ => Some((text, None)),
    }
}
