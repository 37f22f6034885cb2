//! Matching requests (RFC 3261 section 17.2.3, 8.2.2.2, 9.2) and responses (17.1.3).

use sipwright_sip::tx::{ClientMatch, ServerMatch, TxConfig, shard_of_request, shard_of_response};
use sipwright_sip::types::Proto;

use crate::ladder::{Ladder, parse, request};

pub const ALL: &[fn()] = &[sent_by_and_branch_make_the_key, ack_for_2xx_by_dialog];

/// RFC 2543: a branch without the cookie says nothing.
fn old(method: &str) -> String {
    request(method).replace("z9hG4bKcaller", "1")
}

#[test]
pub fn sent_by_and_branch_make_the_key() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    let sent_by = |text: &str| request("INVITE").replace("10.0.0.1:5060", text);
    assert_eq!(
        l.receive(&sent_by("10.0.0.1")),
        ServerMatch::Retransmission(tx)
    );
    for other in ["10.0.0.2:5060", "10.0.0.1:5062"] {
        assert_eq!(l.receive(&sent_by(other)), ServerMatch::None, "{other}");
        assert_eq!(l.merged(), Some(tx), "{other}");
    }
    let branch = request("INVITE").replace("bKcaller", "bKCaller");
    assert_eq!(l.receive(&branch), ServerMatch::None);
    assert_eq!(l.merged(), Some(tx));
}

#[test]
fn the_host_of_sent_by_has_no_case() {
    let mut l = Ladder::udp();
    let tx = l.receive_new(&request("INVITE").replace("10.0.0.1", "Alice.example.com"));
    let lower = request("INVITE").replace("10.0.0.1", "alice.example.com");
    assert_eq!(l.receive(&lower), ServerMatch::Retransmission(tx));
}

#[test]
fn the_method_must_match() {
    let mut l = Ladder::udp();
    l.get("INVITE");
    assert_eq!(l.receive(&request("INFO")), ServerMatch::None);
}

#[test]
fn merged_request_by_another_path() {
    let mut l = Ladder::udp();
    let tx = l.get("INVITE");
    let other = request("INVITE").replace("bKcaller", "bKother");
    assert_eq!(l.receive(&other), ServerMatch::None);
    assert_eq!(l.merged(), Some(tx));
    let second = l.create(); // a proxy forwards a spiral
    assert_eq!(l.receive(&other), ServerMatch::Retransmission(second));
    let next = other
        .replace("CSeq: 7", "CSeq: 8")
        .replace("bKother", "bKnext");
    assert_eq!(l.receive(&next), ServerMatch::None);
    assert_eq!(l.merged(), None);
    let in_dialog = request("INVITE").replace("bKcaller", "bKin").replace(
        "To: <sip:bob@example.com>",
        "To: <sip:bob@example.com>;tag=b",
    );
    assert_eq!(l.receive(&in_dialog), ServerMatch::None);
    assert_eq!(l.merged(), None);
}

#[test]
fn cancel_finds_its_invite() {
    let mut l = Ladder::udp();
    assert_eq!(l.receive(&request("CANCEL")), ServerMatch::None);
    let invite = l.get("INVITE");
    assert_eq!(
        l.receive(&request("CANCEL")),
        ServerMatch::Cancel { invite }
    );
    let own = l.create();
    assert_eq!(
        l.receive(&request("CANCEL")),
        ServerMatch::Retransmission(own)
    );
    l.reply(own, 200).unwrap();
    assert_eq!(
        l.receive(&request("CANCEL")),
        ServerMatch::Retransmission(own)
    );
    l.seen(&["200 > caller", "200 > caller"]);
}

#[test]
fn cancel_is_for_invite_only() {
    let mut l = Ladder::udp();
    l.get("OPTIONS");
    assert_eq!(l.receive(&request("CANCEL")), ServerMatch::None);
}

#[test]
pub fn ack_for_2xx_by_dialog() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let ack = request("ACK").replace("bKcaller", "bKack");
    assert_eq!(l.receive(&ack), ServerMatch::None); // no 2xx yet
    l.answer(tx, 0, 200);
    assert_eq!(l.receive(&ack), ServerMatch::Ack { tx, to_2xx: true });
    let other = ack.replace("CSeq: 7", "CSeq: 9");
    assert_eq!(l.receive(&other), ServerMatch::None);
}

#[test]
fn ack_after_a_late_2xx() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    l.answer(tx, 0, 408);
    l.ack();
    l.answer(tx, 0, 200);
    let ack = request("ACK").replace("bKcaller", "bKack");
    assert_eq!(l.receive(&ack), ServerMatch::Ack { tx, to_2xx: true });
}

#[test]
fn old_request_by_its_headers() {
    let mut l = Ladder::udp();
    let tx = l.receive_new(&old("INVITE"));
    assert_eq!(l.receive(&old("INVITE")), ServerMatch::Retransmission(tx));
    assert_eq!(
        l.receive(&old("CANCEL")),
        ServerMatch::Cancel { invite: tx }
    );
    for (from, to) in [
        ("sip:bob@example.com SIP", "sip:bob@example.org SIP"),
        ("Call-ID: ladder", "Call-ID: other"),
        ("tag=a", "tag=b"),
        ("CSeq: 7", "CSeq: 8"),
    ] {
        let other = old("INVITE").replace(from, to);
        let found = l.receive(&other);
        assert_ne!(found, ServerMatch::Retransmission(tx), "{to}");
        assert_eq!(
            l.receive(&other.replace("INVITE", "CANCEL")),
            ServerMatch::None
        );
    }
    let in_dialog = old("INVITE").replace(
        "To: <sip:bob@example.com>",
        "To: <sip:bob@example.com>;tag=x",
    );
    assert_eq!(l.receive(&in_dialog), ServerMatch::None);
}

/// The ACK of RFC 2543 has the To tag of the response.
#[test]
fn old_ack_by_the_tag_of_the_response() {
    let mut l = Ladder::udp();
    let tx = l.receive_new(&old("INVITE"));
    l.reply(tx, 486).unwrap();
    let tag = l.tx(tx).to_tag();
    let ack = |tag: &str| {
        old("ACK").replace(
            "To: <sip:bob@example.com>",
            &format!("To: <sip:bob@example.com>;tag={tag}"),
        )
    };
    assert_eq!(l.receive(&ack("other")), ServerMatch::None);
    assert_eq!(
        l.receive(&ack(&tag)),
        ServerMatch::Ack { tx, to_2xx: false }
    );
}

#[test]
fn a_request_without_branch() {
    let mut l = Ladder::udp();
    let bare = |method| request(method).replace(";branch=z9hG4bKcaller", "");
    let tx = l.receive_new(&bare("OPTIONS"));
    assert_eq!(l.receive(&bare("OPTIONS")), ServerMatch::Retransmission(tx));
    assert_eq!(l.receive(&request("OPTIONS")), ServerMatch::None);
    assert_eq!(l.merged(), Some(tx));
}

#[test]
fn a_new_connection_takes_over() {
    let mut l = Ladder::tcp();
    let tx = l.get("OPTIONS");
    let mut flow = l.flow("caller");
    flow.conn = 99;
    let mut out = Vec::new();
    let request = l.request.clone();
    let found = l.layer.lookup(l.now, &request, &flow, &mut out);
    assert_eq!(found, ServerMatch::Retransmission(tx));
    assert_eq!(l.tx(tx).reply_flow().conn, 99);
}

#[test]
fn a_finished_transaction_matches_nothing() {
    let mut l = Ladder::tcp();
    let tx = l.get("OPTIONS");
    l.reply(tx, 200).unwrap();
    l.done(tx);
    l.wait(0);
    assert_eq!(l.receive(&request("OPTIONS")), ServerMatch::None);
    let next = l.create();
    assert_eq!(next.slot, tx.slot);
    assert_ne!(next, tx);
    assert!(l.layer.get(tx).is_none());
    assert!(!l.layer.pin(tx));
    l.send_failed(tx, 0); // of no consequence
    assert!(l.reply(tx, 200).is_err());
    assert!(l.add(tx, "bob").is_err());
}

#[test]
fn a_response_is_matched_by_token_and_method() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let response = l.response(tx, 0, 200, "");
    assert_eq!(shard_of_response(&response), Some(1));
    let text = String::from_utf8(response.bytes().to_vec()).unwrap();
    for forged in [
        text.replace("7 INVITE", "7 OPTIONS"),
        text.replace("7 INVITE", "7 CANCEL"), // none was sent
        text.replace("z9hG4bKsw", "z9hG4bKxx"),
        text.replace("z9hG4bKsw", "z9hG4bKsw0"),
        text.replace("z9hG4bKsw", "z9hG4bK"),
        text.replace("z9hG4bKsw", "z9hG4bKsw\u{e9}"),
        text.replace(";branch=", ";brunch="),
    ] {
        assert_eq!(
            l.arrive_message(&parse(forged.clone())),
            ClientMatch::None,
            "{forged}"
        );
    }
    assert_eq!(
        l.arrive_message(&response),
        ClientMatch::Deliver { tx, branch: 0 }
    );
    l.discard(tx, 0, 200);
}

#[test]
fn a_token_for_a_branch_that_was_never_added() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let own = l.layer.branch_token(tx, 0);
    let next = l.layer.branch_token(tx, 1);
    let text = String::from_utf8(l.response(tx, 0, 200, "").bytes().to_vec()).unwrap();
    let found = l.arrive_message(&parse(text.replace(&own, &next)));
    assert_eq!(found, ClientMatch::None);
}

#[test]
fn a_response_for_a_transaction_that_is_gone() {
    let mut l = Ladder::tcp();
    let tx = l.get("OPTIONS");
    l.relay(tx, &["bob"]);
    let response = l.response(tx, 0, 200, "");
    l.answer(tx, 0, 200);
    l.wait(0);
    assert_eq!(l.arrive_message(&response), ClientMatch::None);
    l.get("OPTIONS"); // the slot has a new tenant
    assert_eq!(l.arrive_message(&response), ClientMatch::None);
}

#[test]
fn the_shard_of_a_call_is_always_the_same() {
    let shard = |method| shard_of_request(&parse(request(method)), 16);
    assert!(shard("INVITE") < 16);
    assert_eq!(shard("INVITE"), shard("CANCEL"));
    assert_eq!(shard("INVITE"), shard("ACK"));
    assert_eq!(shard_of_request(&parse(request("BYE")), 0), 0);
}

/// RFC 3261 section 18.2.2, RFC 3581 section 4.
#[test]
fn where_responses_go() {
    let cases = [
        ("10.0.0.1:5060", "10.0.0.1:5060"),
        ("10.9.9.9:7000", "10.0.0.1:7000"), // received
        ("10.9.9.9", "10.0.0.1:5060"),
        ("10.9.9.9:7000;rport", "10.0.0.1:5060"),
        ("10.9.9.9:7000;maddr=10.0.4.1", "10.0.4.1:7000"),
    ];
    for (sent_by, target) in cases {
        let mut l = Ladder::udp();
        let tx = l.receive_new(&request("OPTIONS").replace("10.0.0.1:5060", sent_by));
        assert_eq!(
            l.tx(tx).reply_flow().remote.to_string(),
            target,
            "{sent_by}"
        );
    }
    let mut l = Ladder::udp();
    let tx = l.receive_new(&request("OPTIONS").replace("10.0.0.1:5060", "10.9.9.9:7000"));
    l.layer.force_rport(tx);
    assert_eq!(l.tx(tx).reply_flow().remote.to_string(), "10.0.0.1:5060");
}

/// Requests of RFC 2543 clients, with and without what they must have in common.
#[test]
fn looser_matching_without_a_unique_branch() {
    let old = request("OPTIONS").replace("z9hG4bKcaller", "1");
    let other_uri = old.replace("OPTIONS sip:bob@", "OPTIONS sip:carol@");
    let other_via = old.replace("branch=1", "branch=2");
    let found = |ruri_matching, via1_matching, second: &str| {
        let cfg = TxConfig {
            ruri_matching,
            via1_matching,
            ..TxConfig::default()
        };
        let mut l = Ladder::with(Proto::Udp, Proto::Udp, cfg);
        let tx = l.receive_new(&old);
        l.receive(second) == ServerMatch::Retransmission(tx)
    };
    for (ruri, via) in [(true, true), (true, false), (false, true), (false, false)] {
        assert!(found(ruri, via, &old));
        assert_eq!(found(ruri, via, &other_uri), !ruri, "{ruri} {via}");
        assert_eq!(found(ruri, via, &other_via), !via, "{ruri} {via}");
    }
}

/// A request of ours as it comes back: with our Via of a branch below another one.
fn returned(l: &Ladder, tx: sipwright_sip::tx::TxId, sender: &str) -> sipwright_sip::Message {
    let token = l.layer.branch_token(tx, 0);
    let vias = format!(
        "Via: SIP/2.0/UDP {sender};branch=z9hG4bKnext\r\nVia: SIP/2.0/UDP proxy;branch={token}\r\nVia:"
    );
    parse(request("INVITE").replacen("Via:", &vias, 1))
}

/// RFC 5393 section 4: the same request again, by the way of somebody else.
#[test]
fn a_loop_is_noticed() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let caller = l.flow("caller");
    let back = returned(&l, tx, "10.0.0.1");
    assert!(l.layer.is_loop(&back, &caller));
    assert!(!l.layer.is_loop(&l.request, &caller), "no Via of ours");
    // By the time that it comes from there again it is one, since our second
    // transaction is among the Vias too.
    assert!(
        !l.layer.is_loop(&back, &l.flow("carol")),
        "from somewhere else"
    );
}

/// A spiral is no loop: something that decides on the way has changed.
#[test]
fn a_spiral_is_no_loop() {
    let mut l = Ladder::udp();
    let tx = l.invite(&["bob"]);
    let caller = l.flow("caller");
    let text = String::from_utf8(returned(&l, tx, "10.0.0.1").bytes().to_vec()).unwrap();
    for (from, to) in [
        ("INVITE sip:bob@", "INVITE sip:carol@"),
        ("CSeq: 7 INVITE", "CSeq: 8 INVITE"),
        ("Call-ID: ladder", "Call-ID: other"),
        ("example.com>;tag=a", "example.com>;tag=b"),
        (
            "To: <sip:bob@example.com>",
            "To: <sip:bob@example.com>;tag=x",
        ),
        ("Max-Forwards", "Route: <sip:p;lr>\r\nMax-Forwards"),
        ("Max-Forwards", "Proxy-Require: x\r\nMax-Forwards"),
        (
            "Max-Forwards",
            "Proxy-Authorization: Digest x\r\nMax-Forwards",
        ),
        ("branch=z9hG4bKsw", "branch=z9hG4bKxx"),
    ] {
        let spiral = parse(text.replacen(from, to, 1));
        assert!(!l.layer.is_loop(&spiral, &caller), "{to}");
    }
    assert!(l.layer.is_loop(&parse(text), &caller));
}
