//! Module uac: other From and To for the next hop, and the way back.
//!
//! The two sides of a dialog must each see the URIs that they know (RFC 3261 section
//! 12.2.1.1 lets a peer of RFC 2543 compare them). What both need to know is in a parameter
//! of our Record-Route: the exclusive or of the two URIs, in Kamailio's own form.

use crate::message::Message;
use crate::params::Params;

use super::addresses::AddressEdit;
use super::context::Context;
use super::rr;

/// What becomes of the original URIs (`restore_mode`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Restore {
    /// They are forgotten.
    None,
    /// Restored in responses; in later requests when the script says so.
    Manual,
    /// Restored in responses, and both ways in later requests by `loose_route`.
    #[default]
    Auto,
}

/// Settings of module uac.
#[derive(Clone, Debug)]
pub struct UacConfig {
    /// Whether and where the original URIs come back.
    pub restore: Restore,
    /// Parameter of Record-Route for From.
    pub from_param: String,
    /// Parameter of Record-Route for To.
    pub to_param: String,
    /// Mixed into these parameters; empty for nothing.
    pub passwd: String,
}

impl Default for UacConfig {
    fn default() -> Self {
        Self {
            restore: Restore::Auto,
            from_param: "vsf".to_owned(),
            to_param: "vst".to_owned(),
            passwd: String::new(),
        }
    }
}

/// One of the two header fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// From.
    From,
    /// To.
    To,
}

impl Side {
    /// Its bit in [`super::context::TxData::restore`].
    const fn bit(self) -> u8 {
        match self {
            Self::From => 1,
            Self::To => 2,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::From => Self::To,
            Self::To => Self::From,
        }
    }
}

/// The longest URI that is put into a Record-Route.
const MAX_URI: usize = 512;

/// `KSR.uac.uac_replace_from`, `uac_replace_to` and their kin: another display name (empty
/// for none, `None` leaves it) and URI (empty leaves it). -1 for a second time.
pub fn replace(ctx: &mut Context, side: Side, display: Option<&[u8]>, uri: &[u8]) -> i32 {
    let breaks = |text: &[u8]| text.iter().any(|c| *c < b' ' || *c == 0x7f);
    let bad_uri = uri.len() > MAX_URI || uri.iter().any(|c| b" <>\"".contains(c));
    if breaks(uri) || bad_uri || display.is_some_and(|d| breaks(d) || d.contains(&b'<')) {
        ctx.complain("uac_replace: not a display name and a URI");
        return -1;
    }
    if !uri.is_empty() && ctx.env.uac.restore != Restore::None && !remember(ctx, side, uri) {
        return -1;
    }
    let edit = edit_of(ctx, side);
    if let Some(display) = display {
        edit.display = Some(display.to_vec());
    }
    if !uri.is_empty() {
        edit.user = None;
        edit.domain = None;
        edit.uri = Some(uri.to_vec());
    }
    1
}

/// `KSR.uac.uac_restore_from`, `uac_restore_to`: in a later request of the dialog, after
/// `loose_route`, the URI that the other side knows. -1 when none was recorded.
pub fn restore(ctx: &mut Context, side: Side) -> i32 {
    if restore_side(ctx, side) { 1 } else { -1 }
}

/// What `loose_route` does in mode auto once it has taken our Route off.
pub(super) fn on_route(ctx: &mut Context) {
    if ctx.env.uac.restore == Restore::Auto {
        restore_side(ctx, Side::From);
        restore_side(ctx, Side::To);
    }
}

/// Gives a response the From and To of the request that it answers.
pub fn restore_response(ctx: &mut Context, request: &Message, sides: u8) {
    for (side, addr) in [(Side::From, request.from()), (Side::To, request.to())] {
        if sides & side.bit() != 0 {
            *edit_of(ctx, side) = AddressEdit {
                display: Some(request.get(addr.display).to_vec()),
                uri: Some(request.get(addr.uri).to_vec()),
                ..AddressEdit::default()
            };
        }
    }
}

fn edit_of(ctx: &mut Context, side: Side) -> &mut AddressEdit {
    match side {
        Side::From => ctx.addresses.from.get_or_insert_default(),
        Side::To => ctx.addresses.to.get_or_insert_default(),
    }
}

fn uri_of(ctx: &Context, side: Side) -> &[u8] {
    let msg = &ctx.msg;
    match side {
        Side::From => msg.get(msg.from().uri),
        Side::To => msg.get(msg.to().uri),
    }
}

fn param_of(ctx: &Context, side: Side) -> &str {
    match side {
        Side::From => &ctx.env.uac.from_param,
        Side::To => &ctx.env.uac.to_param,
    }
}

/// Records both URIs in our Record-Route and has responses restored.
fn remember(ctx: &mut Context, side: Side, uri: &[u8]) -> bool {
    let name = param_of(ctx, side).to_owned();
    if rr::has_rr_param(ctx, name.as_bytes()) {
        ctx.complain("uac_replace: From or To of this message is replaced already");
        return false;
    }
    let old = uri_of(ctx, side);
    if old.len() > MAX_URI {
        ctx.complain("uac_replace: the old URI is too long");
        return false;
    }
    let mut mixed = xor(old, uri);
    encrypt(ctx, &mut mixed);
    let param = [name.as_bytes(), b"=", &encode(&mixed)].concat();
    if rr::add_rr_param(ctx, &param) < 0 {
        return false;
    }
    ctx.tx_data.restore |= side.bit();
    true
}

/// Puts the other URI of what was recorded as `side` of the first request into the header
/// field where this request has it.
fn restore_side(ctx: &mut Context, side: Side) -> bool {
    let name = param_of(ctx, side);
    let stored = ctx
        .route_params
        .as_deref()
        .and_then(|p| Params::new(p).get(name.as_bytes()))
        .and_then(decode);
    let Some(mut mixed) = stored.filter(|s| s.len() <= MAX_URI) else {
        return false;
    };
    encrypt(ctx, &mut mixed);
    let here = if rr::is_upstream(ctx) {
        side.other()
    } else {
        side
    };
    let mut uri = xor(uri_of(ctx, here), &mixed);
    let end = uri.iter().rposition(|c| *c != 0).map_or(0, |i| i + 1);
    uri.truncate(end);
    if uri.is_empty() || uri.iter().any(|c| *c <= b' ' || b"<>\"\x7f".contains(c)) {
        ctx.complain("uac: what the Route has recorded gives no URI");
        return false;
    }
    let edit = edit_of(ctx, here);
    edit.uri = Some(uri);
    ctx.tx_data.restore |= here.bit();
    true
}

/// Byte by byte; the rest of the longer one stays.
fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let mut out = long.to_vec();
    for (byte, other) in out.iter_mut().zip(short) {
        *byte ^= other;
    }
    out
}

fn encrypt(ctx: &Context, bytes: &mut [u8]) {
    let key = ctx.env.uac.passwd.as_bytes();
    for (byte, key) in bytes.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD: u8 = b'-';

/// Base64 that a URI parameter may hold: `-` fills up.
fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = word >> (18 - 6 * place) & 63;
            out.push(if place <= chunk.len() {
                DIGITS[digit as usize]
            } else {
                PAD
            });
        }
    }
    out
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|c| *c != PAD).map_or(0, |i| i + 1);
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text[..end].chunks(4) {
        let mut word = 0_u32;
        for c in chunk {
            let digit = DIGITS.iter().position(|d| d == c)?;
            word = word << 6 | u32::try_from(digit).ok()?;
        }
        word <<= 6 * (4 - chunk.len());
        let bytes = [(word >> 16) as u8, (word >> 8) as u8, word as u8];
        out.extend_from_slice(bytes.get(..chunk.len().checked_sub(1)?)?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, xor};

    #[test]
    fn the_form_is_that_of_kamailio() {
        let (old, new) = (b"sip:alice@example.com", b"sip:other@new.example.net");
        assert_eq!(
            encode(&xor(old, new)),
            b"AAAAAA4YAQYXAAsdFkMVFARDEwMILm5ldA--"
        );
        assert_eq!(
            encode(&xor(old, b"sip:o@n.com")),
            b"AAAAAA4sB00GLwh4YW1wbGUuY29t"
        );
    }

    #[test]
    fn either_uri_gives_the_other() {
        for new in [&b"sip:o@n.com"[..], b"sip:other@new.example.net", b"x"] {
            let old = b"sip:alice@example.com";
            let stored = decode(&encode(&xor(old, new))).unwrap();
            let trimmed = |mut uri: Vec<u8>| {
                uri.retain(|c| *c != 0);
                uri
            };
            assert_eq!(trimmed(xor(old, &stored)), new);
            assert_eq!(trimmed(xor(new, &stored)), old);
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        assert_eq!(decode(b"A*AA"), None);
        assert_eq!(decode(b"A"), Some(vec![]));
        assert_eq!(decode(b""), Some(vec![]));
    }
}
