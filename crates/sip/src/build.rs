//! Messages that a proxy writes: responses, forwarded messages, ACK and CANCEL.

use std::net::{IpAddr, SocketAddr};

use crate::edit::Edits;
use crate::message::Message;
use crate::types::Proto;
use crate::via::Via;

/// What the receiver of a request writes into its top Via
/// (RFC 3261 section 18.2.1, RFC 3581 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ViaFix {
    /// `;received=` to set.
    pub received: Option<IpAddr>,
    /// `;rport=` to set.
    pub rport: Option<u16>,
}

impl ViaFix {
    /// The fix for a request that came from `source`. `force_rport` treats a Via
    /// without `rport` as if it asked for it (Kamailio's `force_rport()`).
    #[must_use]
    pub fn for_request(msg: &Message, source: SocketAddr, force_rport: bool) -> Self {
        let _ = (msg, source, force_rport);
        todo!()
    }
}

/// A response to `req` (RFC 3261 section 8.2.6).
///
/// Copies every Via (the top one with `via_fix`), From, To, Call-ID and CSeq; the
/// Timestamp into a 100; the Record-Route into 101 to 299 when the request forms a dialog.
/// `to_tag` is added unless To has a tag or the code is 100. `extra` holds header
/// lines with their CRLFs. An empty `reason` becomes [`default_reason`].
#[must_use]
pub fn response(
    req: &Message,
    code: u16,
    reason: &[u8],
    to_tag: Option<&[u8]>,
    extra: &[u8],
    body: &[u8],
    via_fix: &ViaFix,
) -> Vec<u8> {
    let _ = (req, code, reason, to_tag, extra, body, via_fix);
    todo!()
}

/// The reason phrase that RFC 3261 section 21 and its extensions give a code.
#[must_use]
pub fn default_reason(code: u16) -> &'static str {
    let _ = code;
    todo!()
}

/// How a request leaves (RFC 3261 section 16.6).
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// New Request-URI; `None` keeps the one of the edits or of the message.
    pub uri: Option<&'a [u8]>,
    /// Our whole Via line with CRLF; comes first. May be empty.
    pub via: &'a [u8],
    /// What goes into the Via of the sender.
    pub via_fix: ViaFix,
    /// Header lines with CRLF that follow our Via, before all others: Path,
    /// Record-Route, Route.
    pub top: &'a [u8],
    /// New Max-Forwards; added when the request has none. `None` leaves it alone.
    pub max_forwards: Option<u32>,
    /// What the script changed.
    pub edits: &'a Edits,
}

/// A request as it is forwarded: only what the proxy adds changes.
#[must_use]
pub fn forward_request(msg: &Message, how: &Forward<'_>) -> Vec<u8> {
    let _ = (msg, how);
    todo!()
}

/// A response as it is forwarded: without its top Via value (RFC 3261 section 16.7).
#[must_use]
pub fn forward_response(msg: &Message, edits: &Edits) -> Vec<u8> {
    let _ = (msg, edits);
    todo!()
}

/// Where a response goes by a Via (RFC 3261 section 18.2.2, RFC 3581 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ViaTarget<'a> {
    /// Transport; `None` when it is unknown here.
    pub proto: Option<Proto>,
    /// Host of sent-by.
    pub host: &'a [u8],
    /// Port of sent-by, if written.
    pub port: Option<u16>,
    /// `received`, if it is an address.
    pub received: Option<IpAddr>,
    /// `rport`, if it is filled in.
    pub rport: Option<u16>,
    /// `maddr`.
    pub maddr: Option<&'a [u8]>,
}

impl<'a> ViaTarget<'a> {
    /// The target that a Via of `msg` names.
    #[must_use]
    pub fn of(msg: &'a Message, via: &Via) -> Self {
        let _ = (msg, via);
        todo!()
    }

    /// The address when no DNS is needed: `maddr`, `received` or sent-by, with
    /// the port that RFC 3581 or RFC 3261 section 18.2.2 says.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        todo!()
    }

    /// Host to resolve when [`ViaTarget::addr`] is `None`, and port as there.
    #[must_use]
    pub fn host_port(&self) -> (&'a [u8], u16) {
        todo!()
    }
}

/// Where a received response is forwarded to: what its second Via says; `None`
/// when it has no second Via (it is ours) or that Via is malformed.
#[must_use]
pub fn response_target(msg: &Message) -> Option<ViaTarget<'_>> {
    let _ = msg;
    todo!()
}

/// The ACK for a non-2xx final response (RFC 3261 section 17.1.1.3).
/// `invite_sent` is the INVITE as it left.
#[must_use]
pub fn ack_for(invite_sent: &Message, response: &Message) -> Vec<u8> {
    let _ = (invite_sent, response);
    todo!()
}

/// The CANCEL for a pending request (RFC 3261 section 9.1). `extra` holds header
/// lines with CRLF, such as Reason (RFC 3326).
#[must_use]
pub fn cancel_for(invite_sent: &Message, extra: &[u8]) -> Vec<u8> {
    let _ = (invite_sent, extra);
    todo!()
}
