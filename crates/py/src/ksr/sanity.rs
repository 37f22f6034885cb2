//! `KSR.sanity`: checks of a message (Kamailio's module sanity).

use sipwright_sip::script::sanity;

use super::{Call, Out};
use crate::scope;

/// Checks a request and answers what fails, as the module's `autodrop` default does.
fn check<'py>(call: &Call<'_, 'py>) -> Out<'py> {
    let out = on_context(call, |x| sanity::sanity_check(x, call.int(0), call.int(1)));
    let core = scope::core();
    scope::with(|c| {
        if let Some((code, reason)) = c.ctx.sanity_reply.take() {
            core.send_reply(c, code, reason.as_bytes());
        }
    });
    out
}

use super::{ksr_table, on_context};

ksr_table! { "sanity";
    /// As `sanity_check` with Kamailio's default flags, but it leaves the answer to the script.
    sanity_check_defaults() -> Int = |c| on_context(c, |x| sanity::sanity_check_defaults(x));
    /// Checks the message (flags as in Kamailio's module sanity) and the URIs it names; 1, or -1 after the request was answered.
    sanity_check(message_flags: Int, uri_flags: Int) -> Int = |c| check(c);
}
