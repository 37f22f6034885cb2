//! Changes to From and To (`$fu`, `$fU`, `$fd`, `$fn`, `$tu`, ...).
//!
//! Kamailio turns each assignment into an edit of the header field, so that reading the
//! variable still gives the old value. Here the last assignment of each part wins.

use crate::edit::Edits;
use crate::message::Message;
use crate::nameaddr::NameAddr;

use super::ruri::{Part, with_part};

/// New parts of one address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AddressEdit {
    /// Display name as it is to be written; empty removes it.
    pub display: Option<Vec<u8>>,
    /// The whole URI.
    pub uri: Option<Vec<u8>>,
    /// User of the URI.
    pub user: Option<Vec<u8>>,
    /// Host of the URI.
    pub domain: Option<Vec<u8>>,
}

/// Changes to From and To.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// From.
    pub from: Option<Box<AddressEdit>>,
    /// To.
    pub to: Option<Box<AddressEdit>>,
}

impl Addresses {
    /// Whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Adds the changes to `edits`.
    pub(super) fn write(&self, msg: &Message, edits: &mut Edits) {
        for (edit, addr) in [(&self.from, msg.from()), (&self.to, msg.to())] {
            if let Some(edit) = edit {
                edit.write(msg, addr, edits);
            }
        }
    }
}

impl AddressEdit {
    /// The address with the changes: display name and URI, in brackets if need be.
    fn write(&self, msg: &Message, addr: &NameAddr, edits: &mut Edits) {
        let display = self
            .display
            .as_deref()
            .unwrap_or_else(|| msg.get(addr.display));
        let uri = self.new_uri(msg.get(addr.uri));
        let (start, end) = if addr.bracketed {
            (addr.span.start, addr.uri.end + 1)
        } else {
            (addr.uri.start, addr.uri.end)
        };
        let mut text = Vec::with_capacity(display.len() + uri.len() + 3);
        text.extend_from_slice(display);
        if !display.is_empty() {
            text.push(b' ');
        }
        // RFC 3261 section 20.10
        let brackets =
            addr.bracketed || !display.is_empty() || uri.iter().any(|c| b";,?".contains(c));
        text.extend_from_slice(if brackets { b"<" } else { b"" });
        text.extend_from_slice(&uri);
        text.extend_from_slice(if brackets { b">" } else { b"" });
        edits.overwrite(crate::types::Span::new(start, end), text);
    }

    fn new_uri(&self, old: &[u8]) -> Vec<u8> {
        let mut uri = self.uri.clone().unwrap_or_else(|| old.to_vec());
        let parts = [
            self.user.as_deref().map(Part::User),
            self.domain.as_deref().map(Part::Host),
        ];
        for part in parts.into_iter().flatten() {
            if let Some(changed) = with_part(&uri, part) {
                uri = changed;
            }
        }
        uri
    }
}
