//! `KSR.nathelper`: NAT traversal of signalling (Kamailio's module nathelper).

use sipwright_sip::script::{nat_sdp, nathelper};

use super::{ksr_table, on_context, read};

ksr_table! { "nathelper";
    /// 1 when one of the tests says NAT, else -1; the bits of `tests` are Kamailio's, 1 to 256.
    nat_uac_test(tests: Int) -> Int = |c| read(|x| nathelper::nat_uac_test(x, c.int(0)).into());
    /// 1 for a private IPv4 address, else -1.
    is_rfc1918(address: Str) -> Int = |c| read(|x| nathelper::is_rfc1918(x, c.bytes(0)).into());
    /// Adds `;alias=address~port~transport` of the source to contacts that have none, visible at once. -1 when there is no contact.
    set_contact_alias() -> Int = |c| on_context(c, nathelper::set_contact_alias);
    /// As `set_contact_alias`; blanks around the contact never get into the URI here.
    set_contact_alias_trim() -> Int = |c| on_context(c, nathelper::set_contact_alias_trim);
    /// As `set_contact_alias`, in the outgoing message only.
    add_contact_alias() -> Int = |c| on_context(c, nathelper::add_contact_alias);
    /// As `add_contact_alias`, with the given address, port and transport.
    add_contact_alias_addr(ip: Str, port: Str, proto: Str) -> Int = |c| {
        on_context(c, |x| nathelper::add_contact_alias_addr(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// Moves `;alias=` of the request-URI to the destination URI. 1 when it did, 2 when there is none, -1 when it is malformed.
    handle_ruri_alias() -> Int = |c| on_context(c, nathelper::handle_ruri_alias);
    /// As `handle_ruri_alias`; mode 1 takes the last alias instead of the first.
    handle_ruri_alias_mode(mode: Int) -> Int = |c| on_context(c, |x| nathelper::handle_ruri_alias_mode(x, c.int(0)));
    /// Changes SDP for a client behind NAT, the sum of: 1 `a=direction:active`, 2 the source address in `c=` and `a=rtcp`, 4 the line of `nathelper.nortpproxy_str`, 8 in `o=`. 1 when addresses were replaced, 2 when none were, -1 without SDP.
    fix_nated_sdp(flags: Int) -> Int = |c| on_context(c, |x| nat_sdp::fix_nated_sdp(x, c.int(0), b""));
    /// As `fix_nated_sdp`, with the given address.
    fix_nated_sdp_ip(flags: Int, address: Str) -> Int = |c| {
        on_context(c, |x| nat_sdp::fix_nated_sdp(x, c.int(0), c.bytes(1)))
    };
    /// Puts the source address and port into the contacts. -1 when there is none.
    fix_nated_contact() -> Int = |c| on_context(c, nathelper::fix_nated_contact);
    /// Remembers the source as the address of the binding, for `registrar.save`.
    fix_nated_register() -> Int = |c| on_context(c, nathelper::fix_nated_register);
    /// Adds `;received='sip:source'` to the contacts; with `uri_param` not 0 into the URI.
    add_rcv_param(uri_param: Int) -> Int = |c| on_context(c, |x| nathelper::add_rcv_param(x, c.int(0)));
}
