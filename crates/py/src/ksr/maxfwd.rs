//! `KSR.maxfwd`: Max-Forwards (Kamailio's module maxfwd).

use sipwright_sip::script::maxfwd;

use super::{ksr_table, on_context};

ksr_table! { "maxfwd";
    /// Counts down, or adds the header field with `initial`.  1 when counted down, 2 when added, -1 when no hop is left, -2 when it is malformed. A count above the configured limit becomes the limit. `$hdr(Max-Forwards)` shows the new count at once.
    process_maxfwd(initial: Int) -> Int = |c| on_context(c, |x| maxfwd::process_maxfwd(x, c.int(0)));
    /// Whether fewer hops are left. -2 without the header field, -3 when it is malformed.
    is_maxfwd_lt(limit: Int) -> Int = |c| on_context(c, |x| maxfwd::is_maxfwd_lt(x, c.int(0)));
}
