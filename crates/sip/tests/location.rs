//! Location tables: order, changes for the database, sweeps, addresses-of-record.

use sipwright_sip::location::{AorRules, Binding, NO_Q, State, Table, canonical_aor, methods_mask};

fn binding(ruid: &str, q: i16, expires_at: i64) -> Binding {
    Binding {
        uri: format!("sip:{ruid}@192.0.2.1").into(),
        ruid: ruid.into(),
        q,
        expires_at,
        ..Binding::default()
    }
}

fn ruids(table: &Table, aor: &str) -> Vec<String> {
    table.get(aor).iter().map(|b| b.ruid.to_string()).collect()
}

#[test]
fn bindings_are_tried_by_q_and_then_by_age() {
    let mut table = Table::new(false, false);
    for (ruid, q) in [("a", NO_Q), ("b", 500), ("c", 900), ("d", 500)] {
        table.put("alice", binding(ruid, q, 100));
    }
    assert_eq!(ruids(&table, "alice"), ["c", "b", "d", "a"]);
    table.put("alice", binding("a", 1000, 100));
    assert_eq!(ruids(&table, "alice"), ["a", "c", "b", "d"]);
    table.put("alice", binding("b", 500, 200));
    assert_eq!(ruids(&table, "alice"), ["a", "c", "b", "d"]);
    assert_eq!((table.len(), table.users()), (4, 1));
}

#[test]
fn the_newest_comes_first_on_request() {
    let mut table = Table::new(true, false);
    table.put("alice", binding("a", 900, 100));
    table.put("alice", binding("b", 100, 100));
    table.put("alice", binding("a", 900, 200));
    assert_eq!(ruids(&table, "alice"), ["a", "b"]);
}

#[test]
fn changes_are_told_once() {
    let mut table = Table::new(false, true);
    table.put("alice", binding("a", NO_Q, 100));
    table.put("alice", binding("a", NO_Q, 200));
    let changes = table.take_changes(10);
    assert_eq!(changes.written.len(), 1);
    assert_eq!(changes.written[0].1.state, State::New);
    assert_eq!(changes.written[0].1.expires_at, 200);
    assert!(table.take_changes(10).written.is_empty());
    table.put("alice", binding("a", NO_Q, 300));
    assert_eq!(table.take_changes(10).written[0].1.state, State::Dirty);
    assert!(table.remove("alice", "a").is_some());
    let changes = table.take_changes(10);
    assert_eq!((changes.written.len(), changes.removed.len()), (0, 1));
    assert_eq!(table.pending(), 0);
}

#[test]
fn what_the_database_never_saw_need_not_be_removed_there() {
    let mut table = Table::new(false, true);
    table.put("alice", binding("a", NO_Q, 100));
    table.remove_all("alice");
    let changes = table.take_changes(10);
    assert!(changes.written.is_empty() && changes.removed.is_empty());
}

#[test]
fn a_binding_for_memory_only_is_never_written() {
    let mut table = Table::new(false, true);
    let kept = Binding {
        flags: Binding::MEMORY_ONLY,
        ..binding("a", NO_Q, 100)
    };
    table.put("alice", kept);
    assert!(table.take_changes(10).written.is_empty());
}

#[test]
fn sweeps_and_pages_go_in_steps() {
    let mut table = Table::new(false, false);
    for user in 0..10 {
        table.put(
            &format!("u{user}"),
            binding(&format!("r{user}"), NO_Q, 100 + user),
        );
    }
    table.put("u3", binding("forever", NO_Q, 0));
    let (mut ended, mut at, mut steps) = (Vec::new(), 0, 0);
    loop {
        at = table.sweep(at, 3, 104, &mut ended);
        steps += 1;
        if at == 0 {
            break;
        }
    }
    assert_eq!(
        (ended.len(), steps, table.len(), table.users()),
        (5, 4, 6, 6)
    );
    assert_eq!(ruids(&table, "u3"), ["forever"]);
    // Places that have become free are used again.
    table.put("new", binding("new", NO_Q, 0));
    let (mut found, mut at) = (Vec::new(), 0);
    loop {
        at = table.page(at, 4, |_| true, &mut found);
        if at == 0 {
            break;
        }
    }
    assert_eq!(found.len(), 7);
}

#[test]
fn instances_are_found_by_record_id() {
    let mut table = Table::new(false, false);
    let new = Binding {
        instance: "<urn:uuid:1>".into(),
        ..binding("a", NO_Q, 100)
    };
    table.put("alice", new);
    assert_eq!(table.aor_of("a"), Some("alice"));
    table.remove("alice", "a");
    assert_eq!(table.aor_of("a"), None);
}

#[test]
fn canonical_addresses_of_record() {
    let domain = AorRules {
        use_domain: true,
        realm_prefix: "sip.".into(),
        ..AorRules::default()
    };
    let cased = AorRules {
        case_sensitive: true,
        ..domain.clone()
    };
    let text = |uri: &str, rules: &AorRules| {
        canonical_aor(uri.as_bytes(), rules).map(|a| String::from_utf8(a).unwrap())
    };
    for (uri, user, full) in [
        ("sip:alice@example.com", "alice", "alice@example.com"),
        (
            "SIPS:Alice@SIP.EXAMPLE.com:5061;transport=tls?x=y",
            "alice",
            "alice@example.com",
        ),
        (
            "sip:%61lice:secret@example.com",
            "alice",
            "alice@example.com",
        ),
        ("sip:a;b?c@[2001:DB8::1]:5060", "a;b?c", "a;b?c@2001:db8::1"),
        (
            "sip:example.com;transport=tcp",
            "example.com",
            "example.com",
        ),
        ("sip:a%00b%0d%0a@c", "a%00b%0d%0a", "a%00b%0d%0a@c"),
        ("sip:a%2500@c", "a%2500", "a%2500@c"),
        (
            "tel:+1-201-555.0123;phone-context=x",
            "+12015550123",
            "+12015550123",
        ),
    ] {
        assert_eq!(
            text(uri, &AorRules::default()).as_deref(),
            Some(user),
            "{uri}"
        );
        assert_eq!(text(uri, &domain).as_deref(), Some(full), "{uri}");
    }
    assert_eq!(text("sip:Al@Ex.com", &cased).as_deref(), Some("Al@ex.com"));
    for none in ["", "alice", "mailto:a@b", "sip:", "sip:alice@", "tel:"] {
        assert_eq!(text(none, &domain), None, "{none}");
    }
}

#[test]
fn methods_are_bits() {
    assert_eq!(methods_mask(b"INVITE, ACK,BYE"), 1 | 4 | 8);
    assert_eq!(methods_mask(b"INVITE,ACK,REGISTER,FOO"), 524_325);
    assert_eq!(methods_mask(b" , "), 0);
}
