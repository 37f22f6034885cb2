//! Record-Route and loose routing.

mod script_support;

use script_support::*;
use sipwright_sip::script::rr::*;
use sipwright_sip::script::{Context, ruri};
use sipwright_sip::types::Proto;

/// A BYE within a dialog with these Route header fields.
fn bye(uri: &str, routes: &[&str]) -> Context {
    let routes: String = routes.iter().map(|r| format!("Route: {r}\n")).collect();
    ctx(&INVITE
        .replacen(
            "INVITE sip:bob:pw@example.com:25070;transport=udp;x=1",
            &format!("BYE {uri}"),
            1,
        )
        .replacen("102 INVITE", "102 BYE", 1)
        .replacen("example.org>", "example.org>;tag=tt", 1)
        .replacen("Max-Forwards", &format!("{routes}Max-Forwards"), 1))
}

/// An INVITE outside of a dialog with a Route.
fn preloaded(routes: &str) -> Context {
    invite_with("Max-Forwards", &format!("Route: {routes}\nMax-Forwards"))
}

fn rr_lines(ctx: &Context, socket: usize) -> Vec<String> {
    let sent = sent_by(ctx, socket);
    lines(&sent, "Record-Route:")
        .iter()
        .map(|l| (*l).to_owned())
        .collect()
}

// checked against Kamailio 5.6
#[test]
fn one_record_route_on_the_same_socket() {
    let mut c = ctx(INVITE);
    assert_eq!(add_rr_param(&mut c, b";a=1"), 1);
    assert_eq!(record_route(&mut c), 1);
    assert_eq!(add_rr_param(&mut c, b";b=2"), 1);
    assert_eq!(record_route(&mut c), -1, "recorded already");
    assert_eq!(
        rr_lines(&c, 0),
        ["Record-Route: <sip:127.0.0.1:25060;lr=on;ftag=ft1;a=1;b=2>"]
    );
}

// checked against Kamailio 5.6
#[test]
fn two_record_routes_between_sockets() {
    let mut c = ctx(INVITE);
    assert_eq!(record_route(&mut c), 1);
    assert_eq!(
        rr_lines(&c, 1),
        [
            "Record-Route: <sip:192.0.2.5:5099;r2=on;lr=on;ftag=ft1>",
            "Record-Route: <sip:127.0.0.1:25060;r2=on;lr=on;ftag=ft1>",
        ]
    );
    assert_eq!(
        rr_lines(&c, 2)[0],
        "Record-Route: <sip:127.0.0.1:25060;transport=tcp;r2=on;lr=on;ftag=ft1>"
    );
    assert_eq!(
        rr_lines(&c, 3)[0],
        "Record-Route: <sip:[::1]:25060;r2=on;lr=on;ftag=ft1>"
    );
}

// checked against Kamailio 5.6
#[test]
fn record_routes_that_the_script_words() {
    let mut c = ctx(INVITE);
    add_rr_param(&mut c, b";a=1");
    assert_eq!(
        record_route_preset(&mut c, b"1.2.3.4:99;x=1", b"5.6.7.8"),
        1
    );
    assert_eq!(record_route_preset(&mut c, b"1.2.3.4:99", b""), -1);
    assert_eq!(
        rr_lines(&c, 0),
        [
            "Record-Route: <sip:1.2.3.4:99;x=1;ftag=ft1;a=1;lr=on>",
            "Record-Route: <sip:5.6.7.8;ftag=ft1;a=1;lr=on>",
        ]
    );

    let mut c = ctx(INVITE);
    assert_eq!(record_route_advertised_address(&mut c, b"8.8.8.8:5"), 1);
    assert_eq!(
        rr_lines(&c, 1),
        ["Record-Route: <sip:8.8.8.8:5;ftag=ft1;lr=on>"]
    );
    assert_eq!(
        rr_lines(&c, 2),
        [
            "Record-Route: <sip:8.8.8.8:5;transport=tcp;r2=on;ftag=ft1;lr=on>",
            "Record-Route: <sip:8.8.8.8:5;r2=on;ftag=ft1;lr=on>",
        ]
    );
}

#[test]
fn settings_of_record_route() {
    let mut settings = env();
    settings.rr.enable_full_lr = false;
    settings.rr.append_fromtag = false;
    settings.rr.enable_double_rr = 0;
    settings.rr.add_username = true;
    let mut c = ctx_in(settings, INVITE);
    assert_eq!(record_route_params(&mut c, b";zz=1"), 1);
    assert_eq!(
        rr_lines(&c, 1),
        ["Record-Route: <sip:bob@192.0.2.5:5099;lr;zz=1>"]
    );
}

// checked against Kamailio 5.6
#[test]
fn two_record_routes_always() {
    let mut settings = env();
    settings.rr.enable_double_rr = 2;
    let mut c = ctx_in(settings, INVITE);
    assert_eq!(record_route(&mut c), 1);
    assert_eq!(
        rr_lines(&c, 0),
        ["Record-Route: <sip:127.0.0.1:25060;r2=on;lr=on;ftag=ft1>"; 2]
    );
}

// RFC 3261 section 16.6 step 4; the first checked against Kamailio 5.6
#[test]
fn record_route_to_a_sips_uri_is_one() {
    for (uri, du) in [
        ("sips:bob@example.com", None),
        ("sip:bob@example.com", Some(&b"sips:10.1.1.1;lr"[..])),
    ] {
        let mut c = ctx(INVITE);
        c.new_uri = Some(uri.into());
        c.dst_uri = du.map(<[u8]>::to_vec);
        assert_eq!(record_route(&mut c), 1);
        assert_eq!(
            rr_lines(&c, 0),
            ["Record-Route: <sips:127.0.0.1:25060;lr=on;ftag=ft1>"]
        );
    }
}

// the same user agent's name twice: one to route by, one to send from
#[test]
fn second_route_of_ours_as_sips_names_its_socket() {
    let mut c = bye(
        "sip:bob@10.9.9.9",
        &["<sips:127.0.0.1:25060;r2=on;lr>, <sips:127.0.0.1:25062;r2=on;lr>"],
    );
    assert_eq!(loose_route(&mut c), 1);
    assert_eq!(get(&c, "$fs"), "'udp:127.0.0.1:25062'");
}

#[test]
fn settings_of_loose_route() {
    let routes = &["<sip:127.0.0.1:25060;r2=on;lr>, <sip:127.0.0.1:25062;r2=on;lr>"];
    let mut settings = env();
    settings.rr.force_send_socket = false;
    let mut c = bye("sip:bob@10.9.9.9", routes);
    c.env = std::sync::Arc::new(settings);
    assert_eq!(loose_route(&mut c), 1);
    assert_eq!(get(&c, "$fs"), "None");
    assert_eq!(lines(&sent(&c), "Route:"), [""; 0]);

    let mut settings = env();
    settings.rr.ignore_user = "foreign".to_owned();
    let mut c = bye("sip:bob@10.9.9.9", &["<sip:foreign@127.0.0.1:25060;lr>"]);
    c.env = std::sync::Arc::new(settings);
    assert_eq!(loose_route(&mut c), 1);
    assert_eq!(get(&c, "$du"), "'sip:foreign@127.0.0.1:25060;lr'");
}

#[test]
fn record_route_can_be_taken_back() {
    let mut c = ctx(INVITE);
    assert!(!c.record_route.is_recorded());
    assert_eq!(record_route(&mut c), 1);
    assert_eq!(remove_record_route(&mut c), 1);
    assert_eq!(rr_lines(&c, 0), [""; 0]);
    assert_eq!(record_route_params(&mut c, b";n=1"), 1);
    assert_eq!(
        rr_lines(&c, 0),
        ["Record-Route: <sip:127.0.0.1:25060;lr=on;ftag=ft1;n=1>"]
    );
}

#[test]
fn record_route_refuses_what_would_end_the_uri() {
    for bad in ["a>b", "a b", "a\r\nb", "<a"] {
        let mut c = ctx(INVITE);
        assert_eq!(record_route_params(&mut c, bad.as_bytes()), -1, "{bad:?}");
        assert_eq!(
            record_route_preset(&mut c, bad.as_bytes(), b""),
            -1,
            "{bad:?}"
        );
        assert_eq!(
            record_route_advertised_address(&mut c, bad.as_bytes()),
            -1,
            "{bad:?}"
        );
        assert_eq!(add_rr_param(&mut c, bad.as_bytes()), -1, "{bad:?}");
        assert!(!c.record_route.is_recorded());
    }
    assert_eq!(add_rr_param(&mut ctx(INVITE), b""), -1);
}

/// What `loose_route` did.
struct Routed<'a> {
    uri: &'a str,
    routes: &'a [&'a str],
    code: i32,
    ruri: &'a str,
    du: &'a str,
    fs: &'a str,
    /// Route lines of the request as it leaves
    left: &'a [&'a str],
}

// checked against Kamailio 5.6
#[test]
fn loose_routing_within_a_dialog() {
    const BOB: &str = "sip:bob@10.9.9.9:5066";
    let table = [
        // our Route alone
        Routed {
            uri: BOB,
            routes: &["<sip:127.0.0.1:25060;lr;ftag=ft1;a=12>"],
            code: 1,
            ruri: BOB,
            du: "None",
            fs: "None",
            left: &[],
        },
        // a loose router behind us
        Routed {
            uri: BOB,
            routes: &[
                "<sip:127.0.0.1:25060;lr=on;ftag=other>, <sip:10.1.1.1;lr>",
                "<sip:10.2.2.2;lr>",
            ],
            code: 1,
            ruri: BOB,
            du: "'sip:10.1.1.1;lr'",
            fs: "None",
            left: &["Route: <sip:10.1.1.1;lr>", "Route: <sip:10.2.2.2;lr>"],
        },
        // our two Routes, the second one names the socket to send from
        Routed {
            uri: BOB,
            routes: &[
                "<sip:127.0.0.1:25060;transport=tcp;r2=on;lr=on>,<sip:127.0.0.1:25062;r2=on;lr=on;ftag=x>",
            ],
            code: 1,
            ruri: BOB,
            du: "None",
            fs: "'udp:127.0.0.1:25062'",
            left: &[],
        },
        // the same in two header fields, by the advertised address
        Routed {
            uri: BOB,
            routes: &[
                "<sip:192.0.2.5:5099;r2=on;lr=on>",
                "<sip:127.0.0.1:25060;r2=on;lr=on>",
                "<sip:10.1.1.1:99;lr;x=1>;foo=bar",
            ],
            code: 1,
            ruri: BOB,
            du: "'sip:10.1.1.1:99;lr;x=1'",
            fs: "'udp:127.0.0.1:25060'",
            left: &["Route: <sip:10.1.1.1:99;lr;x=1>;foo=bar"],
        },
        // not our Route
        Routed {
            uri: BOB,
            routes: &["<sip:10.1.1.1;lr>"],
            code: 1,
            ruri: BOB,
            du: "'sip:10.1.1.1;lr'",
            fs: "None",
            left: &["Route: <sip:10.1.1.1;lr>"],
        },
        Routed {
            uri: BOB,
            routes: &[],
            code: -1,
            ruri: BOB,
            du: "None",
            fs: "None",
            left: &[],
        },
        // a strict router behind us
        Routed {
            uri: "sip:bob@10.9.9.9",
            routes: &["<sip:127.0.0.1:25060;lr>, <sip:strict@10.3.3.3>"],
            code: 1,
            ruri: "sip:strict@10.3.3.3",
            du: "None",
            fs: "None",
            left: &["Route: <sip:bob@10.9.9.9>"],
        },
        // our Route without lr
        Routed {
            uri: BOB,
            routes: &["<sip:127.0.0.1:25060>"],
            code: 1,
            ruri: BOB,
            du: "None",
            fs: "None",
            left: &[],
        },
        // a display name, parameters and blanks
        Routed {
            uri: BOB,
            routes: &["\"q\" <sip:127.0.0.1:25060;lr>;p=1  ,  <sip:10.1.1.1;lr>"],
            code: 1,
            ruri: BOB,
            du: "'sip:10.1.1.1;lr'",
            fs: "None",
            left: &["Route: <sip:10.1.1.1;lr>"],
        },
    ];
    run(&table);
}

// checked against Kamailio 5.6
#[test]
fn after_a_strict_router() {
    let table = [
        // the last Route is the target
        Routed {
            uri: "sip:127.0.0.1:25060",
            routes: &["<sip:10.1.1.1;lr>, <sip:bob@10.9.9.9>"],
            code: 1,
            ruri: "sip:bob@10.9.9.9",
            du: "'sip:10.1.1.1;lr'",
            fs: "None",
            left: &["Route: <sip:10.1.1.1;lr>"],
        },
        Routed {
            uri: "sip:127.0.0.1:25060;lr;ftag=ft1",
            routes: &["<sip:bob@10.9.9.9>"],
            code: 1,
            ruri: "sip:bob@10.9.9.9",
            du: "None",
            fs: "None",
            left: &[],
        },
        // a request to ourselves with our own Route
        Routed {
            uri: "sip:bob@example.com",
            routes: &["<sip:127.0.0.1:25060;lr>"],
            code: 1,
            ruri: "sip:127.0.0.1:25060;lr",
            du: "'sip:127.0.0.1:25060;lr'",
            fs: "None",
            left: &[],
        },
        Routed {
            uri: "sip:127.0.0.1:25060",
            routes: &[],
            code: -1,
            ruri: "sip:127.0.0.1:25060",
            du: "None",
            fs: "None",
            left: &[],
        },
    ];
    run(&table);
}

// RFC 3261 sections 16.12.1.2 and 16.4, with Routes in several header fields
#[test]
fn after_a_strict_router_in_detail() {
    let table = [
        Routed {
            uri: "sip:127.0.0.1:25060;lr",
            routes: &[
                "<sip:10.1.1.1;lr>",
                "<sip:10.2.2.2;lr>",
                "<sip:bob@10.9.9.9>",
            ],
            code: 1,
            ruri: "sip:bob@10.9.9.9",
            du: "'sip:10.1.1.1;lr'",
            fs: "None",
            left: &["Route: <sip:10.1.1.1;lr>", "Route: <sip:10.2.2.2;lr>"],
        },
        // the first of our two was in the request-URI, the second is still there
        Routed {
            uri: "sip:127.0.0.1:25060;r2=on;lr=on",
            routes: &["<sip:127.0.0.1:25062;r2=on;lr=on>,<sip:10.1.1.1;lr>,<sip:bob@10.9.9.9>"],
            code: 1,
            ruri: "sip:bob@10.9.9.9",
            du: "'sip:10.1.1.1;lr'",
            fs: "'udp:127.0.0.1:25062'",
            left: &["Route: <sip:10.1.1.1;lr>"],
        },
        // strict routers on both sides
        Routed {
            uri: "sip:127.0.0.1:25060",
            routes: &["<sip:strict@10.3.3.3>, <sip:bob@10.9.9.9>"],
            code: 1,
            ruri: "sip:strict@10.3.3.3",
            du: "None",
            fs: "None",
            left: &["Route: <sip:bob@10.9.9.9>"],
        },
    ];
    run(&table);
}

fn run(table: &[Routed<'_>]) {
    for case in table {
        let mut c = bye(case.uri, case.routes);
        let what = format!("{} {:?}", case.uri, case.routes);
        assert_eq!(loose_route(&mut c), case.code, "{what}");
        assert_eq!(String::from_utf8_lossy(c.uri()), case.ruri, "{what}");
        assert_eq!(get(&c, "$du"), case.du, "{what}");
        assert_eq!(get(&c, "$fs"), case.fs, "{what}");
        assert_eq!(lines(&sent(&c), "Route:"), case.left, "{what}");
    }
}

// checked against Kamailio 5.6
#[test]
fn edits_of_route_show_when_it_leaves() {
    let mut c = bye("sip:bob@10.9.9.9", &["<sip:127.0.0.1:25060;lr;a=1>"]);
    assert_eq!(loose_route(&mut c), 1);
    check(
        &c,
        &[
            ("$hdr(Route)", "'<sip:127.0.0.1:25060;lr;a=1>'"),
            ("$route_uri", "'sip:127.0.0.1:25060;lr;a=1'"),
        ],
    );
}

// checked against Kamailio 5.6
#[test]
fn loose_routing_outside_of_a_dialog() {
    let mut c = preloaded("<sip:127.0.0.1:25060;lr>");
    assert_eq!(loose_route(&mut c), -3);
    assert_eq!(get(&c, "$du"), "None");
    assert_eq!(lines(&sent(&c), "Route:"), [""; 0]);

    for top in ["<sip:127.0.0.1:25060;lr>", "<sip:user@127.0.0.1:25060;lr>"] {
        let mut c = preloaded(&format!("{top},<sip:10.1.1.1;lr>"));
        assert_eq!(loose_route(&mut c), 1);
        assert_eq!(get(&c, "$du"), "'sip:10.1.1.1;lr'");
    }
    assert_eq!(loose_route(&mut ctx(INVITE)), -1);
}

#[test]
fn loose_route_preloaded_is_for_requests_outside_of_dialogs() {
    let mut c = preloaded("<sip:127.0.0.1:25060;lr>,<sip:10.1.1.1;lr>");
    assert_eq!(loose_route_preloaded(&mut c), 1);
    assert_eq!(get(&c, "$du"), "'sip:10.1.1.1;lr'");
    let mut c = bye("sip:bob@10.9.9.9", &["<sip:10.1.1.1;lr>"]);
    assert_eq!(loose_route_preloaded(&mut c), -1);
    assert_eq!(loose_route_preloaded(&mut ctx(INVITE)), -1);
}

#[test]
fn loose_route_mode_1_leaves_a_request_uri_of_ours_alone() {
    let mut c = bye("sip:bob@example.com", &["<sip:127.0.0.1:25060;lr>"]);
    assert_eq!(loose_route_mode(&mut c, 1), 1);
    assert_eq!(c.uri(), b"sip:bob@example.com");
    let mut c = bye("sip:bob@example.com", &["<sip:127.0.0.1:25060;lr>"]);
    assert_eq!(loose_route_mode(&mut c, 0), 1);
    assert_eq!(c.uri(), b"sip:127.0.0.1:25060;lr");
    assert_eq!(loose_route_mode(&mut ctx(INVITE), 1), -1);
}

#[test]
fn a_gruu_is_no_route_of_ours() {
    let uri = "sip:bob@example.com;gr=urn:uuid:1";
    let mut c = bye(uri, &["<sip:127.0.0.1:25060;lr>"]);
    assert_eq!(loose_route(&mut c), 1);
    assert_eq!(c.uri(), uri.as_bytes());
    assert_eq!(lines(&sent(&c), "Route:"), [""; 0]);
}

// checked against Kamailio 5.6
#[test]
fn a_second_route_of_ours_that_no_socket_has() {
    let mut c = bye(
        "sip:bob@10.9.9.9",
        &["<sip:example.com;lr;transport=tcp;r2=on>, <sip:127.0.0.1:9;r2=on;lr>"],
    );
    assert_eq!(loose_route(&mut c), 1);
    assert_eq!(get(&c, "$fs"), "None");
    assert_eq!(c.complaints.len(), 1);
    assert_eq!(lines(&sent(&c), "Route:"), [""; 0]);
}

// checked against Kamailio 5.6
#[test]
fn next_hop_route_only_sets_the_destination() {
    let mut c = bye(
        "sip:bob@10.9.9.9",
        &["<sip:127.0.0.1:25060;lr>, <sip:10.1.1.1;lr>"],
    );
    assert_eq!(next_hop_route(&mut c), 1);
    assert_eq!(get(&c, "$du"), "'sip:10.1.1.1;lr'");
    assert_eq!(lines(&sent(&c), "Route:").len(), 1);
    assert_eq!(
        next_hop_route(&mut bye("sip:b@c", &["<sip:127.0.0.1:25060;lr>"])),
        -1
    );
}

// checked against Kamailio 5.6
#[test]
fn parameters_of_our_route() {
    let mut c = bye(
        "sip:bob@10.9.9.9:5066",
        &["<sip:127.0.0.1:25060;lr;ftag=ft1;a=12>"],
    );
    assert_eq!(check_route_param(&mut c, b"a=.*"), -1, "before loose_route");
    assert_eq!(loose_route(&mut c), 1);
    assert_eq!(check_route_param(&mut c, b"ftag=ft1"), 1);
    assert_eq!(check_route_param(&mut c, b"nope"), -1);
    assert_eq!(check_route_param(&mut c, b"a=.*"), 1);
    assert_eq!(check_route_param(&mut c, b"A=1"), 1, "in any case");
    assert_eq!(check_route_param(&mut c, b";a=12$"), 1);
    assert_eq!(check_route_param(&mut c, b"("), -1);
    assert_eq!(c.complaints.len(), 1);
}

// checked against Kamailio 5.6
#[test]
fn direction_is_told_by_the_from_tag() {
    for (route, upstream) in [
        ("<sip:127.0.0.1:25060;lr;ftag=ft1>", false),
        ("<sip:127.0.0.1:25060;lr=on;ftag=other>", true),
        ("<sip:127.0.0.1:25060;lr>", false),
    ] {
        let mut c = bye("sip:bob@10.9.9.9", &[route]);
        assert_eq!(loose_route(&mut c), 1);
        let (up, down) = if upstream { (1, -1) } else { (-1, 1) };
        assert_eq!(is_direction(&mut c, b"upstream"), up, "{route}");
        assert_eq!(is_direction(&mut c, b"downstream"), down, "{route}");
        let (from, to) = if upstream {
            ("'tt'", "'ft1'")
        } else {
            ("'ft1'", "'tt'")
        };
        check(&c, &[("$fti", from), ("$tti", to)]);
        let id = if upstream { "2" } else { "1" };
        check(&c, &[("$rdir(id)", id)]);
        assert_eq!(is_direction(&mut c, b"sideways"), -1);
    }
}

#[test]
fn a_call_through_two_transports_finds_its_way_back() {
    // the INVITE goes from UDP to TCP
    let mut invite = ctx(INVITE);
    record_route(&mut invite);
    ruri::setdsturi(&mut invite, b"sip:10.1.1.1;transport=tcp");
    let sent = sent_by(&invite, 2);
    let recorded: Vec<_> = lines(&sent, "Record-Route: ")
        .iter()
        .map(|l| l["Record-Route: ".len()..].to_owned())
        .collect();

    // the callee's BYE has them in this order, and comes in on TCP
    let routes: Vec<&str> = recorded.iter().map(String::as_str).collect();
    let mut c = bye("sip:alice@10.0.0.1:5062", &routes);
    c.flow.socket = 2;
    c.flow.proto = Proto::Tcp;
    assert_eq!(loose_route(&mut c), 1);
    assert_eq!(get(&c, "$fs"), "'udp:127.0.0.1:25060'");
    assert_eq!(get(&c, "$du"), "None");

    // the caller's in the reverse one, and comes in on UDP
    let routes: Vec<&str> = recorded.iter().rev().map(String::as_str).collect();
    let mut c = bye("sip:bob@10.9.9.9", &routes);
    assert_eq!(loose_route(&mut c), 1);
    assert_eq!(get(&c, "$fs"), "'tcp:127.0.0.1:25060'");
}
