//! `KSR.sanity`: checks of a message (Kamailio's module sanity).

use sipwright_sip::script::{Context, sanity};

use super::{Call, Out, ksr_table, on_context};
use crate::scope;

/// Runs a check and answers what fails, unless `noreply` is set.
fn check<'py>(call: &Call<'_, 'py>, run: impl FnOnce(&mut Context) -> i32) -> Out<'py> {
    let out = on_context(call, run);
    if !scope::with(|c| c.ctx.env.sanity.no_reply) {
        answer();
    }
    out
}

/// Answers what a check found wrong.
fn answer() {
    let core = scope::core();
    scope::with(|c| {
        if let Some((code, reason)) = c.ctx.sanity_reply.take() {
            core.send_reply(c, code, reason.as_bytes());
        }
    });
}

ksr_table! { "sanity";
    /// As `sanity_check` with Kamailio's default flags.
    sanity_check_defaults() -> Int = |c| check(c, sanity::sanity_check_defaults);
    /// Answers what the last check found wrong, where `sanity.noreply` keeps it from doing so itself.
    sanity_reply() -> Int = |_| {
        answer();
        Out::Int(1)
    };
    /// Checks the message (flags as in Kamailio's module sanity) and the URIs it names; 1, or -1 after the request was answered.
    sanity_check(message_flags: Int, uri_flags: Int) -> Int = |c| {
        check(c, |x| sanity::sanity_check(x, c.int(0), c.int(1)))
    };
}
