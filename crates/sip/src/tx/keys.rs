//! Matching requests to server transactions (RFC 3261 section 17.2.3).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::config::TxConfig;
use super::id::{Tokens, has_cookie};
use crate::header::HeaderId;
use crate::message::Message;
use crate::method::Method;

/// From key to slot. The key is a keyed hash already and is not hashed again.
/// Two requests with one key are so unlikely that the newer one simply wins; a
/// match is always verified against the request itself.
pub(super) type KeyMap = HashMap<u64, u32, BuildHasherDefault<Ready>>;

/// Hasher for what is a hash.
#[derive(Default)]
pub(super) struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are u64")
    }
}

/// Key of a request. An ACK and, unless `own`, a CANCEL have the key of their
/// INVITE; with `own` a CANCEL has its own.
pub(super) fn request_key(tokens: &Tokens, cfg: &TxConfig, msg: &Message, own: bool) -> u64 {
    let mut hash = tokens.hasher();
    let via = msg.via();
    let cancel = own && msg.method() == Method::Cancel;
    let unique = is_unique(msg);
    if unique || cfg.via1_matching {
        hash.word(u64::from(via.port_or_default()) << 1 | u64::from(cancel));
        hash.field_lower(msg.get(via.host));
        hash.field(msg.branch().unwrap_or_default());
    } else {
        hash.word(u64::from(cancel));
    }
    if !unique {
        if cfg.ruri_matching {
            hash.field(msg.uri());
        }
        hash.field(msg.call_id());
        hash.field(msg.from_tag().unwrap_or_default());
        hash.word(u64::from(msg.cseq()));
    }
    hash.finish()
}

/// Key by which an ACK for a 2xx finds its INVITE, and a request that came by
/// another path its twin (section 8.2.2.2): Call-ID, From tag and CSeq.
pub(super) fn dialog_key(tokens: &Tokens, msg: &Message) -> u64 {
    let mut hash = tokens.hasher();
    hash.field(msg.call_id());
    hash.field(msg.from_tag().unwrap_or_default());
    hash.word(u64::from(msg.cseq()));
    hash.field(creator(msg));
    hash.finish()
}

/// Verifies a match by [`request_key`]: section 17.2.3 without the method.
///
/// Without the cookie the rules of RFC 2543 hold: Request-URI, From tag, Call-ID,
/// sequence number and top Via, and the To tag unless the request is an ACK,
/// which brings that of the response. Settings loosen them.
pub(super) fn same_request(cfg: &TxConfig, known: &Message, msg: &Message) -> bool {
    let (a, b) = (known.via(), msg.via());
    let branch = msg.branch().unwrap_or_default();
    let same_sender = known.get(a.host).eq_ignore_ascii_case(msg.get(b.host))
        && a.port_or_default() == b.port_or_default()
        && known.branch().unwrap_or_default() == branch;
    if is_unique(msg) || !same_sender && cfg.via1_matching {
        return same_sender;
    }
    let same_to = msg.method() == Method::Ack || known.to_tag() == msg.to_tag();
    let same_uri = !cfg.ruri_matching || known.uri() == msg.uri();
    same_to && same_uri && !is_unique(known) && same_origin(known, msg)
}

/// Verifies a match by [`dialog_key`].
pub(super) fn same_dialog(known: &Message, msg: &Message) -> bool {
    creator(known) == creator(msg) && same_origin(known, msg)
}

/// Whether two requests have the same of all that decides where a proxy sends them
/// (RFC 5393 section 4.2.1).
pub(super) fn same_route(known: &Message, msg: &Message) -> bool {
    let equal = |id| {
        known
            .all(id)
            .map(|h| known.get(h.value))
            .eq(msg.all(id).map(|h| msg.get(h.value)))
    };
    same_dialog(known, msg)
        && known.uri() == msg.uri()
        && known.to_tag() == msg.to_tag()
        && [
            HeaderId::Route,
            HeaderId::ProxyRequire,
            HeaderId::ProxyAuthorization,
        ]
        .into_iter()
        .all(equal)
}

/// Whether the branch alone tells the request's transaction from others.
pub(super) fn is_unique(msg: &Message) -> bool {
    msg.branch().is_some_and(has_cookie)
}

fn same_origin(known: &Message, msg: &Message) -> bool {
    known.call_id() == msg.call_id()
        && known.from_tag() == msg.from_tag()
        && known.cseq() == msg.cseq()
}

/// Method of the request that made the transaction: an ACK belongs to an INVITE.
fn creator(msg: &Message) -> &[u8] {
    match msg.method() {
        Method::Ack => b"INVITE",
        _ => msg.method_name(),
    }
}

/// Whether `msg` repeats `known`, which has the same key.
pub(super) fn same_method(known: &Message, msg: &Message) -> bool {
    known.method_name() == msg.method_name()
}
