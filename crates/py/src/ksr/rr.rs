//! `KSR.rr`: Record-Route and loose routing (Kamailio's module rr).

use sipwright_sip::script::rr;

use super::{ksr_table, on_context};

ksr_table! { "rr";
    /// A second call for the same message fails.
    record_route() -> Int = |c| on_context(c, |x| rr::record_route(x));
    /// With `;name=value` parameters of its own.
    record_route_params(params: Str) -> Int = |c| on_context(c, |x| rr::record_route_params(x, c.bytes(0)));
    /// Host, port and parameters as given. `inner` is a second Record-Route below the first, empty for none.
    record_route_preset(outer: Str, inner: Str) -> Int = |c| {
        on_context(c, |x| rr::record_route_preset(x, c.bytes(0), c.bytes(1)))
    };
    /// `host[:port]` instead of that of the sockets.
    record_route_advertised_address(address: Str) -> Int = |c| {
        on_context(c, |x| rr::record_route_advertised_address(x, c.bytes(0)))
    };
    /// Takes back what was recorded for this message.
    remove_record_route() -> Int = |c| on_context(c, |x| rr::remove_record_route(x));
    /// `;name=value` for the Record-Route, before or after `record_route`.
    add_rr_param(param: Str) -> Int = |c| on_context(c, |x| rr::add_rr_param(x, c.bytes(0)));
    /// Whether the parameters of our own Route, after `loose_route`, contain a match of the regular expression.
    check_route_param(pattern: Str) -> Int = |c| on_context(c, |x| rr::check_route_param(x, c.bytes(0)));
    /// `upstream` or `downstream`, by comparing the `ftag` that we recorded with the From tag. Without an `ftag` the direction is downstream.
    is_direction(direction: Str) -> Int = |c| on_context(c, |x| rr::is_direction(x, c.bytes(0)));
    /// Takes our own Route off and sets the next hop.  1 when the request is routed; -1 when it has no Route; -3 when it is outside of a dialog and had no other Route than ours. Edits of the Route header fields show when the message leaves; request-URI and destination URI change at once.
    loose_route() -> Int = |c| on_context(c, |x| rr::loose_route(x));
    /// Mode 1 leaves a request-URI that names this server alone.
    loose_route_mode(mode: Int) -> Int = |c| on_context(c, |x| rr::loose_route_mode(x, c.int(0)));
    /// Only for requests outside of a dialog with a Route.
    loose_route_preloaded() -> Int = |c| on_context(c, |x| rr::loose_route_preloaded(x));
    /// Sets the destination URI to the first Route that does not name this server, and edits nothing.
    next_hop_route() -> Int = |c| on_context(c, |x| rr::next_hop_route(x));
}
