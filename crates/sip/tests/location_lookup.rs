//! Look-ups that the table alone answers: destinations of the request in work.

mod script_support;

use script_support::{ctx, get};
use sipwright_sip::location::{Binding, Found, NO_Q, Rules, Table, lookup};
use sipwright_sip::script::Context;

const NOW: i64 = 1_000;

fn message(uri: &str) -> Context {
    ctx(&format!(
        "MESSAGE {uri} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:25080;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\n\
         To: <sip:bob@example.com>\nCall-ID: 1\nCSeq: 1 MESSAGE\nContent-Length: 0\n\n"
    ))
}

fn binding(ruid: &str, q: i16) -> Binding {
    Binding {
        uri: format!("sip:{ruid}@192.0.2.1").into(),
        ruid: ruid.into(),
        user_agent: "phone".into(),
        socket: "udp:[::1]:25060".into(),
        cflags: 4,
        expires_at: NOW + 1,
        q,
        ..Binding::default()
    }
}

fn rules() -> Rules {
    Rules {
        gruu: true,
        ..Rules::default()
    }
}

fn of(bindings: impl IntoIterator<Item = Binding>) -> Table {
    let mut table = Table::default();
    for one in bindings {
        table.put("bob", one);
    }
    table
}

fn found(table: &Table, c: &mut Context) -> Found {
    lookup(table, c, &rules(), false, NOW)
}

#[test]
fn the_best_is_the_request_uri_and_the_others_are_branches() {
    let mut behind_nat = binding("nat", 900);
    behind_nat.received = "sip:198.51.100.7:5062".into();
    behind_nat.instance = "<urn:uuid:1>".into();
    behind_nat.reg_id = 2;
    let mut ended = binding("ended", 1000);
    ended.expires_at = NOW;
    let table = of([binding("plain", NO_Q), behind_nat, ended]);
    let mut c = message("sip:BOB@example.com");
    assert_eq!(found(&table, &mut c), Found::Contacts);
    assert_eq!(c.uri(), b"sip:nat@192.0.2.1");
    assert_eq!(get(&c, "$du"), "'sip:198.51.100.7:5062'");
    assert_eq!(get(&c, "$ruid"), "'nat'");
    assert_eq!(get(&c, "$location_ua"), "'phone'");
    assert_eq!((c.q, c.bflags, c.force_socket), (Some(900), 4, Some(3)));
    let kept = c.binding.as_ref().unwrap();
    assert_eq!(kept.instance.as_deref(), Some(&b"<urn:uuid:1>"[..]));
    assert_eq!(kept.reg_id, 2);
    assert_eq!(c.branches.len(), 1);
    let other = &c.branches[0];
    assert_eq!(other.uri, b"sip:plain@192.0.2.1");
    assert_eq!((other.q, other.flags, other.socket), (None, 4, Some(3)));
    assert_eq!((&other.dst_uri, &other.path), (&None, &None));
    assert_eq!(other.ruid.as_deref(), Some(&b"plain"[..]));
}

#[test]
fn only_the_best_on_request() {
    let table = of([binding("a", 500), binding("b", 900)]);
    let mut c = message("sip:bob@example.com");
    assert_eq!(lookup(&table, &mut c, &rules(), true, NOW), Found::Contacts);
    assert_eq!(c.uri(), b"sip:b@192.0.2.1");
    assert!(c.branches.is_empty());
}

#[test]
fn a_socket_that_is_gone_is_not_forced() {
    let mut moved = binding("a", NO_Q);
    moved.socket = "udp:192.0.2.9:5060".into();
    let mut c = message("sip:bob@example.com");
    c.force_socket = Some(1);
    assert_eq!(found(&of([moved]), &mut c), Found::Contacts);
    assert_eq!(c.force_socket, Some(1));
}

#[test]
fn nobody_is_there() {
    let mut ended = binding("a", NO_Q);
    ended.expires_at = NOW;
    for table in [Table::default(), of([ended])] {
        let mut c = message("sip:bob@example.com");
        assert_eq!(found(&table, &mut c), Found::Nothing);
        assert_eq!(c.uri(), b"sip:bob@example.com");
    }
}

#[test]
fn the_rest_is_for_the_registrar() {
    let mut along = binding("a", NO_Q);
    along.path = "<sip:edge.example.com;lr>".into();
    let mut broken = binding("b", NO_Q);
    broken.uri = "sip:b@192.0.2.1\r\nX: y".into();
    for (table, uri) in [
        (of([along]), "sip:bob@example.com"),
        (of([broken]), "sip:bob@example.com"),
        (
            of([binding("c", NO_Q)]),
            "sip:bob@example.com;gr=urn:uuid:1",
        ),
        (of([binding("c", NO_Q)]), "urn:service:sos"),
    ] {
        let mut c = message(uri);
        assert_eq!(found(&table, &mut c), Found::NotPlain, "{uri}");
        assert_eq!(c.uri(), uri.as_bytes());
        assert!(c.branches.is_empty() && c.binding.is_none());
    }
}
