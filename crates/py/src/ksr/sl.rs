//! `KSR.sl`: replies without a transaction (Kamailio's module sl, RFC 3261 section 8.2.7).

use super::{Call, Out, ksr_table};
use crate::scope;

/// A status code that may be sent, or the error that Kamailio gives.
pub fn status(code: i64) -> Option<u16> {
    u16::try_from(code).ok().filter(|c| (100..700).contains(c))
}

fn reply<'py>(call: &Call<'_, 'py>, stateless: bool) -> Out<'py> {
    let Some(code) = status(call.int(0)) else {
        return Out::Int(-1);
    };
    let reason = call.bytes(1);
    if reason.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
        return Out::Int(-1);
    }
    let core = scope::core();
    let result = scope::with(|c| {
        if stateless {
            core.sl_send_reply(c, code, reason)
        } else {
            core.send_reply(c, code, reason)
        }
    });
    result.into()
}

ksr_table! { "sl";
    /// Answers the request without a transaction; 1, or -1 when it cannot be answered.
    sl_send_reply(code: Int, reason: Str) -> Int = |c| reply(c, true);
    /// Answers the request: through its transaction if there is one, else without.
    send_reply(code: Int, reason: Str) -> Int = |c| reply(c, false);
    /// Answers with what the last failed function had to say, 500 by default.
    sl_reply_error() -> Int = |_| {
        let core = scope::core();
        scope::with(|c| core.sl_reply_error(c)).into()
    };
    /// As `send_reply`, for any message: responses are left alone.
    send_reply_mode(code: Int, reason: Str, mode: Int) -> Int = |c| reply(c, false);
    /// `sl_reply_error` through the transaction, if there is one.
    send_reply_error() -> Int = |_| {
        let core = scope::core();
        scope::with(|c| core.sl_reply_error(c)).into()
    };
    /// Forwards a response by its Via, as the engine does when its routes have ended.
    sl_forward_reply(code: Str, reason: Str) -> Int = |_| {
        let core = scope::core();
        scope::with(|c| core.sl_forward_reply(c)).into()
    };
}
