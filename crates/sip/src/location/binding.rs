//! One contact of an address-of-record.

use std::sync::Arc;

/// `q` of a contact that named none.
pub const NO_Q: i16 = -1;

/// What the database knows of a binding; numbers and meaning as in Kamailio's module usrloc.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// It has never been written.
    #[default]
    New,
    /// It is there as it is here.
    Sync,
    /// It is there, and has changed here.
    Dirty,
}

/// How requests reach one contact, and what its registration said. Empty text: not given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Binding {
    /// URI of the contact.
    pub uri: Box<str>,
    /// Record id, unique among all bindings of all servers.
    pub ruid: Box<str>,
    /// Call-ID of the registration.
    pub call_id: Box<str>,
    /// URI of the NAT that the registration came through.
    pub received: Box<str>,
    /// Value of a Route header field (RFC 3327).
    pub path: Box<str>,
    /// `+sip.instance` (RFC 5626).
    pub instance: Box<str>,
    /// Values of the script that are kept with the binding, as its owner writes them.
    pub attributes: Box<str>,
    /// User-Agent of the registration; the same text for all who have the same.
    pub user_agent: Arc<str>,
    /// Our socket as `proto:address:port`.
    pub socket: Arc<str>,
    /// When it ends; 0 for never.
    pub expires_at: i64,
    /// When it was last changed.
    pub modified_at: i64,
    /// When the contact last showed that it is there, by a registration or the answer to a ping.
    pub seen_at: i64,
    /// Connection that it came by, 0 for none.
    pub connection: u64,
    /// Sequence number of the registration.
    pub cseq: u32,
    /// Flags of the binding itself.
    pub flags: u32,
    /// Branch flags.
    pub cflags: u32,
    /// Methods of Allow, a bit each.
    pub methods: u32,
    /// Flow of the instance (RFC 5626), 0 for none.
    pub reg_id: u32,
    /// Server that took the registration.
    pub server_id: u32,
    /// Preference in thousandths, or [`NO_Q`].
    pub q: i16,
    /// What the database knows of it.
    pub state: State,
}

impl Binding {
    /// Flag: the binding is never written to the database.
    pub const MEMORY_ONLY: u32 = 1 << 1;

    /// Whether it has not ended yet.
    #[must_use]
    pub const fn is_live(&self, now: i64) -> bool {
        self.expires_at == 0 || self.expires_at > now
    }

    /// Notes a change for the database.
    pub fn touch(&mut self) {
        if self.state == State::Sync {
            self.state = State::Dirty;
        }
    }
}
