//! Forking and the response context: RFC 3261 sections 16.6 to 16.9.

use sipwright_sip::tx::{BranchError, DropReplies, Outcome, State, TxConfig};
use sipwright_sip::types::Proto;
use sipwright_sip::{HeaderId, Message};

use crate::ladder::Ladder;

pub const ALL: &[fn()] = &[first_2xx_cancels_the_others, a_6xx_cancels_the_others];

/// All three callees fail so; what goes upstream?
#[track_caller]
fn best_of(codes: [u16; 3]) -> u16 {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol", "dave"]);
    for (branch, code) in (0..).zip(codes) {
        assert_eq!(l.tx(tx).final_code(), 0, "not before all have failed");
        l.answer(tx, branch, code);
    }
    let upstream = l.last_to("caller");
    assert_eq!(upstream.status(), l.tx(tx).final_code());
    upstream.status()
}

#[test]
fn the_best_failure() {
    for (codes, best) in [
        ([500, 404, 302], 302),
        ([500, 404, 486], 404),
        ([503, 500, 504], 500),
        ([404, 486, 401], 401),
        ([404, 407, 486], 407),
        ([404, 484, 420], 420),
        ([484, 415, 420], 415),
        ([404, 484, 486], 484),
        ([404, 401, 603], 603),
        ([600, 302, 603], 600),
        ([503, 503, 503], 500), // section 16.7 step 6
        ([408, 480, 500], 408),
    ] {
        assert_eq!(best_of(codes), best, "{codes:?}");
    }
}

#[test]
fn a_503_may_be_left_alone() {
    let cfg = TxConfig {
        remap_503: false,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 503);
    l.seen(&["INVITE > bob", "ACK > bob", "503 > caller"]);
}

#[test]
fn a_remapped_503_keeps_its_headers() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let response = l.response(tx, 0, 503, "Retry-After: 5\r\n");
    l.arrive_message(&response);
    l.deliver_message(tx, 0, &response);
    let upstream = l.last_to("caller");
    assert_eq!(upstream.status(), 500);
    assert_eq!(upstream.reason(), b"Server Internal Error");
    assert_eq!(upstream.value(HeaderId::RetryAfter), Some(&b"5"[..]));
}

/// Section 16.7 steps 5 and 10.
#[test]
pub fn first_2xx_cancels_the_others() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol", "dave"]);
    l.answer(tx, 0, 180);
    l.answer(tx, 1, 180);
    l.forget();
    l.answer(tx, 1, 200);
    l.seen(&["200 > caller", "CANCEL > bob"]); // dave has not said anything yet
    let cancel = l.last_to("bob");
    assert_eq!(
        cancel.value(HeaderId::Reason),
        Some(&b"SIP;cause=200;text=\"Call completed elsewhere\""[..])
    );
    l.answer_cancel("bob", 200);
    l.answer(tx, 0, 487);
    l.seen(&["ACK > bob"]);
    l.answer(tx, 2, 180); // now he can be cancelled
    l.seen(&["CANCEL > dave"]);
    l.answer(tx, 2, 200); // but he was faster
    l.seen(&["200 > caller"]);
}

#[test]
fn no_reason_when_not_wanted() {
    let cfg = TxConfig {
        cancel_reason: false,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.invite(&["bob", "carol"]);
    l.answer(tx, 0, 180);
    l.answer(tx, 1, 200);
    assert_eq!(l.last_to("bob").value(HeaderId::Reason), None);
}

#[test]
pub fn a_6xx_cancels_the_others() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol"]);
    l.answer(tx, 0, 180);
    l.forget();
    l.answer(tx, 1, 603);
    l.seen(&["ACK > carol", "CANCEL > bob"]); // not forwarded yet
    assert_eq!(
        l.last_to("bob").value(HeaderId::Reason),
        Some(&b"SIP;cause=603"[..])
    );
    l.answer(tx, 0, 487);
    l.seen(&["ACK > bob", "603 > caller"]);
}

#[test]
fn a_6xx_may_be_made_ordinary() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.layer.get_mut(tx).unwrap().set_disable_6xx(true);
    l.relay(tx, &["bob", "carol"]);
    l.answer(tx, 0, 180);
    l.forget();
    l.answer(tx, 1, 603);
    l.seen(&["ACK > carol"]);
    l.answer(tx, 0, 486);
    l.seen(&["ACK > bob", "603 > caller"]); // still the best one
}

#[test]
fn two_callees_answer() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol"]);
    l.answer(tx, 0, 200);
    l.answer(tx, 1, 200);
    l.seen(&[
        "INVITE > bob",
        "INVITE > carol",
        "200 > caller",
        "200 > caller",
    ]);
    assert_eq!(l.state(tx), State::Accepted);
}

/// Section 16.7 step 5: of other requests only one 2xx goes up.
#[test]
fn two_callees_answer_a_message() {
    let mut l = Ladder::udp();
    let tx = l.get("MESSAGE");
    l.relay(tx, &["bob", "carol"]);
    l.answer(tx, 0, 404);
    l.answer(tx, 1, 200);
    l.seen(&["MESSAGE > bob", "MESSAGE > carol", "200 > caller"]);
}

fn challenges(msg: &Message, id: HeaderId) -> Vec<String> {
    msg.all(id)
        .map(|h| String::from_utf8_lossy(msg.get(h.value)).into_owned())
        .collect()
}

/// Section 16.7 step 7.
#[test]
fn challenges_are_aggregated() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol", "dave"]);
    let lines = [
        (407, "Proxy-Authenticate: Digest realm=\"b\"\r\n"),
        (
            401,
            "WWW-Authenticate: Digest realm=\"c\"\r\nProxy-Authenticate: Digest realm=\"c2\"\r\n",
        ),
        (486, "WWW-Authenticate: Digest realm=\"no\"\r\n"),
    ];
    for (branch, (code, lines)) in (0..).zip(lines) {
        let response = l.response(tx, branch, code, lines);
        l.arrive_message(&response);
        l.deliver_message(tx, branch, &response);
    }
    let upstream = l.last_to("caller");
    assert_eq!(upstream.status(), 401);
    assert_eq!(upstream.to_tag(), Some(&b"callee1"[..]));
    assert_eq!(
        challenges(&upstream, HeaderId::WwwAuthenticate),
        ["Digest realm=\"c\""]
    );
    assert_eq!(
        challenges(&upstream, HeaderId::ProxyAuthenticate),
        ["Digest realm=\"c2\"", "Digest realm=\"b\""]
    );
}

#[test]
fn one_silent_branch_holds_the_answer_back() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol"]);
    l.answer(tx, 0, 404);
    l.forget();
    l.wait(29_999);
    assert_eq!(l.tx(tx).final_code(), 0);
    l.forget();
    l.wait(1);
    l.timed(&[(30_000, "404 > caller")]);
    assert!(!l.tx(tx).branch(0).unwrap().is_timed_out());
    assert!(l.tx(tx).branch(1).unwrap().is_timed_out());
    assert!(!l.tx(tx).branch(1).unwrap().is_replied());
}

#[test]
fn a_408_made_here_has_the_tag_of_the_transaction() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let tag = l.tx(tx).to_tag();
    l.wait(30_000);
    let upstream = l.last_to("caller");
    assert_eq!(upstream.status(), 408);
    assert_eq!(upstream.to_tag(), Some(tag.as_bytes()));
}

#[test]
fn lines_for_responses_made_here() {
    let cfg = TxConfig {
        reply_headers: "Server: Sipwright\r\n".into(),
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.get("INVITE");
    l.trying(tx);
    assert_eq!(
        l.last_to("caller").value(HeaderId::Server),
        Some(&b"Sipwright"[..])
    );
}

#[test]
fn a_script_reply_cancels_the_branches() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    l.forget();
    l.reply(tx, 480).unwrap();
    l.seen(&["480 > caller", "CANCEL > bob"]);
    l.answer(tx, 0, 487);
    l.seen(&["ACK > bob"]);
}

#[test]
fn a_discarded_provisional_goes_nowhere() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.arrive(tx, 0, 183);
    l.discard(tx, 0, 183);
    l.seen(&["INVITE > bob"]);
    l.answer(tx, 0, 200);
    l.seen(&["200 > caller"]);
}

#[test]
fn a_discarded_final_counts_as_500() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.arrive(tx, 0, 486);
    l.discard(tx, 0, 486);
    l.seen(&["INVITE > bob", "ACK > bob", "500 > caller"]);
}

#[test]
fn branches_that_are_refused() {
    let cfg = TxConfig {
        max_branches: 2,
        ..TxConfig::default()
    };
    let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
    let tx = l.get("INVITE");
    let wrong = l.spec(tx, 1, "bob");
    assert_eq!(l.add_spec(tx, wrong), Err(BranchError::Index));
    assert_eq!(l.add(tx, "bob"), Ok(0));
    assert_eq!(l.add(tx, "carol"), Ok(1));
    assert_eq!(l.add(tx, "dave"), Err(BranchError::TooMany));
    l.cancel(tx);
    assert_eq!(l.add(tx, "dave"), Err(BranchError::Cancelled));

    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    l.reply(tx, 404).unwrap();
    assert_eq!(l.add(tx, "bob"), Err(BranchError::Replied));
    l.nothing_sent_to("bob");
}

impl Ladder {
    #[track_caller]
    fn nothing_sent_to(&self, peer: &str) {
        assert!(self.sent.iter().all(|(to, _)| to != peer));
    }
}

#[test]
fn what_a_branch_tells() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 180);
    let branch = l.tx(tx).branch(0).unwrap();
    assert_eq!(branch.uri(), "sip:bob@example.com");
    assert_eq!(branch.flow(), &l.flow("bob"));
    assert_eq!(branch.code(), 180);
    assert_eq!(branch.outcome(), Outcome::Pending);
    assert!(branch.is_replied());
    l.answer(tx, 0, 486);
    assert_eq!(l.tx(tx).branch(0).unwrap().code(), 486);
    assert_eq!(l.tx(tx).branch(0).unwrap().reply(), None); // went upstream
}

/// Of equals that of the first branch goes upstream, in whatever order they came.
/// checked against Kamailio 5.6
#[test]
fn the_first_of_equals_is_the_best() {
    for (answers, winner) in [
        ([(0, 486), (1, 486), (2, 486)], "callee0"),
        ([(2, 486), (1, 486), (0, 486)], "callee0"),
        ([(1, 480), (2, 480), (0, 480)], "callee0"),
        ([(2, 404), (0, 486), (1, 404)], "callee1"),
    ] {
        let mut l = Ladder::udp();
        let tx = l.invite(&["bob", "carol", "dave"]);
        for (branch, code) in answers {
            l.answer(tx, branch, code);
        }
        let tag = l.last_to("caller").to_tag().map(<[u8]>::to_vec);
        assert_eq!(tag.as_deref(), Some(winner.as_bytes()), "{answers:?}");
    }
}

/// What a failure route adds takes the place of what failed before (checked against
/// Kamailio 5.6), unless `t_drop_replies` says otherwise.
#[test]
fn equals_of_two_sets() {
    for (wish, winner) in [
        (None, "callee1"),
        (Some(DropReplies::All), "callee1"),
        (Some(DropReplies::Nothing), "callee0"),
    ] {
        let mut l = Ladder::udp();
        let tx = l.get("INVITE");
        l.arm_failure(tx);
        l.relay(tx, &["bob"]);
        l.answer(tx, 0, 486);
        if let Some(wish) = wish {
            l.drop_replies(tx, wish);
        }
        l.add(tx, "carol").unwrap();
        l.add(tx, "dave").unwrap();
        l.failure_done(tx);
        l.answer(tx, 2, 486);
        l.answer(tx, 1, 486);
        let tag = l.last_to("caller").to_tag().map(<[u8]>::to_vec);
        assert_eq!(tag.as_deref(), Some(winner.as_bytes()), "{wish:?}");
    }
}

/// `t_branch_replied`: the response that makes the branch fail does not count, a
/// timeout is none.
#[test]
fn responses_before_the_present_one() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob", "carol", "dave", "erin"]);
    l.answer(tx, 0, 404);
    l.answer(tx, 1, 180);
    l.answer(tx, 1, 404);
    l.answer(tx, 2, 180);
    l.wait(120_000); // dave rings for ever, erin is silent
    let seen: Vec<_> = l.tx(tx).branches().iter().collect();
    let before: Vec<_> = seen.iter().map(|b| b.is_replied_before()).collect();
    assert_eq!(before, [false, true, true, false]);
    let any: Vec<_> = seen.iter().map(|b| b.is_replied()).collect();
    assert_eq!(any, [true, true, true, false]);
}
