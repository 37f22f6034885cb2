//! The tables against the ladders: every transition is exercised.

use std::collections::BTreeSet;

use sipwright_sip::tx::{Event, Kind, State, Then, Transition};

use crate::{cancel, forking, invite_client, invite_server, ladder, matching};
use crate::{non_invite_client, non_invite_server};

/// The ladders that go through the machines state by state.
const LADDERS: [&[fn()]; 7] = [
    invite_server::ALL,
    non_invite_server::ALL,
    invite_client::ALL,
    non_invite_client::ALL,
    cancel::ALL,
    forking::ALL,
    matching::ALL,
];

/// Every step that the tables allow; those that change nothing too.
fn allowed() -> BTreeSet<Transition> {
    let mut steps = BTreeSet::new();
    for kind in Kind::ALL {
        for row in kind.table().rows {
            let to = match row.then {
                Then::Go(next, _) => next,
                Then::Ignore => row.state,
                Then::Never => continue,
            };
            steps.extend(row.events.iter().map(|&event| Transition {
                kind,
                from: row.state,
                event,
                to,
            }));
        }
    }
    steps
}

#[test]
fn every_transition_is_exercised() {
    LADDERS.into_iter().flatten().for_each(|ladder| ladder());
    let taken = ladder::steps();
    let allowed = allowed();
    let untested: Vec<_> = allowed.difference(&taken).collect();
    assert!(untested.is_empty(), "no ladder takes {untested:#?}");
    let illegal: Vec<_> = taken.difference(&allowed).collect();
    assert!(illegal.is_empty(), "taken without a row: {illegal:#?}");
}

/// Whatever is said in prose about a table is a row of it.
#[test]
fn every_state_leads_to_the_end() {
    for kind in Kind::ALL {
        let table = kind.table();
        let mut ends = BTreeSet::from([State::Terminated]);
        for _ in 0..table.rows.len() {
            for row in table.rows {
                if matches!(row.then, Then::Go(next, _) if ends.contains(&next)) {
                    ends.insert(row.state);
                }
            }
        }
        for row in table.rows {
            assert!(ends.contains(&row.state), "{kind:?} {:?}", row.state);
        }
    }
}

#[test]
fn a_machine_does_not_know_events_of_others() {
    assert!(
        Kind::InviteClient
            .table()
            .row(State::Calling, Event::TimerF)
            .is_none()
    );
    assert!(
        Kind::NonInviteServer
            .table()
            .row(State::Confirmed, Event::Request)
            .is_none()
    );
    assert!(
        Kind::NonInviteClient
            .table()
            .row(State::Trying, Event::TimerE)
            .is_some()
    );
}
