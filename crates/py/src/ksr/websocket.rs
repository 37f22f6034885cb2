//! `KSR.websocket`: WebSocket clients (Kamailio's module websocket, RFC 7118).

use sipwright_sip::types::Proto;

use super::ksr_table;
use crate::scope;

/// Closes the connection of the message in work.
fn close<'py>(code: i64, reason: &str) -> super::Out<'py> {
    let flow = scope::with(|c| c.ctx.flow);
    match flow.proto {
        Proto::Ws | Proto::Wss => scope::core()
            .close_websocket(flow.conn, code, reason)
            .into(),
        _ => (-1).into(),
    }
}

ksr_table! { "websocket";
    /// Answers the HTTP request of the route of `xhttp:request` with 101 and makes its
    /// connection one of WebSocket: 1. What asks for something else is answered with 400 or 426
    /// and its connection closed: 0. -1 where there is no such request, or it was answered.
    handle_handshake() -> Int = |_| {
        let core = scope::core();
        scope::with(|c| core.handle_handshake(c)).into()
    };
    /// Closes the connection that the message came by, with status code 1000.
    close() -> Int = |_| close(1000, "Normal closure");
    /// Closes the connection that the message came by, with this status code and reason
    /// (RFC 6455 section 7.4).
    close_reason(status: Int, reason: Str) -> Int = |c| close(c.int(0), c.str(1));
    /// Closes the connection of that number, as `$ws_conid` gives it, with this status code and reason.
    close_conid(status: Int, reason: Str, con: Int) -> Int = |c| {
        let conn = u64::try_from(c.int(2)).unwrap_or(0);
        scope::core().close_websocket(conn, c.int(0), c.str(1)).into()
    };
}
