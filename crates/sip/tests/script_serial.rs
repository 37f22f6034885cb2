//! Serial forking: the order of contacts, flows of one user agent, the main destination.

mod script_support;

use script_support::*;
use sipwright_sip::script::serial::{self, Order};
use sipwright_sip::script::{BranchTarget, Context, corex, forward, nathelper, ruri};

fn target(uri: &str, q: Option<u16>, instance: Option<&str>) -> BranchTarget {
    BranchTarget {
        uri: uri.as_bytes().to_vec(),
        q,
        instance: instance.map(|i| i.as_bytes().to_vec()),
        ..BranchTarget::default()
    }
}

/// A request to these destinations, the first of them the main one.
fn to(targets: &[(&str, Option<u16>)]) -> Context {
    let mut c = ctx(INVITE);
    let mut targets = targets.iter().map(|(uri, q)| target(uri, *q, None));
    serial::set_main(&mut c, targets.next().unwrap());
    c.branches.extend(targets);
    c
}

/// Where the request would go now.
fn destinations(c: &Context) -> Vec<String> {
    let all = forward::branches(c).into_iter();
    all.map(|t| String::from_utf8(t.uri).unwrap()).collect()
}

fn ignore<T>(_: T) {}

/// The sets that `t_next_contacts` gives, each used up as by `t_relay`.
fn sets_of(c: &mut Context) -> Vec<Vec<String>> {
    let mut sets = Vec::new();
    while serial::next_contacts(c) == 1 {
        sets.push(destinations(c));
        c.branches.clear();
        c.uri_used = true;
    }
    assert_eq!(serial::next_contacts(c), -2);
    sets
}

// checked against Kamailio 5.6
#[test]
fn contacts_by_q() {
    type Targets = &'static [(&'static str, Option<u16>)];
    let cases: [(Targets, &[&[&str]]); 4] = [
        (
            &[
                ("sip:a", Some(1000)),
                ("sip:b", Some(500)),
                ("sip:c", Some(500)),
            ],
            &[&["sip:a"], &["sip:c", "sip:b"]],
        ),
        (
            &[("sip:a", None), ("sip:b", Some(500)), ("sip:c", Some(500))],
            &[&["sip:c", "sip:b"], &["sip:a"]],
        ),
        (
            &[("sip:a", None), ("sip:b", None), ("sip:c", Some(700))],
            &[&["sip:c"], &["sip:b", "sip:a"]],
        ),
        (
            &[("sip:a", None), ("sip:b", None), ("sip:c", None)],
            &[&["sip:c", "sip:b", "sip:a"]],
        ),
    ];
    for (targets, expected) in cases {
        let mut c = to(targets);
        assert_eq!(serial::load_contacts(&mut c, Order::ByQ), 1);
        assert_eq!(destinations(&c), ["sip:a"], "the main one stays");
        assert_eq!(sets_of(&mut c), expected);
    }
}

#[test]
fn one_destination_is_left_alone() {
    let mut c = to(&[("sip:a", Some(500))]);
    assert_eq!(serial::load_contacts(&mut c, Order::ByQ), 1);
    assert_eq!(serial::next_contacts(&mut c), -2);
    assert_eq!(destinations(&c), ["sip:a"]);
}

#[test]
fn contacts_by_chance() {
    let mut c = to(&[("sip:a", Some(200)), ("sip:b", None), ("sip:c", Some(800))]);
    let mut asked = Vec::new();
    let mut random = |below| {
        asked.push(below);
        200 // the first ticket that is c's, then the only one that is left
    };
    serial::load_contacts(&mut c, Order::ByChance(&mut random));
    assert_eq!(asked, [1000, 200]);
    assert_eq!(sets_of(&mut c), [["sip:c"], ["sip:a"], ["sip:b"]]);
}

/// Every contact is drawn once, and about as often first as its q says.
#[test]
fn chance_follows_q() {
    let mut state = 1_u64;
    let mut random = |below: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((state >> 33) % u64::from(below)) as u32
    };
    let mut first = 0;
    for _ in 0..1_000 {
        let mut c = to(&[("sip:a", Some(200)), ("sip:b", Some(800))]);
        serial::load_contacts(&mut c, Order::ByChance(&mut random));
        let sets = sets_of(&mut c);
        assert_eq!(sets.len(), 2);
        first += u32::from(sets[0] == ["sip:a"]);
    }
    assert!((150..250).contains(&first), "{first} of 1000");
}

#[test]
fn a_contact_brings_all_it_has() {
    let mut c = to(&[("sip:a", Some(100)), ("sip:b", Some(900))]);
    c.branches[0] = BranchTarget {
        dst_uri: Some(b"sip:edge".to_vec()),
        path: Some(b"<sip:p;lr>".to_vec()),
        flags: 4,
        instance: Some(b"<urn:x>".to_vec()),
        reg_id: 2,
        ruid: Some(b"r-1".to_vec()),
        ..c.branches[0].clone()
    };
    let b = c.branches[0].clone();
    serial::load_contacts(&mut c, Order::ByQ);
    serial::next_contacts(&mut c);
    assert_eq!(forward::main_branch(&c), b);
    assert_eq!(get(&c, "$du"), "'sip:edge'");
    serial::next_contacts(&mut c);
    assert_eq!(forward::main_branch(&c), target("sip:a", Some(100), None));
    assert_eq!(c.dst_uri, None);
}

/// RFC 5626 section 5.3: one flow of a user agent at a time.
#[test]
fn flows_of_one_user_agent() {
    let mut c = to(&[("sip:a", None)]);
    c.branches = vec![
        target("sip:x1", Some(500), Some("x")),
        target("sip:y", Some(500), Some("y")),
        target("sip:x2", Some(500), Some("x")),
        target("sip:x3", Some(100), Some("x")),
    ];
    serial::load_contacts(&mut c, Order::ByQ);
    assert_eq!(serial::next_contacts(&mut c), 1);
    assert_eq!(destinations(&c), ["sip:x2", "sip:y"]);
    let sent = forward::branches(&c).into_iter().enumerate();
    c.tx_data.kept().branches = sent.map(|(i, t)| (i as u16, t)).collect();
    c.branches.clear();
    c.uri_used = true;

    assert_eq!(
        serial::next_contact_flow(&mut c, 1),
        -2,
        "y has no other flow"
    );
    assert_eq!(serial::next_contact_flow(&mut c, 9), -2, "no such branch");
    assert_eq!(serial::next_contact_flow(&mut c, 0), 1);
    assert_eq!(destinations(&c), ["sip:x1"]);
    assert_eq!(serial::next_contact_flow(&mut c, 0), -2, "both were tried");
    assert_eq!(serial::next_contacts(&mut c), 1);
    assert_eq!(destinations(&c), ["sip:x3"]);

    assert_eq!(serial::reuse_branch(&mut c, 0), 1);
    assert_eq!(destinations(&c), ["sip:x2"]);
    assert_eq!(serial::reuse_branch(&mut c, 9), -1);
}

#[test]
fn nothing_was_loaded() {
    let mut c = ctx(INVITE);
    assert_eq!(serial::next_contacts(&mut c), -2);
    assert_eq!(serial::next_contact_flow(&mut c, 0), -2);
    assert_eq!(serial::reuse_branch(&mut c, 0), -1);
    assert!(c.tx_data.kept.is_none(), "asking costs no memory");
}

// checked against Kamailio 5.6
#[test]
fn what_makes_the_main_destination_one_again() {
    let used = |act: &dyn Fn(&mut Context)| {
        let mut c = ctx(INVITE);
        c.uri_used = true;
        act(&mut c);
        c.uri_used
    };
    assert!(used(&|_| ()));
    assert!(used(&|c| ignore(ruri::resetdsturi(c))));
    assert!(used(&|c| ignore(corex::append_branch_uri(
        c,
        b"sip:b@example.com"
    ))));
    assert!(!used(&|c| ignore(ruri::seturi(c, b"sip:b@example.com"))));
    assert!(!used(&|c| ignore(ruri::setuser(c, b"b"))));
    assert!(used(&|c| ignore(ruri::setdsturi(c, b"sip:192.0.2.1"))));
    assert!(used(&|c| ignore(corex::append_branch(c))));
    assert!(!used(&|c| {
        ruri::seturi(c, b"sip:b@example.com");
        corex::append_branch(c);
    }));
    assert!(!used(&|c| ignore(sets(c, "$du", "sip:192.0.2.1"))));
    assert!(!used(&|c| ignore(sets(c, "$rd", "example.org"))));
    assert!(!used(&|c| {
        c.new_uri = Some(b"sip:b@10.0.0.1;alias=192.0.2.1~5060~1".to_vec());
        nathelper::handle_ruri_alias(c);
    }));
}

// checked against Kamailio 5.6
#[test]
fn an_appended_main_destination_stays_one() {
    let mut c = ctx(INVITE);
    ruri::setdsturi(&mut c, b"sip:192.0.2.1");
    ruri::seturi(&mut c, b"sip:a@example.com");
    assert_eq!(corex::append_branch(&mut c), 1);
    assert_eq!(destinations(&c), ["sip:a@example.com", "sip:a@example.com"]);
    assert_eq!(corex::append_branch_uri(&mut c, b"sip:b@example.com"), 1);
    ruri::seturi(&mut c, b"sip:c@example.com");
    let all = forward::branches(&c);
    let seen: Vec<_> = all
        .iter()
        .map(|t| (t.uri.as_slice(), t.dst_uri.as_deref()))
        .collect();
    let hop = Some(&b"sip:192.0.2.1"[..]);
    assert_eq!(
        seen,
        [
            (&b"sip:c@example.com"[..], None),
            (b"sip:a@example.com", hop),
            (b"sip:b@example.com", None),
        ],
        "append_branch took the next hop along"
    );
}

#[test]
fn a_snapshot_keeps_what_was_decided() {
    let mut c = ctx(INVITE);
    sets(&mut c, "$avp(a)", "x");
    sets(&mut c, "$du", "sip:192.0.2.1");
    c.branches.push(target("sip:b", None, None));
    sipwright_sip::script::hdr::append(&mut c, b"X-New: 1\r\n");
    let before = sent(&c);
    let kept = c.snapshot();
    assert_eq!(sent(&kept), before);
    assert!(kept.branches.is_empty() && kept.uri_used);
    assert_eq!(get(&kept, "$avp(a)"), get(&ctx(INVITE), "$avp(a)"));
    sipwright_sip::script::hdr::append(&mut c, b"X-Later: 1\r\n");
    assert_ne!(sent(&c), before);
    c.edits_of(&kept);
    assert_eq!(sent(&c), before);
}
