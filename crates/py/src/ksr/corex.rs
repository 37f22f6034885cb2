//! `KSR.corex`: more of the core (Kamailio's module corex).

use sipwright_engine::log::{self, level};
use sipwright_sip::script::corex;

use super::{Call, Out, ksr_table, on_context, read};
use crate::scope::{self, ThreadSlot};

fn send<'py>(call: &Call<'_, 'py>, uri: &str, socket: &str, data: &[u8]) -> Out<'py> {
    match scope::core().send_data(&ThreadSlot { py: call.py }, uri, socket, data) {
        Ok(()) => Out::Int(1),
        Err(why) => {
            log::log(level::ERR, &format!("{}: {why}", call.function.qualified));
            Out::Int(-1)
        }
    }
}

ksr_table! { "corex";
    /// Whether the request-URI has a user part.
    has_ruri_user() -> Int = |_| read(|x| corex::has_ruri_user(x).into());
    /// Whether there is a User-Agent with a value.
    has_user_agent() -> Int = |_| read(|x| corex::has_user_agent(x).into());
    /// Whether the message is a made-up one, as in `mod_init` and `child_init`.
    is_faked_msg() -> Int = |_| read(|x| corex::is_faked_msg(x).into());
    /// Adds the request-URI in force as a further destination, which takes next hop, path and flags along.
    append_branch() -> Int = |c| on_context(c, corex::append_branch);
    /// Adds a further destination.
    append_branch_uri(uri: Str) -> Int = |c| on_context(c, |x| corex::append_branch_uri(x, c.bytes(0)));
    /// Adds a further destination with a q of `0` to `1`.
    append_branch_uri_q(uri: Str, q: Str) -> Int = |c| {
        on_context(c, |x| corex::append_branch_uri_q(x, c.bytes(0), c.bytes(1)))
    };
    /// Sets one of 64 extended message flags, kept by the transaction.
    setxflag(flag: Int) -> Int = |c| on_context(c, |x| corex::setxflag(x, c.int(0)));
    /// Clears an extended message flag.
    resetxflag(flag: Int) -> Int = |c| on_context(c, |x| corex::resetxflag(x, c.int(0)));
    /// Whether an extended message flag is set.
    isxflagset(flag: Int) -> Int = |c| read(|x| corex::isxflagset(x, c.int(0)).into());
    /// Whether our own Via names this server's number, `server_id`: 1 or 0.
    via_add_srvid(on: Int) -> Int = |c| on_context(c, |x| corex::via_add_srvid(x, c.int(0)));
    /// Whether our own Via has the fields of the extended AVP of `xavp_via_params` as parameters: 1 or 0.
    via_add_xavp_params(on: Int) -> Int = |c| on_context(c, |x| corex::via_add_xavp_params(x, c.int(0)));
    /// Whether our own Via has host and port from the fields `address` and `port` of the extended AVP of `xavp_via_fields`: 1 or 0.
    via_use_xavp_fields(on: Int) -> Int = |c| on_context(c, |x| corex::via_use_xavp_fields(x, c.int(0)));
    /// Sends bytes to where the URI leads.
    send_data(uri: Str, data: Str) -> Int = |c| send(c, c.str(0), "", c.bytes(1));
    /// Sends bytes to where the URI leads, from the socket `proto:host:port`.
    sendx(uri: Str, socket: Str, data: Str) -> Int = |c| send(c, c.str(0), c.str(1), c.bytes(2));
    /// Whether a listening socket has that name.
    is_socket_name(name: Str) -> Int = |c| read(|x| corex::is_socket_name(x, c.bytes(0)).into());
    /// Sends from the socket `proto:host:port`. As in Kamailio one that does not exist is logged and no error.
    set_send_socket(socket: Str) -> Int = |c| on_context(c, |x| corex::set_send_socket(x, c.bytes(0)));
    /// Sends from the socket of that name. One that does not exist is logged and no error.
    set_send_socket_name(name: Str) -> Int = |c| on_context(c, |x| corex::set_send_socket_name(x, c.bytes(0)));
    /// Takes the message as received on the socket `proto:host:port`.
    set_recv_socket(socket: Str) -> Int = |c| on_context(c, |x| corex::set_recv_socket(x, c.bytes(0)));
    /// Takes the message as received on the socket of that name.
    set_recv_socket_name(name: Str) -> Int = |c| on_context(c, |x| corex::set_recv_socket_name(x, c.bytes(0)));
    /// Takes the message as received from `proto:address:port`.
    set_source_address(address: Str) -> Int = |c| on_context(c, |x| corex::set_source_address(x, c.bytes(0)));
}
