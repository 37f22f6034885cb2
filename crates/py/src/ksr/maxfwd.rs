//! `KSR.maxfwd`: Max-Forwards (Kamailio's module maxfwd).

use sipwright_sip::script::maxfwd;

use super::{ksr_table, on_context};

ksr_table! { "maxfwd";
    /// Counts Max-Forwards down, or adds it with `initial`: 1 counted down, 2 added, -1 no hop left, -2 malformed. A count above the configured limit becomes the limit.
    process_maxfwd(initial: Int) -> Int = |c| on_context(c, |x| maxfwd::process_maxfwd(x, c.int(0)));
    /// Whether Max-Forwards is lower than `limit`; -2 without the header field, -3 when it is malformed.
    is_maxfwd_lt(limit: Int) -> Int = |c| on_context(c, |x| maxfwd::is_maxfwd_lt(x, c.int(0)));
}
