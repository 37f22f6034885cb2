//! `KSR.uac`, as far as it changes From and To (Kamailio's module uac).

use sipwright_sip::script::uac::{self, Side};

use super::{ksr_table, on_context};

ksr_table! { "uac";
    /// Gives From another display name (empty for none) and URI (empty leaves it) for the next hop; a second time for the same message fails.
    uac_replace_from(display: Str, uri: Str) -> Int = |c| {
        on_context(c, |x| uac::replace(x, Side::From, Some(c.bytes(0)), c.bytes(1)))
    };
    /// Gives From another URI for the next hop and leaves its display name.
    uac_replace_from_uri(uri: Str) -> Int = |c| {
        on_context(c, |x| uac::replace(x, Side::From, None, c.bytes(0)))
    };
    /// Gives To another display name (empty for none) and URI (empty leaves it) for the next hop; a second time for the same message fails.
    uac_replace_to(display: Str, uri: Str) -> Int = |c| {
        on_context(c, |x| uac::replace(x, Side::To, Some(c.bytes(0)), c.bytes(1)))
    };
    /// Gives To another URI for the next hop and leaves its display name.
    uac_replace_to_uri(uri: Str) -> Int = |c| {
        on_context(c, |x| uac::replace(x, Side::To, None, c.bytes(0)))
    };
    /// In a later request of the dialog, after `loose_route`: the URI that the other side knows, where From of the first request was replaced; -1 if it was not.
    uac_restore_from() -> Int = |c| on_context(c, |x| uac::restore(x, Side::From));
    /// The same where To of the first request was replaced.
    uac_restore_to() -> Int = |c| on_context(c, |x| uac::restore(x, Side::To));
}
