//! Functions of Kamailio's core: `KSR.info`, `KSR.is_INVITE`, flags, URIs, forwarding.

use sipwright_engine::log::{self, level};
use sipwright_engine::route;
use sipwright_sip::script::{Context, core, myself, ruri};
use sipwright_sip::types::Proto;

use super::{Call, Out, ksr_table};
use crate::scope::{self, ThreadSlot};

fn write_log<'py>(level: i32, text: &str) -> Out<'py> {
    log::log(level, text);
    Out::Void
}

/// Levels by the names that `KSR.log` knows.
pub fn level_of(name: &str) -> i32 {
    match name.trim_start_matches("L_").to_ascii_lowercase().as_str() {
        "alert" => level::ALERT,
        "crit" => level::CRIT,
        "err" | "error" => level::ERR,
        "warn" | "warning" => level::WARN,
        "notice" => level::NOTICE,
        "info" => level::INFO,
        _ => level::DBG,
    }
}

fn named<'py>(method: &[u8]) -> Out<'py> {
    scope::with(|c| core::is_named(&c.ctx, method)).into()
}

fn yes<'py>(test: impl FnOnce(&Context) -> bool) -> Out<'py> {
    scope::with(|c| test(&c.ctx)).into()
}

/// Runs a function that changes the context, and logs what it complains about.
fn change<'py, T: Into<Out<'py>>>(
    call: &Call<'_, 'py>,
    f: impl FnOnce(&mut Context) -> T,
) -> Out<'py> {
    super::on_context(call, f)
}

fn forward<'py>(call: &Call<'_, 'py>, to: Option<&str>) -> Out<'py> {
    let hop = match to.map(|uri| route::next_hop(uri.as_bytes())) {
        None => None,
        Some(Ok(hop)) => Some(hop),
        Some(Err(error)) => {
            log::log(level::ERR, &format!("KSR.forward_uri: {error}"));
            return Out::Int(-1);
        }
    };
    scope::core()
        .forward_stateless(&ThreadSlot { py: call.py }, hop)
        .into()
}

ksr_table! { "core";
    /// Logs the text at level alert.
    alert(text: Str) -> None = |c| write_log(level::ALERT, c.str(0));
    /// Logs the text at level crit.
    crit(text: Str) -> None = |c| write_log(level::CRIT, c.str(0));
    /// Logs the text at level err.
    err(text: Str) -> None = |c| write_log(level::ERR, c.str(0));
    /// Logs the text at level warn.
    warn(text: Str) -> None = |c| write_log(level::WARN, c.str(0));
    /// Logs the text at level notice.
    notice(text: Str) -> None = |c| write_log(level::NOTICE, c.str(0));
    /// Logs the text at level info.
    info(text: Str) -> None = |c| write_log(level::INFO, c.str(0));
    /// Logs the text at level dbg.
    dbg(text: Str) -> None = |c| write_log(level::DBG, c.str(0));
    /// Logs the text at the named level: alert, crit, err, warn, notice, info or dbg.
    log(level: Str, text: Str) -> None = |c| write_log(level_of(c.str(0)), c.str(1));
    /// The highest log level written (Kamailio's `debug`).
    get_debug() -> Int = |_| i64::from(log::current_level()).into();
    /// Whether the method is INVITE (of CSeq, for a response).
    is_INVITE() -> Bool = |_| named(b"INVITE");
    /// Whether the method is ACK (of CSeq, for a response).
    is_ACK() -> Bool = |_| named(b"ACK");
    /// Whether the method is BYE (of CSeq, for a response).
    is_BYE() -> Bool = |_| named(b"BYE");
    /// Whether the method is CANCEL (of CSeq, for a response).
    is_CANCEL() -> Bool = |_| named(b"CANCEL");
    /// Whether the method is OPTIONS (of CSeq, for a response).
    is_OPTIONS() -> Bool = |_| named(b"OPTIONS");
    /// Whether the method is REGISTER (of CSeq, for a response).
    is_REGISTER() -> Bool = |_| named(b"REGISTER");
    /// Whether the method is MESSAGE (of CSeq, for a response).
    is_MESSAGE() -> Bool = |_| named(b"MESSAGE");
    /// Whether the method is NOTIFY (of CSeq, for a response).
    is_NOTIFY() -> Bool = |_| named(b"NOTIFY");
    /// Whether the method is REFER (of CSeq, for a response).
    is_REFER() -> Bool = |_| named(b"REFER");
    /// Whether the method is KDMQ (of CSeq, for a response).
    is_KDMQ() -> Bool = |_| named(b"KDMQ");
    /// Whether the method is DELETE (of CSeq, for a response).
    is_DELETE() -> Bool = |_| named(b"DELETE");
    /// Whether the method is GET (of CSeq, for a response).
    is_GET() -> Bool = |_| named(b"GET");
    /// Whether the method is INFO (of CSeq, for a response).
    is_INFO() -> Bool = |_| named(b"INFO");
    /// Whether the method is POST (of CSeq, for a response).
    is_POST() -> Bool = |_| named(b"POST");
    /// Whether the method is PRACK (of CSeq, for a response).
    is_PRACK() -> Bool = |_| named(b"PRACK");
    /// Whether the method is PUBLISH (of CSeq, for a response).
    is_PUBLISH() -> Bool = |_| named(b"PUBLISH");
    /// Whether the method is PUT (of CSeq, for a response).
    is_PUT() -> Bool = |_| named(b"PUT");
    /// Whether the method is SUBSCRIBE (of CSeq, for a response).
    is_SUBSCRIBE() -> Bool = |_| named(b"SUBSCRIBE");
    /// Whether the method is UPDATE (of CSeq, for a response).
    is_UPDATE() -> Bool = |_| named(b"UPDATE");
    /// Whether the method is one of those named, as in `INVITE|ACK`.
    is_method(names: Str) -> Bool = |c| yes(|x| core::is_method(x, c.bytes(0)));
    /// Whether the method is one of these letters: I INVITE, A ACK, C CANCEL, B BYE, O OPTIONS, R REGISTER, E PRACK, S SUBSCRIBE, N NOTIFY, P PUBLISH, F REFER, M MESSAGE, U UPDATE.
    is_method_in(letters: Str) -> Bool = |c| yes(|x| core::is_method_in(x, c.bytes(0)));
    /// Whether the message came over UDP.
    is_UDP() -> Bool = |_| yes(|x| core::is_transport(x, Proto::Udp));
    /// Whether the message leaves over UDP (onsend route).
    to_UDP() -> Bool = |_| yes(|x| core::to_transport(x, Proto::Udp));
    /// Whether the message came over TCP.
    is_TCP() -> Bool = |_| yes(|x| core::is_transport(x, Proto::Tcp));
    /// Whether the message leaves over TCP (onsend route).
    to_TCP() -> Bool = |_| yes(|x| core::to_transport(x, Proto::Tcp));
    /// Whether the message came over TLS.
    is_TLS() -> Bool = |_| yes(|x| core::is_transport(x, Proto::Tls));
    /// Whether the message leaves over TLS (onsend route).
    to_TLS() -> Bool = |_| yes(|x| core::to_transport(x, Proto::Tls));
    /// Whether the message came over WS.
    is_WS() -> Bool = |_| yes(|x| core::is_transport(x, Proto::Ws));
    /// Whether the message leaves over WS (onsend route).
    to_WS() -> Bool = |_| yes(|x| core::to_transport(x, Proto::Ws));
    /// Whether the message came over WSS.
    is_WSS() -> Bool = |_| yes(|x| core::is_transport(x, Proto::Wss));
    /// Whether the message leaves over WSS (onsend route).
    to_WSS() -> Bool = |_| yes(|x| core::to_transport(x, Proto::Wss));
    /// Whether the message came over SCTP: never, SCTP is not supported.
    is_SCTP() -> Bool = |_| Out::Bool(false);
    /// Whether the message leaves over SCTP: never, SCTP is not supported.
    to_SCTP() -> Bool = |_| Out::Bool(false);
    /// Whether the message came over a stream: TCP, TLS or WebSocket.
    is_TCPX() -> Bool = |_| yes(core::is_tcpx);
    /// Whether the message came over WebSocket, secure or not.
    is_WSX() -> Bool = |_| yes(core::is_wsx);
    /// Whether the message leaves over WebSocket, secure or not (onsend route).
    to_WSX() -> Bool = |_| yes(core::to_wsx);
    /// Whether the message came over one of the transports with these letters: u UDP, t TCP, e TLS, w WS, v WSS.
    is_proto(letters: Str) -> Bool = |c| yes(|x| core::is_proto(x, c.bytes(0)));
    /// Whether the message came over IPv4.
    is_IPv4() -> Bool = |_| yes(core::is_ipv4);
    /// Whether the message leaves over IPv4 (onsend route).
    to_IPv4() -> Bool = |_| yes(core::to_ipv4);
    /// Whether the message came over IPv6.
    is_IPv6() -> Bool = |_| yes(core::is_ipv6);
    /// Whether the message leaves over IPv6 (onsend route).
    to_IPv6() -> Bool = |_| yes(core::to_ipv6);
    /// Whether the sender's port is this one.
    is_src_port(port: Int) -> Bool = |c| yes(|x| core::is_src_port(x, c.int(0)));
    /// Whether the port of our socket is this one.
    is_dst_port(port: Int) -> Bool = |c| yes(|x| core::is_dst_port(x, c.int(0)));
    /// Sets message flag 0 to 31, kept by the transaction.
    setflag(flag: Int) -> Bool = |c| change(c, |x| core::setflag(x, c.int(0)));
    /// Clears a message flag.
    resetflag(flag: Int) -> Bool = |c| change(c, |x| core::resetflag(x, c.int(0)));
    /// Sets a script flag 0 to 31, for this run only.
    setsflag(flag: Int) -> Bool = |c| change(c, |x| core::setsflag(x, c.int(0)));
    /// Clears a script flag.
    resetsflag(flag: Int) -> Bool = |c| change(c, |x| core::resetsflag(x, c.int(0)));
    /// Sets a flag of the main branch.
    setbflag(flag: Int) -> Bool = |c| change(c, |x| core::setbflag(x, c.int(0)));
    /// Clears a flag of the main branch.
    resetbflag(flag: Int) -> Bool = |c| change(c, |x| core::resetbflag(x, c.int(0)));
    /// Whether a message flag is set.
    isflagset(flag: Int) -> Bool = |c| yes(|x| core::isflagset(x, c.int(0)));
    /// Whether a script flag is set.
    issflagset(flag: Int) -> Bool = |c| yes(|x| core::issflagset(x, c.int(0)));
    /// Whether a flag of the main branch is set.
    isbflagset(flag: Int) -> Bool = |c| yes(|x| core::isbflagset(x, c.int(0)));
    /// Sets a flag of a branch by its index, 0 for the main one.
    setbiflag(flag: Int, branch: Int) -> Bool = |c| change(c, |x| core::setbiflag(x, c.int(0), c.int(1)));
    /// Clears a flag of a branch by its index.
    resetbiflag(flag: Int, branch: Int) -> Bool = |c| change(c, |x| core::resetbiflag(x, c.int(0), c.int(1)));
    /// Whether a flag of a branch is set.
    isbiflagset(flag: Int, branch: Int) -> Bool = |c| yes(|x| core::isbiflagset(x, c.int(0), c.int(1)));
    /// Whether host, host:port or proto:host:port names this server.
    is_myself(uri: Str) -> Bool = |c| yes(|x| myself::is_myself(x, c.bytes(0)));
    /// Whether the request-URI names this server.
    is_myself_ruri() -> Bool = |_| yes(myself::is_myself_ruri);
    /// Whether the From URI names this server.
    is_myself_furi() -> Bool = |_| yes(myself::is_myself_furi);
    /// Whether the To URI names this server.
    is_myself_turi() -> Bool = |_| yes(myself::is_myself_turi);
    /// Whether the destination URI names this server.
    is_myself_duri() -> Bool = |_| yes(myself::is_myself_duri);
    /// Whether the next hop names this server.
    is_myself_nhuri() -> Bool = |_| yes(myself::is_myself_nhuri);
    /// Whether the sender's address and port names this server.
    is_myself_suri() -> Bool = |_| yes(myself::is_myself_suri);
    /// Whether the sender's address names this server.
    is_myself_srcip() -> Bool = |_| yes(myself::is_myself_srcip);
    /// Sets the request-URI.
    seturi(text: Str) -> Bool = |c| change(c, |x| ruri::seturi(x, c.bytes(0)));
    /// Sets the user of the request-URI.
    setuser(text: Str) -> Bool = |c| change(c, |x| ruri::setuser(x, c.bytes(0)));
    /// Sets the host of the request-URI.
    sethost(text: Str) -> Bool = |c| change(c, |x| ruri::sethost(x, c.bytes(0)));
    /// Sets the next hop. What was tried is not tried again by that, as it is by `$du = ..`.
    setdsturi(text: Str) -> Bool = |c| change(c, |x| ruri::setdsturi(x, c.bytes(0)));
    /// Forgets the next hop.
    resetdsturi() -> Bool = |c| change(c, ruri::resetdsturi);
    /// Whether a next hop is set.
    isdsturiset() -> Bool = |_| yes(ruri::isdsturiset);
    /// Answers to the sender's port whatever its Via asks (RFC 3581).
    force_rport() -> Bool = |c| change(c, core::force_rport);
    /// Asks for rport in our own Via.
    add_local_rport() -> Bool = |c| change(c, core::add_local_rport);
    /// Closes the connection after the final reply.
    set_reply_close() -> Bool = |c| change(c, core::set_reply_close);
    /// Opens no connection for the reply where that of the request is gone.
    set_reply_no_connect() -> Bool = |c| change(c, core::set_reply_no_connect);
    /// Closes the connection after the forwarded request.
    set_forward_close() -> Bool = |c| change(c, core::set_forward_close);
    /// Opens no connection to forward the request: without one the branch fails.
    set_forward_no_connect() -> Bool = |c| change(c, core::set_forward_no_connect);
    /// Drops the message in reply and branch routes, in the onsend route a request.
    set_drop() -> None = |c| change(c, core::set_drop);
    /// Sets the host of our Via for this message.
    set_advertised_address(host: Str) -> Int = |c| change(c, |x| core::set_advertised_address(x, c.bytes(0)));
    /// Sets the port of our Via for this message.
    set_advertised_port(port: Str) -> Int = |c| change(c, |x| core::set_advertised_port(x, c.bytes(0)));
    /// Uses the connection for messages to that port of the peer too (RFC 5923); -1 if another one is there for it.
    add_tcp_alias(port: Int) -> Int = |c| {
        let core = scope::core();
        change(c, |x| core.add_tcp_alias(x, Some(c.int(0))))
    };
    /// As `add_tcp_alias` with the port of the top Via.
    add_tcp_alias_via() -> Int = |c| {
        let core = scope::core();
        change(c, |x| core.add_tcp_alias(x, None))
    };
    /// Forwards the message without a transaction (RFC 3261 section 16.11); 1 or -1.
    forward() -> Int = |c| forward(c, None);
    /// Forwards the message without a transaction to the next hop that the URI names.
    forward_uri(uri: Str) -> Int = |c| forward(c, Some(c.str(0)));
}
