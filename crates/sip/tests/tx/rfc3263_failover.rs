//! The next target of a URI when one fails: RFC 3263 section 4.3.

use bytes::Bytes;
use sipwright_sip::tx::{Alternate, Alternates, BranchSpec, Outcome, State, TxConfig, TxId};
use sipwright_sip::types::Proto;
use sipwright_sip::{HeaderId, Message};

use crate::ladder::Ladder;

/// Length of the header line that the ladder puts first: its Via.
fn head_len(request: &Bytes) -> usize {
    let start = memchr::memchr(b'\n', request).unwrap() + 1;
    memchr::memchr(b'\n', &request[start..]).unwrap() + 1
}

/// A branch to the first of these callees, with the others as further targets.
pub fn spec(l: &Ladder, tx: TxId, index: u16, callees: &[&str]) -> BranchSpec {
    let mut spec = l.spec(tx, index, callees[0]);
    let further = callees[1..].iter().map(|callee| Alternate {
        flow: l.flow(callee),
        head: None,
    });
    let head = head_len(&spec.bytes);
    spec.next = Alternates::new(&spec.bytes, head, index, further.collect(), None);
    spec
}

/// An INVITE, or another request, to one URI with these targets.
fn relay(l: &mut Ladder, method: &str, callees: &[&str]) -> TxId {
    let tx = l.get(method);
    let spec = spec(l, tx, 0, callees);
    l.add_spec(tx, spec).unwrap();
    l.done(tx);
    tx
}

#[test]
fn silence_leads_to_the_next_target() {
    let mut l = Ladder::tcp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol", "dave"]);
    l.wait(60_000);
    l.timed(&[
        (0, "INVITE > bob"),
        (200, "100 > caller"),
        (30_000, "INVITE > carol"), // Timer B
        (60_000, "INVITE > dave"),
    ]);
    l.answer(tx, 2, 180);
    l.answer(tx, 2, 200);
    l.seen(&["180 > caller", "200 > caller"]);
    assert_eq!(l.tx(tx).branch(0).unwrap().outcome(), Outcome::Dropped);
    assert_eq!(l.tx(tx).branch(2).unwrap().origin(), 0);
    assert_eq!(l.layer.counts().failovers, 2);
}

#[test]
fn a_request_other_than_invite_fails_over_too() {
    let cfg = TxConfig {
        fr_timer_ms: 1000,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Tcp, Proto::Tcp, cfg);
    let tx = relay(&mut l, "MESSAGE", &["bob", "carol"]);
    l.wait(1000);
    l.timed(&[(0, "MESSAGE > bob"), (1000, "MESSAGE > carol")]);
    l.answer(tx, 1, 200);
    l.seen(&["200 > caller"]);
}

#[test]
fn a_transport_error_leads_to_the_next_target_at_once() {
    let mut l = Ladder::udp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    l.send_failed(tx, 0);
    l.seen(&["INVITE > bob", "INVITE > carol"]);
    l.send_failed(tx, 1); // none is left
    l.seen(&["500 > caller"]);
}

/// RFC 3261 section 18.4: what ICMP sends back names the branch.
#[test]
fn an_icmp_error_leads_to_the_next_target_at_once() {
    let mut l = Ladder::udp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    let (to, quoted) = (l.flow("bob").remote, l.last_to("bob").bytes().slice(..200));
    let cancelled = String::from_utf8(quoted.to_vec()).unwrap();
    let cancelled = Bytes::from(cancelled.replace("INVITE", "CANCEL"));
    l.unreachable(l.flow("carol").remote, &quoted); // was not sent there
    l.unreachable(to, &quoted[..60]); // too short to know
    l.unreachable(to, &cancelled);
    l.seen(&["INVITE > bob"]);
    l.unreachable(to, &quoted);
    l.seen(&["INVITE > carol"]);
    l.unreachable(to, &quoted); // once more for a retransmission
    l.nothing();
    let (to, quoted) = (l.flow("carol").remote, l.last_to("carol").bytes().clone());
    l.unreachable(to, &quoted);
    l.nothing(); // there is no other target: the timers decide
    l.answer(tx, 1, 200);
    l.seen(&["200 > caller"]);
}

#[test]
fn an_icmp_error_after_an_answer_changes_nothing() {
    let mut l = Ladder::udp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    l.answer(tx, 0, 180);
    l.forget();
    let (to, quoted) = (l.flow("bob").remote, l.last_to("bob").bytes().clone());
    l.unreachable(to, &quoted);
    l.nothing();
}

#[test]
fn a_503_leads_to_the_next_target() {
    let mut l = Ladder::udp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    l.answer(tx, 0, 100);
    l.answer(tx, 0, 503);
    l.seen(&["INVITE > bob", "ACK > bob", "INVITE > carol"]);
    l.answer(tx, 1, 200);
    l.seen(&["200 > caller"]);
}

#[test]
fn other_failures_are_answers() {
    for code in [302, 404, 408, 486, 500, 603] {
        let mut l = Ladder::udp();
        let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
        l.forget();
        l.answer(tx, 0, code);
        l.seen(&["ACK > bob", &format!("{code} > caller")]);
    }
}

/// Who has said anything is there: the request must not go to another one as well.
#[test]
fn a_target_that_rings_is_not_given_up() {
    let mut l = Ladder::tcp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    l.answer(tx, 0, 180);
    l.forget();
    l.wait(120_000); // Timer C
    l.timed(&[(120_000, "CANCEL > bob"), (120_000, "408 > caller")]);
}

#[test]
fn what_the_failed_target_said_does_not_count() {
    let mut l = Ladder::tcp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    l.wait(30_000);
    l.forget();
    l.answer(tx, 1, 486); // and not the 408 of bob, though it is lower
    l.seen(&["ACK > carol", "486 > caller"]);
}

#[test]
fn the_last_targets_failure_is_the_answer() {
    let mut l = Ladder::udp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    l.answer(tx, 0, 503);
    l.answer(tx, 1, 503);
    l.seen(&[
        "INVITE > bob",
        "ACK > bob",
        "INVITE > carol",
        "ACK > carol",
        "500 > caller", // section 16.7 step 6 of RFC 3261
    ]);
}

#[test]
fn a_late_answer_of_the_first_target_is_heard() {
    let mut l = Ladder::tcp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    l.wait(30_000);
    l.answer(tx, 1, 180);
    l.forget();
    l.answer(tx, 0, 200);
    l.seen(&["200 > caller", "CANCEL > carol"]);
}

#[test]
fn each_target_has_a_transaction_of_its_own() {
    let mut l = Ladder::udp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    l.send_failed(tx, 0);
    let requests: Vec<Message> = ["bob", "carol"].map(|to| l.last_to(to)).into();
    let branches: Vec<&[u8]> = requests.iter().map(|r| r.branch().unwrap()).collect();
    assert_eq!(branches[0], l.layer.branch_token(tx, 0).as_bytes());
    assert_eq!(branches[1], l.layer.branch_token(tx, 1).as_bytes());
    // Nothing else differs.
    let text = |r: &Message| String::from_utf8(r.bytes().to_vec()).unwrap();
    let token = l.layer.branch_token(tx, 0);
    let same = text(&requests[1]).replace(&l.layer.branch_token(tx, 1), &token);
    assert_eq!(same, text(&requests[0]));
    assert_eq!(l.branch_state(tx, 0), State::Terminated);
}

/// Via and Record-Route are those of the socket that a target is reached by; those
/// that follow without a head of their own have the first one's again.
#[test]
fn another_socket_has_header_lines_of_its_own() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    let mut made = l.spec(tx, 0, "bob");
    let token = l.layer.branch_token(tx, 0);
    let tls = format!(
        "Via: SIP/2.0/TLS proxy:5061;branch={token}\r\nRecord-Route: <sip:proxy:5061;transport=tls;lr>\r\n"
    );
    let mut secure = l.flow("carol");
    secure.proto = Proto::Tls;
    let further = vec![
        Alternate {
            flow: secure,
            head: Some(tls.into()),
        },
        Alternate {
            flow: l.flow("dave"),
            head: None,
        },
    ];
    let head = head_len(&made.bytes);
    made.next = Alternates::new(&made.bytes, head, 0, further, Some("example.com".into()));
    l.add_spec(tx, made).unwrap();
    l.done(tx);
    l.send_failed(tx, 0);
    l.send_failed(tx, 1);
    let (bob, carol, dave) = (l.last_to("bob"), l.last_to("carol"), l.last_to("dave"));
    let via = |m: &Message| String::from_utf8_lossy(m.get(m.via().sent_by)).into_owned();
    assert_eq!(
        [via(&bob), via(&carol), via(&dave)],
        ["proxy:5060", "proxy:5061", "proxy:5060"]
    );
    assert_eq!(carol.via().proto, Some(Proto::Tls));
    assert_eq!(carol.branch(), Some(l.layer.branch_token(tx, 1).as_bytes()));
    assert_eq!(dave.branch(), Some(l.layer.branch_token(tx, 2).as_bytes()));
    let recorded = |m: &Message| m.value(HeaderId::RecordRoute).map(<[u8]>::to_vec);
    let expected = b"<sip:proxy:5061;transport=tls;lr>".to_vec();
    assert_eq!(
        [recorded(&bob), recorded(&carol), recorded(&dave)],
        [None, Some(expected), None]
    );
    assert_eq!(
        bob.values(HeaderId::Via).count(),
        dave.values(HeaderId::Via).count()
    );
}

/// A request that is too large for UDP goes by TCP first, and by UDP if there is no
/// connection (RFC 3261 section 18.1.1), then to the next target.
#[test]
fn the_other_way_to_a_target_comes_before_the_next_target() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    let mut made = spec(&l, tx, 0, &["bob", "carol"]);
    let small = made.bytes.clone();
    let text = String::from_utf8(small.to_vec()).unwrap();
    let by_tcp = text.replace("SIP/2.0/UDP proxy:5060;", "SIP/2.0/TCP another-name:5060;");
    made.fallback = Some((made.flow, small));
    made.bytes = by_tcp.into();
    made.flow.proto = Proto::Tcp;
    l.add_spec(tx, made).unwrap();
    l.done(tx);
    l.send_failed(tx, 0);
    l.seen(&["INVITE > bob", "INVITE > bob"]);
    let by_udp = l.last_to("bob");
    assert_eq!(by_udp.via().proto, Some(Proto::Udp));
    l.send_failed(tx, 0);
    l.seen(&["INVITE > carol"]);
    let (token, next) = (l.layer.branch_token(tx, 0), l.layer.branch_token(tx, 1));
    let text = |m: &Message| String::from_utf8(m.bytes().to_vec()).unwrap();
    assert_eq!(
        text(&l.last_to("carol")).replace(&next, &token),
        text(&by_udp)
    );
}

/// What is below the header lines of the socket may change until the branch is added.
#[test]
fn the_next_target_gets_the_request_as_it_left() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    let mut made = spec(&l, tx, 0, &["bob", "carol"]);
    let text = String::from_utf8(made.bytes.to_vec()).unwrap();
    made.bytes = text
        .replace("Call-ID:", "Max-Breadth: 30\r\nCall-ID:")
        .into();
    l.add_spec(tx, made).unwrap();
    l.done(tx);
    l.send_failed(tx, 0);
    let text = |to| String::from_utf8(l.last_to(to).bytes().to_vec()).unwrap();
    let (old, new) = (l.layer.branch_token(tx, 0), l.layer.branch_token(tx, 1));
    assert_eq!(text("carol").replace(&new, &old), text("bob"));
    // Targets whose header lines are not those of the request are none.
    let tx = l.get("MESSAGE");
    let mut made = spec(&l, tx, 0, &["bob", "carol"]);
    let text = String::from_utf8(made.bytes.to_vec()).unwrap();
    made.bytes = text.replace("proxy:5060", "elsewhere:5060").into();
    l.add_spec(tx, made).unwrap();
    l.done(tx);
    l.forget();
    l.send_failed(tx, 0);
    l.seen(&["500 > caller"]);
}

/// RFC 5922: the name is verified wherever TLS is spoken, and asked for nowhere else.
#[test]
fn secure_targets_are_asked_for_their_name() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    let mut made = l.spec(tx, 0, "bob");
    let mut secure = l.flow("carol");
    secure.proto = Proto::Tls;
    let further = vec![
        Alternate {
            flow: secure,
            head: None,
        },
        Alternate {
            flow: l.flow("dave"),
            head: None,
        },
    ];
    let head = head_len(&made.bytes);
    made.next = Alternates::new(&made.bytes, head, 0, further, Some("example.com".into()));
    l.add_spec(tx, made).unwrap();
    l.done(tx);
    l.send_failed(tx, 0);
    l.send_failed(tx, 1);
    let names: Vec<Option<&str>> = l.names.iter().map(Option::as_deref).collect();
    assert_eq!(names, [None, Some("example.com"), None]);
}

#[test]
fn nobody_is_tried_after_a_cancel() {
    let mut l = Ladder::udp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    l.cancel(tx);
    l.forget();
    l.send_failed(tx, 0);
    l.seen(&["500 > caller"]);
    let mut l = Ladder::udp();
    let tx = relay(&mut l, "INVITE", &["bob", "carol"]);
    l.cancel_branch(tx, 0); // by the script
    l.forget();
    l.send_failed(tx, 0);
    l.seen(&["500 > caller"]);
}

#[test]
fn nobody_is_tried_after_an_answer() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    let first = spec(&l, tx, 0, &["bob", "carol"]);
    l.add_spec(tx, first).unwrap();
    l.add(tx, "dave").unwrap();
    l.done(tx);
    l.answer(tx, 1, 200);
    l.forget();
    l.send_failed(tx, 0);
    l.nothing();
}

#[test]
fn the_script_may_switch_it_off() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.layer.get_mut(tx).unwrap().set_disable_failover(true);
    let made = spec(&l, tx, 0, &["bob", "carol"]);
    l.add_spec(tx, made).unwrap();
    l.done(tx);
    l.forget();
    l.answer(tx, 0, 503);
    l.seen(&["ACK > bob", "500 > caller"]);
}

#[test]
fn it_ends_with_the_life_of_the_transaction() {
    let cfg = TxConfig {
        max_inv_lifetime_ms: 45_000,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Tcp, Proto::Tcp, cfg);
    relay(&mut l, "INVITE", &["bob", "carol", "dave"]);
    l.forget();
    l.wait(60_000);
    l.timed(&[
        (200, "100 > caller"),
        (30_000, "INVITE > carol"),
        (45_000, "408 > caller"),
    ]);
}

#[test]
fn the_number_of_branches_bounds_it() {
    let cfg = TxConfig {
        max_branches: 2,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = relay(&mut l, "INVITE", &["bob", "carol", "dave"]);
    l.send_failed(tx, 0);
    l.send_failed(tx, 1);
    l.seen(&["INVITE > bob", "INVITE > carol", "500 > caller"]);
}

/// The failure route is for the URI, not for one of its targets.
#[test]
fn failure_routes_run_after_the_last_target() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.arm_failure(tx);
    let mut made = spec(&l, tx, 0, &["bob", "carol"]);
    made.on_failure = Some("BRANCH".into());
    l.add_spec(tx, made).unwrap();
    l.done(tx);
    l.forget();
    l.send_failed(tx, 0);
    l.seen(&["INVITE > carol"]);
    l.answer(tx, 1, 486);
    l.seen(&["ACK > carol", "branch BRANCH 486 of 1"]);
    l.branch_failure_done(tx, 1);
    l.seen(&["FAIL 486 of 1"]);
    l.failure_done(tx);
    l.seen(&["486 > caller"]);
}

/// A worker prepares branches with the numbers that are next; before it adds them a
/// target gives way to the next one and takes the number.
#[test]
fn a_branch_whose_number_is_taken_gets_the_next() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    let first = spec(&l, tx, 0, &["bob", "carol"]);
    l.add_spec(tx, first).unwrap();
    let late = l.spec(tx, 1, "dave");
    l.send_failed(tx, 0);
    assert_eq!(l.add_spec(tx, late), Ok(2));
    assert_eq!(l.tx(tx).branch(2).unwrap().origin(), 1);
    l.done(tx);
    l.seen(&["INVITE > bob", "INVITE > carol", "INVITE > dave"]);
    assert_eq!(
        l.last_to("dave").branch(),
        Some(l.layer.branch_token(tx, 2).as_bytes())
    );
    l.answer(tx, 2, 200);
    l.seen(&["200 > caller"]);
}

#[test]
fn both_branches_of_a_fork_have_targets_of_their_own() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    for (index, callees) in [(0, ["bob", "carol"]), (1, ["dave", "erin"])] {
        let made = spec(&l, tx, index, &callees);
        l.add_spec(tx, made).unwrap();
    }
    l.done(tx);
    l.forget();
    l.send_failed(tx, 1);
    l.answer(tx, 0, 503);
    l.seen(&["INVITE > erin", "ACK > bob", "INVITE > carol"]);
    l.answer(tx, 2, 404);
    l.answer(tx, 3, 486);
    l.seen(&["ACK > erin", "ACK > carol", "404 > caller"]);
}

#[test]
fn targets_that_cannot_be_tried_are_none() {
    let targets = Alternates::new(&Bytes::from_static(b"A\r\nB\r\n"), 3, 0, Vec::new(), None);
    assert!(targets.is_none(), "none at all costs nothing");
    let l = Ladder::udp();
    let further = vec![Alternate {
        flow: l.flow("bob"),
        head: None,
    }];
    let short = Alternates::new(&Bytes::from_static(b"A\r\nB\r\n"), 99, 0, further, None);
    assert!(short.is_none(), "a head that is longer than the message");
}
