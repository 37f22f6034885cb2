//! Which builtins the recording shows: those that answer, forward, change the message or
//! decide where it goes. Functions that only look are called too often and tell little.

/// Whether a function has an effect.
pub const fn has(module: &str, name: &str) -> bool {
    let name = name.as_bytes();
    match module.as_bytes() {
        b"sl" | b"path" | b"websocket" | b"hdr" => !looks(name),
        b"registrar" => true,
        b"xhttp" => matches!(name, b"xhttp_reply"),
        b"tm" | b"tmx" | b"rr" | b"textops" | b"textopsx" | b"nathelper" | b"uac" => acts(name),
        b"core" => core(name),
        b"corex" => matches!(
            name,
            b"append_branch"
                | b"append_branch_uri"
                | b"append_branch_uri_q"
                | b"set_send_socket"
                | b"set_send_socket_name"
        ),
        b"pvx" => matches!(
            name,
            b"sbranch_append" | b"sbranch_set_ruri" | b"xavp_push_dst"
        ),
        _ => false,
    }
}

const fn core(name: &[u8]) -> bool {
    matches!(
        name,
        b"seturi"
            | b"setuser"
            | b"sethost"
            | b"setdsturi"
            | b"resetdsturi"
            | b"set_drop"
            | b"set_advertised_address"
            | b"set_advertised_port"
            | b"add_tcp_alias"
            | b"add_tcp_alias_via"
            | b"forward"
            | b"forward_uri"
            | b"set_reply_close"
            | b"set_forward_close"
            | b"set_reply_no_connect"
            | b"set_forward_no_connect"
    )
}

const ACTIONS: &[&[u8]] = &[
    // tm, tmx
    b"t_relay",
    b"t_reply",
    b"t_send_reply",
    b"t_replicate",
    b"t_release",
    b"t_newtran",
    b"t_on_",
    b"t_uac_send",
    b"t_load_contacts",
    b"t_next_contact",
    b"ki_t_load",
    b"t_drop",
    b"t_cancel_",
    b"t_suspend",
    b"t_continue",
    b"t_retransmit",
    b"t_set_",
    b"t_reuse_branch",
    // rr
    b"record_route",
    b"remove_record_route",
    b"add_rr_param",
    b"loose_route",
    b"next_hop_route",
    // textops, textopsx
    b"remove_",
    b"replace",
    b"subst",
    b"set_",
    b"search_append",
    b"msg_",
    b"change_reply",
    b"append_hf",
    b"insert_hf",
    b"assign_hf",
    b"exclude_hf",
    // nathelper, uac
    b"add_",
    b"fix_nated",
    b"handle_ruri_alias",
    b"uac_re",
];

/// Whether the name begins as one of those that act.
const fn acts(name: &[u8]) -> bool {
    let mut i = 0;
    while i < ACTIONS.len() {
        if begins(name, ACTIONS[i]) {
            return true;
        }
        i += 1;
    }
    false
}

const fn looks(name: &[u8]) -> bool {
    begins(name, b"get") || begins(name, b"is_") || begins(name, b"match_")
}

const fn begins(name: &[u8], prefix: &[u8]) -> bool {
    if name.len() < prefix.len() {
        return false;
    }
    let mut i = 0;
    while i < prefix.len() {
        if name[i] != prefix[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn what_acts_is_recorded_and_what_looks_is_not() {
        for (module, name) in [
            ("tm", "t_relay"),
            ("tm", "t_relay_to_proxy"),
            ("sl", "send_reply"),
            ("rr", "loose_route"),
            ("core", "seturi"),
            ("hdr", "append"),
            ("textops", "remove_hf"),
            ("tmx", "t_suspend"),
            ("tm", "t_on_failure"),
        ] {
            assert!(has(module, name), "{module}.{name}");
        }
        for (module, name) in [
            ("tm", "t_check_trans"),
            ("tm", "t_is_set"),
            ("tm", "t_get_status_code"),
            ("hdr", "gete"),
            ("hdr", "is_present"),
            ("rr", "is_direction"),
            ("core", "is_INVITE"),
            ("pv", "get"),
            ("siputils", "has_totag"),
            ("textops", "search"),
            ("xlog", "xdbg"),
            ("kx", "get_ruri"),
            ("maxfwd", "process_maxfwd"),
            ("core", "force_rport"),
        ] {
            assert!(!has(module, name), "{module}.{name}");
        }
    }
}
