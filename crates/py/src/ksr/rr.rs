//! `KSR.rr`: Record-Route and loose routing (Kamailio's module rr).

use sipwright_sip::script::rr;

use sipwright_sip::script::Context;

use super::{Call, Out, hooks, ksr_table, on_context};

/// Runs a form of `loose_route`, then what modules want done with requests of dialogs.
fn routed<'py>(call: &Call<'_, 'py>, route: impl FnOnce(&mut Context) -> i32) -> Out<'py> {
    match on_context(call, route) {
        Out::Int(result) => {
            if result > 0 {
                hooks::LOOSE_ROUTE.run(call.py);
            }
            Out::Int(result)
        }
        other => other,
    }
}

ksr_table! { "rr";
    /// Adds our Record-Route, one or two as the transports need; a second call for the same message fails.
    record_route() -> Int = |c| on_context(c, rr::record_route);
    /// As `record_route`, with `;name=value` parameters.
    record_route_params(params: Str) -> Int = |c| on_context(c, |x| rr::record_route_params(x, c.bytes(0)));
    /// As `record_route`, with host, port and parameters as given; `inner` is a second Record-Route below the first, empty for none.
    record_route_preset(outer: Str, inner: Str) -> Int = |c| {
        on_context(c, |x| rr::record_route_preset(x, c.bytes(0), c.bytes(1)))
    };
    /// As `record_route_preset` with one Record-Route.
    record_route_preset_one(outer: Str) -> Int = |c| {
        on_context(c, |x| rr::record_route_preset(x, c.bytes(0), b""))
    };
    /// As `record_route`, with this `host[:port]` instead of that of the sockets.
    record_route_advertised_address(address: Str) -> Int = |c| {
        on_context(c, |x| rr::record_route_advertised_address(x, c.bytes(0)))
    };
    /// Takes back what was recorded for this message.
    remove_record_route() -> Int = |c| on_context(c, rr::remove_record_route);
    /// Adds `;name=value` to the Record-Route, before or after `record_route`.
    add_rr_param(param: Str) -> Int = |c| on_context(c, |x| rr::add_rr_param(x, c.bytes(0)));
    /// Whether the parameters of our own Route, after `loose_route`, contain a match of the regular expression.
    check_route_param(pattern: Str) -> Int = |c| on_context(c, |x| rr::check_route_param(x, c.bytes(0)));
    /// Whether the request goes `upstream` or `downstream`, by the `ftag` that we recorded and the From tag; downstream without an `ftag`.
    is_direction(direction: Str) -> Int = |c| on_context(c, |x| rr::is_direction(x, c.bytes(0)));
    /// Takes our own Route off and sets the next hop: 1 routed, 2 over the flow of a client (module outbound), -1 no Route, -2 the token of a flow was changed, -3 outside of a dialog with no other Route than ours. The edits of the Route header fields show when the message leaves.
    loose_route() -> Int = |c| routed(c, rr::loose_route);
    /// As `loose_route`; mode 1 leaves a request-URI that names this server alone.
    loose_route_mode(mode: Int) -> Int = |c| routed(c, |x| rr::loose_route_mode(x, c.int(0)));
    /// As `loose_route`, only for requests outside of a dialog that have a Route.
    loose_route_preloaded() -> Int = |c| routed(c, rr::loose_route_preloaded);
    /// Sets the destination URI to the first Route that does not name this server, and edits nothing.
    next_hop_route() -> Int = |c| on_context(c, rr::next_hop_route);
}
