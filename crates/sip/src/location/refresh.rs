//! A REGISTER that only says that the client is still there.

use crate::header::HeaderId;
use crate::message::Message;
use crate::nameaddr::{NameAddrRef, parse_nameaddr};
use crate::params::unquote;
use crate::script::Context;
use crate::uri::Uri;

use super::aor::{AorRules, canonical_aor};
use super::binding::Binding;
use super::methods::methods_mask;
use super::reply::{ReplyRules, push_contacts};
use super::table::Table;

/// Longest that a binding may last, in seconds.
const MAX_EXPIRES: i64 = i32::MAX as i64;

/// What location tables have where there was no User-Agent.
const NO_USER_AGENT: &[u8] = b"n/a";

/// Settings of the registrar that a refresh depends on.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// What of To is the address-of-record.
    pub aor: AorRules,
    /// How the client is answered.
    pub reply: ReplyRules,
    /// Seconds of a binding that names none, and the bounds; a maximum of 0 for none.
    pub default_expires: i64,
    /// Shortest binding.
    pub min_expires: i64,
    /// Longest binding, 0 for no bound.
    pub max_expires: i64,
    /// q of contacts that name none.
    pub default_q: i16,
    /// GRUUs are given to clients that support them.
    pub gruu: bool,
}

/// Prolongs the binding if the REGISTER in `ctx` repeats the one that made it in all but CSeq and time, and
/// appends the Contact line of the answer to the headers of the reply. False when it is anything else, which is
/// for the registrar to look at; nothing has changed then.
///
/// `received` is the URI of the NAT, empty for none; `socket` our socket, as bindings have it.
pub fn refresh(
    table: &mut Table,
    ctx: &mut Context,
    rules: &Rules,
    received: &[u8],
    socket: &str,
    now: i64,
) -> bool {
    let msg = std::sync::Arc::clone(&ctx.msg);
    let Some(asked) = Asked::read(&msg, rules) else {
        return false;
    };
    let to = msg.get(msg.to().uri);
    let Some(aor) = canonical_aor(to, &rules.aor) else {
        return false;
    };
    let Ok(aor) = std::str::from_utf8(&aor) else {
        return false;
    };
    let (cflags, conn) = (ctx.bflags, ctx.flow.conn);
    let is_same = |b: &Binding| {
        asked.repeats(b)
            && b.cflags == cflags
            && b.received.as_bytes() == received
            && &*b.socket == socket
            && b.is_live(now)
    };
    let done = table.update(aor, |bindings| {
        let Some(binding) = bindings.iter_mut().find(|b| is_same(b)) else {
            return false;
        };
        binding.expires_at = now + asked.expires;
        binding.modified_at = now;
        binding.seen_at = now;
        binding.cseq = asked.cseq;
        binding.connection = conn;
        binding.touch();
        true
    });
    if done {
        let gruu = asked.wants_gruu.then(|| user_and_host(to)).flatten();
        push_contacts(
            &mut ctx.reply_headers,
            table.get(aor),
            &rules.reply,
            gruu,
            now,
        );
    }
    done
}

/// What a plain REGISTER says.
struct Asked<'a> {
    uri: &'a [u8],
    instance: Vec<u8>,
    call_id: &'a [u8],
    user_agent: &'a [u8],
    methods: u32,
    q: i16,
    cseq: u32,
    expires: i64,
    wants_gruu: bool,
}

impl<'a> Asked<'a> {
    /// `None` for one that is not plain.
    fn read(msg: &'a Message, rules: &Rules) -> Option<Self> {
        let mut contacts = msg.values(HeaderId::Contact);
        let (first, None) = (contacts.next()?, contacts.next()) else {
            return None;
        };
        if msg.header(HeaderId::Path).is_some() || msg.header(HeaderId::Require).is_some() {
            return None;
        }
        let contact = parse_nameaddr(msg.get(first)).ok()?;
        let mut asked = Self {
            uri: contact.uri,
            instance: Vec::new(),
            call_id: msg.call_id(),
            user_agent: msg.value(HeaderId::UserAgent).unwrap_or(NO_USER_AGENT),
            methods: allowed(msg),
            q: rules.default_q,
            cseq: msg.cseq(),
            expires: 0,
            wants_gruu: false,
        };
        let expires = asked.read_params(&contact, msg, rules)?;
        let granted = expires
            .or_else(|| header_expires(msg))
            .unwrap_or(rules.default_expires);
        if granted < rules.min_expires.max(1) {
            return None;
        }
        let longest = if rules.max_expires > 0 {
            rules.max_expires
        } else {
            MAX_EXPIRES
        };
        asked.expires = granted.min(longest);
        Some(asked)
    }

    /// The `expires` of the contact, if it has one; `None` when a parameter needs the registrar.
    #[allow(clippy::option_option)]
    fn read_params(
        &mut self,
        contact: &NameAddrRef<'a>,
        msg: &Message,
        rules: &Rules,
    ) -> Option<Option<i64>> {
        let mut expires = None;
        for (name, value) in contact.params() {
            let value = value.unwrap_or_default();
            if name.eq_ignore_ascii_case(b"expires") {
                expires = Some(decimal(value)?);
            } else if name.eq_ignore_ascii_case(b"q") {
                self.q = parse_q(value)?;
            } else if name.eq_ignore_ascii_case(b"+sip.instance") {
                self.instance = unquote(value);
                self.wants_gruu = rules.gruu && supports(msg, b"gruu");
            } else if [&b"reg-id"[..], b"received", b"methods"]
                .iter()
                .any(|n| name.eq_ignore_ascii_case(n))
            {
                return None;
            }
        }
        Some(expires)
    }

    fn repeats(&self, b: &Binding) -> bool {
        b.uri.as_bytes() == self.uri
            && b.call_id.as_bytes() == self.call_id
            && b.cseq < self.cseq
            && b.q == self.q
            && b.methods == self.methods
            && b.user_agent.as_bytes() == self.user_agent
            && b.instance.as_bytes() == self.instance
            && b.path.is_empty()
            && b.reg_id == 0
            && b.flags == 0
            && b.attributes.is_empty()
    }
}

fn allowed(msg: &Message) -> u32 {
    let mut lists = msg
        .all(HeaderId::Allow)
        .map(|h| msg.get(h.value))
        .peekable();
    if lists.peek().is_none() {
        return u32::MAX;
    }
    lists.fold(0, |mask, list| mask | methods_mask(list))
}

fn supports(msg: &Message, option: &[u8]) -> bool {
    msg.values(HeaderId::Supported)
        .any(|span| msg.get(span).eq_ignore_ascii_case(option))
}

fn header_expires(msg: &Message) -> Option<i64> {
    decimal(msg.value(HeaderId::Expires)?)
}

fn decimal(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 10 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A qvalue in thousandths; `None` for one that is not written plainly.
fn parse_q(text: &[u8]) -> Option<i16> {
    match text {
        b"0" => Some(0),
        b"1" => Some(1000),
        [b'0' | b'1', b'.', digits @ ..] if (1..=3).contains(&digits.len()) => {
            let whole = i64::from(text[0] - b'0') * 1000;
            let scale = [100, 10, 1][digits.len() - 1];
            let q = whole + decimal(digits)? * scale;
            i16::try_from(q).ok().filter(|q| (0..=1000).contains(q))
        }
        _ => None,
    }
}

fn user_and_host(uri: &[u8]) -> Option<(&[u8], &[u8])> {
    let uri = Uri::parse(uri).ok()?;
    Some((uri.user?, uri.host))
}
