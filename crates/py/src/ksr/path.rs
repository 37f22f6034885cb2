//! `KSR.path`: Path (RFC 3327) (Kamailio's module path).

use sipwright_sip::script::path;

use super::{ksr_table, on_context};

ksr_table! { "path";
    /// Adds a Path header field with our socket (RFC 3327).
    add_path() -> Int = |c| on_context(c, path::add_path);
    /// As `add_path`, with a user part.
    add_path_user(user: Str) -> Int = |c| on_context(c, |x| path::add_path_user(x, c.bytes(0)));
    /// As `add_path`, with a user part and `;name=value` parameters.
    add_path_user_params(user: Str, params: Str) -> Int = |c| {
        on_context(c, |x| path::add_path_user_params(x, c.bytes(0), c.bytes(1)))
    };
    /// As `add_path`, with the source address in `;received=`.
    add_path_received() -> Int = |c| on_context(c, path::add_path_received);
    /// As `add_path`, with `host[:port]` instead of our socket.
    add_path_advertised_address(address: Str) -> Int = |c| {
        on_context(c, |x| path::add_path_advertised_address(x, c.bytes(0), b"", false, b""))
    };
    /// As `add_path_advertised_address`, with a user part.
    add_path_advertised_address_user(address: Str, user: Str) -> Int = |c| {
        on_context(c, |x| path::add_path_advertised_address(x, c.bytes(0), c.bytes(1), false, b""))
    };
    /// As `add_path_advertised_address`, with a user part and `;name=value` parameters.
    add_path_advertised_address_user_params(address: Str, user: Str, params: Str) -> Int = |c| {
        on_context(c, |x| path::add_path_advertised_address(x, c.bytes(0), c.bytes(1), false, c.bytes(2)))
    };
    /// As `add_path_received`, with `host[:port]` instead of our socket.
    add_path_received_advertised_address(address: Str) -> Int = |c| {
        on_context(c, |x| path::add_path_advertised_address(x, c.bytes(0), b"", true, b""))
    };
    /// As `add_path_received_advertised_address`, with a user part.
    add_path_received_advertised_address_user(address: Str, user: Str) -> Int = |c| {
        on_context(c, |x| path::add_path_advertised_address(x, c.bytes(0), c.bytes(1), true, b""))
    };
    /// As `add_path_received_advertised_address`, with a user part and `;name=value` parameters.
    add_path_received_advertised_address_user_params(address: Str, user: Str, params: Str) -> Int = |c| {
        on_context(c, |x| path::add_path_advertised_address(x, c.bytes(0), c.bytes(1), true, c.bytes(2)))
    };
    /// As `add_path_received`, with a user part.
    add_path_received_user(user: Str) -> Int = |c| on_context(c, |x| path::add_path_received_user(x, c.bytes(0)));
    /// As `add_path_received`, with a user part and `;name=value` parameters.
    add_path_received_user_params(user: Str, params: Str) -> Int = |c| {
        on_context(c, |x| path::add_path_received_user_params(x, c.bytes(0), c.bytes(1)))
    };
}
