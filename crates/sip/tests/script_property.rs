//! What must hold for any text that a script passes.

mod script_support;

use proptest::prelude::*;
use script_support::*;
use sipwright_sip::Message;
use sipwright_sip::script::pv::{self, Format, Spec};
use sipwright_sip::script::{
    Context, Substitution, Value, corex, forward, hdr, nathelper, path, rr, ruri, siputils,
    textops, textopsx,
};

/// Names, brackets and operators of variables in any order.
fn variable_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("$"),
        Just("$("),
        Just("("),
        Just(")"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("ru"),
        Just("fU"),
        Just("hdr"),
        Just("X-A"),
        Just("avp"),
        Just("x"),
        Just("=>"),
        Just("s.substr"),
        Just("s.select"),
        Just("uri.host"),
        Just("nameaddr.uri"),
        Just("param.value"),
        Just("re.subst"),
        Just("/"),
        Just("\\"),
        Just(","),
        Just("-1"),
        Just("*"),
        Just("0"),
        Just(" "),
        Just("xavp"),
        Just("T_req"),
        Just("cnt"),
        Just("_s"),
        Just("time"),
        Just("line.at"),
        Just("é"),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|v| v.concat())
}

/// Text that tries to leave its place in a message.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(&b"\r\n"[..]),
        Just(&b"\n"[..]),
        Just(&b"\r"[..]),
        Just(&b"\0"[..]),
        Just(&b"X: y"[..]),
        Just(&b"sip:a@b"[..]),
        Just(&b"<"[..]),
        Just(&b">"[..]),
        Just(&b"\""[..]),
        Just(&b";"[..]),
        Just(&b","[..]),
        Just(&b" "[..]),
        Just(&b"a"[..]),
        Just(&b":"[..]),
        Just(&b"@"[..]),
        Just(&b"\xff"[..]),
        Just(&b"lr"[..]),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|v| v.concat())
}

/// Every transformation, with arguments that fit and some that do not.
const TRANSFORMATIONS: &str = "s.len s.int s.numeric s.tolower s.toupper s.trim s.rtrim s.ltrim s.rmws s.quote \
    s.unquote s.unbracket s.encode.hexa s.decode.hexa s.encode.base58 s.decode.base58 s.encode.base64 s.decode.base64 \
    s.encode.base64t s.decode.base64t s.encode.base64url s.decode.base64url s.encode.base64urlt s.decode.base64urlt \
    s.encode.7bit s.decode.7bit s.md5 s.sha256 s.sha384 s.sha512 s.corehash s.corehash,7 s.prefixes s.prefixes,3 \
    s.prefixes.quoted s.escape.csv s.escape.common s.unescape.common s.escape.user s.unescape.user s.escape.param \
    s.unescape.param s.urlencode.param s.urldecode.param s.substr,1,2 s.substr,-9223372036854775808,9223372036854775807 \
    s.substr,9223372036854775807,1 s.select,-1,; s.select,-9223372036854775808,; s.strip,2 s.striptail,9999999999 \
    s.stripto,@ s.before,a s.after,a s.rbefore,a s.rafter,a s.count,; s.rm,a s.replace,a,bb s.fmtlines,1,9999999999 \
    s.fmtlinet,2,1 s.ftime,%Y-%m-%d-%s-%q uri.user uri.host uri.port uri.params uri.param,lr uri.headers uri.duri \
    uri.saor uri.suri uri.tosocket uri.lr param.value,a param.value,a,; param.count param.name,-1 param.valueat,1 \
    param.in,a nameaddr.name nameaddr.uri nameaddr.len tobody.uri tobody.tag tobody.display tobody.user tobody.host \
    tobody.params line.count line.at,-1 line.sw,a val.n0 val.ne urialias.encode urialias.decode re.subst,/a/b/g";

type Act = fn(&mut Context, &[u8]);

/// Everything that puts text of the script into a message.
const ACTS: &[Act] = &[
    |c, t| {
        let _ = hdr::append(c, t);
    },
    |c, t| {
        let _ = hdr::insert(c, t);
    },
    |c, t| {
        let _ = hdr::append_after(c, t, b"CSeq");
    },
    |c, t| {
        let _ = hdr::insert_before(c, t, b"To");
    },
    |c, t| {
        let _ = hdr::rmappend(c, b"X-A", t);
    },
    |c, t| {
        let _ = ruri::setuser(c, t);
    },
    |c, t| {
        let _ = ruri::sethost(c, t);
    },
    |c, t| {
        let _ = siputils::add_uri_param(c, t);
    },
    |c, t| {
        let _ = rr::record_route_params(c, t);
    },
    |c, t| {
        let _ = rr::record_route_preset(c, t, t);
    },
    |c, t| {
        let _ = rr::record_route_advertised_address(c, t);
    },
    |c, t| {
        let _ = rr::add_rr_param(c, t);
    },
    |c, t| {
        let _ = path::add_path_user_params(c, t, t);
    },
    |c, t| {
        let _ = textopsx::append_hf_value(c, b"Supported[0]", t);
    },
    |c, t| {
        let _ = textopsx::insert_hf_value(c, b"X-A", t);
    },
    |c, t| {
        let _ = textopsx::assign_hf_value(c, b"X-A", t);
    },
    |c, t| {
        let _ = textopsx::include_hf_value(c, b"Supported", t);
    },
    |c, t| {
        let _ = textopsx::append_hf_value(c, t, b"v");
    },
    |c, t| {
        let _ = textops::set_body(c, b"body", t);
    },
    |c, t| {
        let _ = sipwright_sip::script::core::set_advertised_address(c, t);
    },
    |c, t| {
        let _ = nathelper::add_contact_alias_addr(c, t, b"1", b"udp");
    },
    |c, t| {
        let _ = corex::set_source_address(c, t);
    },
    |c, t| set(c, b"$fu", t),
    |c, t| set(c, b"$fU", t),
    |c, t| set(c, b"$fn", t),
    |c, t| set(c, b"$td", t),
    |c, t| set(c, b"$rU", t),
    |c, t| set(c, b"$rp", t),
    |c, t| set(c, b"$fs", t),
];

fn set(ctx: &mut Context, name: &[u8], text: &[u8]) {
    pv::set(ctx, &Spec::parse(name).unwrap(), Value::borrowed(text));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn transformations_take_any_bytes(text in prop_oneof![hostile(), prop::collection::vec(any::<u8>(), 0..80)]) {
        let mut c = ctx(INVITE);
        c.vars.set(b"x", Value::owned(text));
        for name in TRANSFORMATIONS.split_whitespace() {
            let spec = Spec::parse(format!("$(var(x){{{name}}})").as_bytes());
            prop_assert!(spec.is_ok(), "{name}");
            if let Ok(spec) = spec {
                let _ = pv::get(&c, &spec).text();
            }
        }
    }

    #[test]
    fn codes_are_undone(text in prop::collection::vec(any::<u8>(), 1..60)) {
        let mut c = ctx(INVITE);
        c.vars.set(b"x", Value::owned(text.clone()));
        for code in ["hexa", "base58", "base64", "base64t", "base64url", "base64urlt"] {
            let name = format!("$(var(x){{s.encode.{code}}}{{s.decode.{code}}})");
            let spec = Spec::parse(name.as_bytes()).expect("a variable");
            let undone = pv::get(&c, &spec).text().map(|t| t.to_vec());
            prop_assert_eq!(undone, Some(text.clone()), "{}", code);
        }
    }

    #[test]
    fn any_text_parses_or_is_refused(text in variable_like()) {
        let c = ctx(INVITE);
        if let Ok(spec) = Spec::parse(text.as_bytes()) {
            let _ = pv::get(&c, &spec).into_owned();
            let mut c = ctx(INVITE);
            pv::set(&mut c, &spec, Value::borrowed(b"x"));
            pv::set(&mut c, &spec, Value::Int(1));
            pv::set(&mut c, &spec, Value::Null);
        }
        if let Ok(format) = Format::parse(text.as_bytes()) {
            let _ = format.eval(&c);
        }
        let _ = Substitution::parse(text.as_bytes()).map(|s| s.apply(&c, text.as_bytes()));
    }

    /// No text of a script makes more header fields than it says, or another body.
    #[test]
    fn what_leaves_keeps_its_shape(
        acts in prop::collection::vec((0..ACTS.len(), hostile()), 1..5)
    ) {
        let mut c = ctx(INVITE);
        for (act, text) in &acts {
            ACTS[*act](&mut c, text);
        }
        let socket = c.env.sockets[1].clone();
        let bytes = forward::build_branch(&c, &socket, "z9hG4bKnew", &forward::main_branch(&c));
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let msg = Message::parse(bytes.into());
        prop_assert!(msg.is_ok(), "{:?} in {head}", msg.err().map(|e| e.reason));
        let msg = msg.unwrap();
        prop_assert!(msg.body() == b"v=0\r\n" || msg.body() == b"body", "{head}");
        prop_assert_eq!(msg.call_id(), b"cid-1");
        prop_assert_eq!(msg.from_tag(), Some(&b"ft1"[..]));
    }

    #[test]
    fn shell_patterns_of_one_star_agree_with_search(text in "[ab]{0,12}", part in "[ab]{0,4}") {
        let pattern = format!("*{part}*");
        let found = textopsx::fnmatch(text.as_bytes(), pattern.as_bytes()) == 0;
        prop_assert_eq!(found, text.contains(&part));
    }
}
