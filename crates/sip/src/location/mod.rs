//! Where users are: bindings of addresses-of-record to contacts (RFC 3261 section 10).
//!
//! [`Table`] keeps them, compactly and found at once; [`refresh`] does the REGISTER of a client that only says
//! that it is still there, which is nearly every REGISTER, and [`lookup`] a look-up of plain contacts. What else a REGISTER may do is policy of the registrar,
//! which works on copies of the [`Binding`]s. Times are whole seconds since 1970, given by the caller.

mod aor;
mod binding;
mod lookup;
mod methods;
mod refresh;
mod reply;
mod table;

pub use aor::{AorRules, canonical_aor};
pub use binding::{Binding, NO_Q, State};
pub use lookup::{Found, lookup};
pub use methods::methods_mask;
pub use refresh::{Rules, refresh};
pub use reply::{ReplyRules, push_contacts};
pub use table::{Changes, Table};
