//! URIs, addresses and parameters.

use std::net::IpAddr;

use sipwright_sip::nameaddr::parse_nameaddr;
use sipwright_sip::params::unquote;
use sipwright_sip::types::Proto;
use sipwright_sip::uri::{Scheme, escape_user, host_ip, unescape, uri_eq};
use sipwright_sip::{ErrorKind, Params, Uri};

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn all_parts() {
    let u = uri("sip:user;x=y:pw@[::1]:5060;transport=tcp;lr?h=v&g=w");
    assert_eq!(u.scheme, Scheme::Sip);
    assert_eq!(u.user, Some(&b"user;x=y"[..]));
    assert_eq!(u.password, Some(&b"pw"[..]));
    assert_eq!(u.host, b"[::1]");
    assert_eq!(u.host_ip(), Some(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
    assert_eq!(u.port, Some(5060));
    assert_eq!(u.params, b"transport=tcp;lr");
    assert_eq!(u.headers, b"h=v&g=w");
    assert_eq!(u.transport(), Some(Proto::Tcp));
    assert!(u.lr() && u.is_sip() && !u.is_sips());
    assert_eq!(u.aor(), b"user;x=y@[::1]:5060");
}

#[test]
fn host_alone() {
    let u = uri("SIPS:example.com");
    assert_eq!((u.user, u.password, u.port), (None, None, None));
    assert!(u.is_sips() && u.params.is_empty() && u.headers.is_empty());
    assert_eq!(u.scheme_name, b"SIPS");
    assert_eq!(u.aor(), b"example.com");
}

#[test]
fn what_user_parts_may_hold() {
    // RFC 4475 sections 3.1.1.2 and 3.1.1.7, and what phones dial.
    for (text, user) in [
        (
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
        ),
        (
            "sip:user;par=u%40example.net@example.com",
            "user;par=u%40example.net",
        ),
        ("sip:*86#@example.com", "*86#"),
        ("sip:\u{43f}@example.com", "\u{43f}"),
    ] {
        assert_eq!(uri(text).user, Some(user.as_bytes()));
        assert_eq!(uri(text).host, b"example.com");
    }
    assert_eq!(uri("sip:a:@h").password, Some(&b""[..]));
}

#[test]
fn headers_without_parameters() {
    let u = uri("sip:h?Subject=a;b");
    assert_eq!((u.params, u.headers), (&b""[..], &b"Subject=a;b"[..]));
}

#[test]
fn other_schemes() {
    let tel = uri("tel:+1-201-555-0123;phone-context=example.com");
    assert_eq!(
        (tel.scheme, tel.user),
        (Scheme::Tel, Some(&b"+1-201-555-0123"[..]))
    );
    assert_eq!(tel.param(b"phone-context"), Some(&b"example.com"[..]));
    assert_eq!(tel.aor(), b"+1-201-555-0123");
    let other = uri("soap.beep://192.0.2.103:3002");
    assert_eq!(
        (other.scheme, other.scheme_name),
        (Scheme::Other, &b"soap.beep"[..])
    );
    assert_eq!(other.user, Some(&b"//192.0.2.103:3002"[..]));
}

#[test]
fn malformed() {
    for bad in [
        "",
        "sip",
        "sip:",
        ":x",
        "1sip:h",
        "si p:h",
        "sip:@h",
        "sip:a@",
        "sip:a@b@c",
        "sip:h:",
        "sip:h:x",
        "sip:h:70000",
        "sip:h:5060x",
        "sip:[::1",
        "sip:[]",
        "sip:[1.2.3.4]",
        "sip:[::1]x",
        "sip:a b@h",
        "<sip:h>",
        "sip:h\r\n",
        "sip:\"a\"@h",
        "sip:h\u{0}",
        "sip:h!",
        "tel:",
        "foo:",
    ] {
        let e = Uri::parse(bad.as_bytes()).expect_err(bad);
        assert_eq!(e.kind, ErrorKind::Uri);
    }
}

#[test]
fn default_ports() {
    for (text, port) in [
        ("sip:h", 5060),
        ("sip:h:7", 7),
        ("sips:h", 5061),
        ("sips:h;transport=tcp", 5061),
        ("sip:h;transport=TLS", 5061),
        ("sip:h;transport=ws", 80),
        ("sip:h;transport=sctp", 5060),
    ] {
        assert_eq!(uri(text).port_or_default(), port, "{text}");
    }
}

#[test]
fn host_addresses() {
    assert_eq!(host_ip(b"192.0.2.1"), "192.0.2.1".parse().ok());
    assert_eq!(host_ip(b"[2001:db8::1]"), "2001:db8::1".parse().ok());
    assert_eq!(host_ip(b"2001:db8::1"), "2001:db8::1".parse().ok());
    for name in [
        "",
        "example.com",
        "192.0.2",
        "192.0.2.256",
        "[192.0.2.1]",
        "[::1",
        "::1]",
        "1.2.3.4.5",
    ] {
        assert_eq!(host_ip(name.as_bytes()), None, "{name}");
    }
}

// Comparison: the examples of RFC 3261 section 19.1.4, then the edges.

#[test]
fn equal_uris() {
    for (a, b) in [
        (
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtLanTa.CoM;Transport=tcp",
        ),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:[2001:db8:0:0::1]", "SIP:[2001:DB8::1]"),
        ("sip:h;lr", "sip:h;lr="),
        ("tel:+1-201-555-0123", "TEL:+12015550123"),
        ("urn:service:sos", "urn:service:sos"),
    ] {
        assert!(uri_eq(&uri(a), &uri(b)), "{a} = {b}");
        assert!(uri_eq(&uri(b), &uri(a)), "{b} = {a}");
    }
}

#[test]
fn different_uris() {
    for (a, b) in [
        (
            "SIP:ALICE@AtLanTa.CoM;Transport=udp",
            "sip:alice@AtLanTa.CoM;Transport=UDP",
        ),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        (
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com:6000;transport=tcp",
        ),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next%20meeting",
        ),
        (
            "sip:carol@chicago.com;security=off",
            "sip:carol@chicago.com;security=on",
        ),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:bob@h", "sips:bob@h"),
        ("sip:bob@h", "sip:h"),
        ("sip:bob:a@h", "sip:bob:b@h"),
        ("sip:a%3Bb@h", "sip:a;b@h"), // a reserved character is not its escape
        ("tel:+12015550123;ext=1", "tel:+12015550123"),
        ("urn:service:sos", "urn:service:SOS"),
    ] {
        assert!(!uri_eq(&uri(a), &uri(b)), "{a} /= {b}");
        assert!(!uri_eq(&uri(b), &uri(a)), "{b} /= {a}");
    }
}

#[test]
fn escapes() {
    assert_eq!(unescape(b"%61lice%00%"), b"alice\0%");
    assert_eq!(unescape(b"%4"), b"%4");
    assert_eq!(unescape(b"%zz%2"), b"%zz%2");
    assert_eq!(escape_user(b"I have@spaces"), b"I%20have%40spaces");
    assert_eq!(escape_user(b"a;b=c?d/e"), b"a;b=c?d/e");
}

// Parameters.

#[test]
fn parameters() {
    let list: Vec<_> = Params::new(b"a=1; B ;; c = \"x;y\\\"z\" ;d=").collect();
    assert_eq!(
        list,
        [
            (&b"a"[..], Some(&b"1"[..])),
            (b"B", None),
            (b"c", Some(b"\"x;y\\\"z\"")),
            (b"d", Some(b"")),
        ]
    );
    let params = Params::new(b";Lr;tag=x;tag=y");
    assert!(params.has(b"lR"));
    assert_eq!(params.get(b"TAG"), Some(&b"x"[..]), "the first counts");
    assert_eq!(params.get(b"lr"), Some(&b""[..]));
    assert_eq!(params.get(b"ta"), None);
    assert_eq!(Params::new(b"a=\"open;b").count(), 1);
}

#[test]
fn quotes() {
    assert_eq!(unquote(br#""a \"b\" \\ c""#), br#"a "b" \ c"#);
    assert_eq!(unquote(b"plain"), b"plain");
    assert_eq!(unquote(b"\""), b"\"");
}

// Addresses.

#[test]
fn name_addresses() {
    for (text, display, uri, params) in [
        ("<sip:a@b>", "", "sip:a@b", ""),
        ("Bob B. <sip:a@b>;tag=1", "Bob B.", "sip:a@b", "tag=1"),
        (
            "\"A, \\\"B\\\" <x>\" <sip:a@b;lr> ; x=\"<\"",
            "\"A, \\\"B\\\" <x>\"",
            "sip:a@b;lr",
            " x=\"<\"",
        ),
        ("caller<sip:a@b>", "caller", "sip:a@b", ""),
        (
            "Bell, Alexander <sip:a@b>",
            "Bell, Alexander",
            "sip:a@b",
            "",
        ),
        ("< sip:a@b >", "", "sip:a@b", ""),
        ("sip:a@b;tag=\"<x>\"", "", "sip:a@b", "tag=\"<x>\""),
        (" sip:a@b\r\n ;\r\n tag = 1 ", "", "sip:a@b", "\r\n tag = 1"),
        ("isbn:2983792873", "", "isbn:2983792873", ""),
        (
            "<sip:a@b?Route=%3Csip:c%3E>",
            "",
            "sip:a@b?Route=%3Csip:c%3E",
            "",
        ),
    ] {
        let addr = parse_nameaddr(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let parts = [addr.display, addr.uri, addr.params].map(String::from_utf8_lossy);
        assert_eq!(parts, [display, uri, params], "{text}");
        assert_eq!(
            addr.bracketed,
            text.contains("> ") || text.contains(">;") || text.ends_with('>')
        );
    }
    let folded = parse_nameaddr(b"<sip:a>;\r\n tag = x").expect("valid");
    assert_eq!(folded.param(b"tag"), Some(&b"x"[..]));
}

#[test]
fn malformed_addresses() {
    for bad in [
        "",
        "*",
        "Bob",
        "<",
        ">",
        "<>",
        "<sip:a@b",
        "\"x <sip:a>",
        "\"x\\\" <sip:a>",
        "<sip:a>x",
        "<sip:a>,<sip:b>",
        "sip:a?b=c",
        "sip:a,sip:b",
        "<nocolon>",
        "Bob <b@h>",
        "sip:a b",
    ] {
        assert!(parse_nameaddr(bad.as_bytes()).is_err(), "{bad}");
    }
}
