//! What a routing script sees of one message, and what it asked to be done with it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::edit::Edits;
use crate::message::Message;
use crate::types::{Flow, SendOptions, SocketId, SocketInfo, Span};

use super::addresses::Addresses;
use super::avp::AvpList;
use super::env::Env;
use super::iterators::Iterators;
use super::outbound::FlowRoute;
use super::rr::RrState;
use super::serial::Kept;
use super::vars::Vars;
use super::xavp::XavpList;

/// Wall-clock time in microseconds since 1970-01-01 UTC, given by the caller.
pub type WallMicros = u64;

/// The value of a pseudo-variable, and what KSR functions of type `xval` return.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// `None` in the script.
    Null,
    /// `int` in the script.
    Int(i64),
    /// `str` in the script.
    Str(Cow<'a, [u8]>),
    /// Text that is also a number, as `$cs` and `$rp`: `str` in the script, a
    /// number to `geti`.
    StrInt(Cow<'a, [u8]>, i64),
}

impl<'a> Value<'a> {
    /// Text borrowed from the message or from the context.
    #[must_use]
    pub const fn borrowed(text: &'a [u8]) -> Self {
        Self::Str(Cow::Borrowed(text))
    }

    /// Text made for the occasion.
    #[must_use]
    pub const fn owned(text: Vec<u8>) -> Self {
        Self::Str(Cow::Owned(text))
    }

    /// `Null` for `None`.
    #[must_use]
    pub fn opt(text: Option<&'a [u8]>) -> Self {
        text.map_or(Self::Null, Self::borrowed)
    }

    /// The value, or `Null` for empty text.
    #[must_use]
    pub fn into_nonempty(self) -> Self {
        match self {
            Self::Str(s) if s.is_empty() => Self::Null,
            other => other,
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value as text: numbers in decimal, `None` for null.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Null => None,
            Self::Int(n) => Some(Cow::Owned(n.to_string().into_bytes())),
            Self::Str(s) | Self::StrInt(s, _) => Some(Cow::Borrowed(s)),
        }
    }

    /// The value as a number, 0 where it has none (`KSR.pv.geti`).
    #[must_use]
    pub const fn number(&self) -> i64 {
        match self {
            Self::Int(n) | Self::StrInt(_, n) => *n,
            Self::Null | Self::Str(_) => 0,
        }
    }

    /// The same value, owning its text.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Int(n) => Value::Int(n),
            Self::Str(s) => Value::Str(Cow::Owned(s.into_owned())),
            Self::StrInt(s, n) => Value::StrInt(Cow::Owned(s.into_owned()), n),
        }
    }
}

/// The kind of route that runs. It decides what some functions may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteType {
    /// `ksr_request_route`.
    Request,
    /// `ksr_reply_route`: every response, before transactions are looked at.
    Reply,
    /// `t_on_reply`: a response of a transaction.
    TmReply,
    /// `t_on_branch`: a branch about to leave.
    Branch,
    /// `t_on_failure`.
    Failure,
    /// `t_on_branch_failure`.
    BranchFailure,
    /// `ksr_onsend_route`.
    Onsend,
    /// Event routes with a message of ours or of the network.
    Event,
    /// Outside of any message: `mod_init`, timers, threads.
    Fake,
}

/// One destination of the request: the main one or an appended branch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BranchTarget {
    /// Request-URI.
    pub uri: Vec<u8>,
    /// Where to send instead of to `uri`: the next hop.
    pub dst_uri: Option<Vec<u8>>,
    /// Value of the Route header to put on top (RFC 3327 path of the binding).
    pub path: Option<Vec<u8>>,
    /// Preference in thousandths, 0 to 1000. `None`: unspecified.
    pub q: Option<u16>,
    /// Branch flags.
    pub flags: u32,
    /// Our socket to send from.
    pub socket: Option<SocketId>,
    /// Outbound instance id (RFC 5626).
    pub instance: Option<Vec<u8>>,
    /// Outbound reg-id (RFC 5626).
    pub reg_id: u32,
    /// Unique id of the binding in the location table.
    pub ruid: Option<Vec<u8>>,
    /// User-Agent of the registration.
    pub location_ua: Option<Vec<u8>>,
    /// The flow that `dst_uri` stands for.
    pub flow: Option<Arc<FlowRoute>>,
}

/// What lives as long as the transaction and is shared by its routes. Move it
/// out of a context with [`std::mem::take`] and into the next one.
#[derive(Clone, Debug, Default)]
pub struct TxData {
    /// Message flags 0..=31.
    pub flags: u32,
    /// How often it was saved. Of two routes that run at the same time the first one
    /// that ends is the one whose changes last.
    pub revision: u32,
    /// Extended flags (corex), 64 of them.
    pub xflags: u64,
    /// Whether responses get the From (1) and To (2) of the request back (module uac).
    pub restore: u8,
    /// `$avp(..)`.
    pub avps: AvpList,
    /// `$xavp(..)`, `$xavu(..)` and `$xavi(..)`.
    pub xavps: XavpList,
    /// What few transactions have.
    pub kept: Option<Box<Kept>>,
}

impl TxData {
    /// What few transactions have, made if need be.
    pub fn kept(&mut self) -> &mut Kept {
        self.kept.get_or_insert_default()
    }
}

/// What tm tells the routes that it runs.
#[derive(Clone, Debug, Default)]
pub struct TxView {
    /// `$T_branch_idx`: index of the branch.
    pub branch_idx: u16,
    /// `$T_reply_code`: code of the response, or the winning one in a failure route.
    pub reply_code: u16,
    /// `$T_reply_reason`, where there is a response to speak of.
    pub reply_reason: Option<Vec<u8>>,
    /// `$T(reply_type)`: nobody sent the response; its code stands for none.
    pub reply_made_up: bool,
    /// `$T_reply_last`: code of the last response received.
    pub reply_last: Option<u16>,
    /// `$T_reply_ruid`.
    pub reply_ruid: Vec<u8>,
    /// The winning response in a failure route, for `$T_rpl(..)`.
    pub reply: Option<Arc<Message>>,
    /// `$T_branch(uri)`: request-URI of the branch.
    pub branch_uri: Option<Vec<u8>>,
    /// Index and label for `$T(id_index)`, `$T(id_label)`.
    pub id: (u64, u64),
}

/// Transport wishes of the script for this message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SendFlags {
    /// Close the connection after the forwarded message.
    pub forward_close: bool,
    /// Do not open a connection to forward.
    pub forward_no_connect: bool,
    /// Close the connection after the reply.
    pub reply_close: bool,
    /// Do not open a connection to reply.
    pub reply_no_connect: bool,
}

impl SendFlags {
    /// What is to become of the connection of a forwarded request.
    #[must_use]
    pub const fn forward(self) -> SendOptions {
        SendOptions {
            close: self.forward_close,
            no_connect: self.forward_no_connect,
            exact: false,
        }
    }

    /// What is to become of the connection of the replies.
    #[must_use]
    pub const fn reply(self) -> SendOptions {
        SendOptions {
            close: self.reply_close,
            no_connect: self.reply_no_connect,
            exact: false,
        }
    }
}

/// What `via_add_srvid` and its kin put into our own Via.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ViaWishes {
    /// `;srvid=` with the number of this server, unless that is 0.
    pub srvid: bool,
    /// The fields of the extended AVP of `xavp_via_params` as parameters.
    pub params: bool,
    /// Host and port from the extended AVP of `xavp_via_fields`.
    pub fields: bool,
}

/// One message with everything the script has decided about it so far.
#[derive(Clone, Debug)]
pub struct Context {
    /// Settings that all messages share.
    pub env: Arc<Env>,
    /// The message as received, or as of the last `msg_apply_changes`.
    pub msg: Arc<Message>,
    /// Where it came from and on which socket.
    pub flow: Flow,
    /// The path a message is about to leave by, in `ksr_onsend_route`.
    pub onsend: Option<Flow>,
    /// When it came.
    pub now: WallMicros,
    /// Number of the message in this process, `$mi`.
    pub msg_id: u64,
    /// The route that runs.
    pub route: RouteType,
    /// New From and To; part of the edits.
    pub addresses: Addresses,
    /// Edits to header fields and body, visible once the message is sent.
    pub edits: Edits,
    /// Rewritten request-URI.
    pub new_uri: Option<Vec<u8>>,
    /// Next hop.
    pub dst_uri: Option<Vec<u8>>,
    /// The flow that the next hop stands for, after `loose_route` found its token.
    pub flow_route: Option<Arc<FlowRoute>>,
    /// Route value to put on top, from the registration's path.
    pub path_vec: Option<Vec<u8>>,
    /// Appended branches.
    pub branches: Vec<BranchTarget>,
    /// `$sbranch(..)`: a destination that is put together before it is used.
    pub static_branch: Option<Box<BranchTarget>>,
    /// The main destination is none any more: it was tried. Setting the request-URI makes
    /// it one again, and so does `$du = ..`.
    pub uri_used: bool,
    /// Max-Forwards after `process_maxfwd`.
    pub max_forwards: Option<u32>,
    /// URIs of contacts that `set_contact_alias` changed, with where they were.
    pub contact_aliases: Vec<(Span, Vec<u8>)>,
    /// Where a registering client really is, after `fix_nated_register`.
    pub received: Option<Vec<u8>>,
    /// Preference of the main branch in thousandths.
    pub q: Option<u16>,
    /// Flags of the main branch; in tm routes, of the branch that runs.
    pub bflags: u32,
    /// Unique id, User-Agent and instance of the binding behind the main branch.
    pub binding: Option<Box<Binding>>,
    /// Flags of this script run only.
    pub sflags: u32,
    /// Socket to send from.
    pub force_socket: Option<SocketId>,
    /// Fill `rport` and `received` of the client's Via whatever it asks (RFC 3581).
    pub force_rport: bool,
    /// Put `;rport` into our own Via.
    pub local_rport: bool,
    /// What else goes into our own Via (module corex).
    pub via: ViaWishes,
    /// Host to show in our Via.
    pub advertised_host: Option<Vec<u8>>,
    /// Port to show in our Via.
    pub advertised_port: Option<u16>,
    /// Connection wishes.
    pub send_flags: SendFlags,
    /// The script called `set_drop`.
    pub drop: bool,
    /// Header lines for a response built here.
    pub reply_headers: Vec<u8>,
    /// Body and Content-Type for a response built here.
    pub reply_body: Option<(Vec<u8>, Vec<u8>)>,
    /// New status code and reason of the response that is being forwarded.
    pub reply_status: Option<(u16, Vec<u8>)>,
    /// What was recorded for Record-Route.
    pub record_route: RrState,
    /// Route parameters of our own Route header, after `loose_route`.
    pub route_params: Option<Vec<u8>>,
    /// Transaction-wide data.
    pub tx_data: TxData,
    /// `$var(..)`, `$vn(..)`, `$vz(..)`: Kamailio keeps these per process; move
    /// them from context to context of one worker to do the same.
    pub vars: Vars,
    /// For a response the request that it answers (`$T_req(..)`), for a CANCEL the
    /// INVITE (`$T_inv(..)`).
    pub original: Option<Arc<Message>>,
    /// The transaction, in routes that tm runs and after `t_newtran`.
    pub tx: Option<Box<TxView>>,
    /// What `sanity_check` wants answered.
    pub sanity_reply: Option<(u16, Cow<'static, str>)>,
    /// Header and body line iterators of textopsx.
    pub iterators: Iterators,
    /// Last value returned by a KSR function, `$rc`.
    pub retcode: i64,
    /// Complaints about wrong use, for the caller to log with the script's line.
    pub complaints: Vec<String>,
}

/// The registration that a branch came from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Binding {
    /// Unique id, `$ruid`.
    pub ruid: Option<Vec<u8>>,
    /// User-Agent of the registration, `$location_ua`.
    pub location_ua: Option<Vec<u8>>,
    /// Outbound instance id.
    pub instance: Option<Vec<u8>>,
    /// Outbound reg-id.
    pub reg_id: u32,
}

impl Context {
    /// A context as it is when a message has just come in. Allocates nothing.
    #[must_use]
    pub fn new(env: Arc<Env>, msg: Arc<Message>, flow: Flow, now: WallMicros) -> Self {
        let route = if msg.is_request() {
            RouteType::Request
        } else {
            RouteType::Reply
        };
        let env_rport = (env.force_rport, env.local_rport);
        Self {
            env,
            msg,
            flow,
            onsend: None,
            now,
            msg_id: 0,
            route,
            addresses: Addresses::default(),
            edits: Edits::default(),
            new_uri: None,
            dst_uri: None,
            flow_route: None,
            path_vec: None,
            branches: Vec::new(),
            static_branch: None,
            uri_used: false,
            max_forwards: None,
            contact_aliases: Vec::new(),
            received: None,
            q: None,
            bflags: 0,
            binding: None,
            sflags: 0,
            force_socket: None,
            force_rport: env_rport.0,
            local_rport: env_rport.1,
            via: ViaWishes::default(),
            advertised_host: None,
            advertised_port: None,
            send_flags: SendFlags::default(),
            drop: false,
            reply_headers: Vec::new(),
            reply_body: None,
            reply_status: None,
            record_route: RrState::default(),
            route_params: None,
            tx_data: TxData::default(),
            vars: Vars::default(),
            original: None,
            tx: None,
            sanity_reply: None,
            iterators: Iterators::default(),
            retcode: 0,
            complaints: Vec::new(),
        }
    }

    /// The request-URI in force: the rewritten one, or that of the first line.
    #[must_use]
    pub fn uri(&self) -> &[u8] {
        self.new_uri.as_deref().unwrap_or_else(|| self.msg.uri())
    }

    /// Sets the request-URI: a destination to try.
    pub fn set_uri(&mut self, uri: Vec<u8>) {
        self.new_uri = Some(uri);
        self.uri_used = false;
    }

    /// Sets the next hop, and the request-URI is to be tried there.
    pub fn set_dst_uri(&mut self, uri: Vec<u8>) {
        self.dst_uri = Some(uri);
        self.uri_used = false;
    }

    /// A copy for failure routes and others that run later: URIs and edits as they are,
    /// without what belongs to this run of the script or to the transaction.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let empty = Self::new(
            Arc::clone(&self.env),
            Arc::clone(&self.msg),
            self.flow,
            self.now,
        );
        Self {
            msg_id: self.msg_id,
            addresses: self.addresses.clone(),
            edits: self.edits.clone(),
            new_uri: self.new_uri.clone(),
            dst_uri: self.dst_uri.clone(),
            flow_route: self.flow_route.clone(),
            path_vec: self.path_vec.clone(),
            max_forwards: self.max_forwards,
            contact_aliases: self.contact_aliases.clone(),
            received: self.received.clone(),
            q: self.q,
            bflags: self.bflags,
            binding: self.binding.clone(),
            force_socket: self.force_socket,
            force_rport: self.force_rport,
            local_rport: self.local_rport,
            via: self.via,
            advertised_host: self.advertised_host.clone(),
            advertised_port: self.advertised_port,
            send_flags: self.send_flags,
            record_route: self.record_route.clone(),
            route_params: self.route_params.clone(),
            uri_used: true,
            ..empty
        }
    }

    /// Takes the edits of another context of the same message instead of its own.
    pub fn edits_of(&mut self, other: &Self) {
        self.msg = Arc::clone(&other.msg);
        self.addresses = other.addresses.clone();
        self.edits = other.edits.clone();
        self.max_forwards = other.max_forwards;
        self.contact_aliases.clone_from(&other.contact_aliases);
        self.record_route = other.record_route.clone();
    }

    /// Where the main branch goes: the destination URI if set, else the request-URI.
    #[must_use]
    pub fn next_hop_uri(&self) -> &[u8] {
        self.dst_uri.as_deref().unwrap_or_else(|| self.uri())
    }

    /// The socket the message came in on, if it is still configured.
    #[must_use]
    pub fn recv_socket(&self) -> Option<&SocketInfo> {
        self.env.socket(self.flow.socket)
    }

    /// Whether a request is at hand, `is_request` of tm's faked requests too.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.msg.is_request()
    }

    /// Remembers what the script did wrong, for the log.
    pub fn complain(&mut self, what: impl Into<String>) {
        self.complaints.push(what.into());
    }
}
