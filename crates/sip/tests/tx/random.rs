//! Anything in any order: nothing panics, and in the end nothing is left.

use proptest::prelude::*;
use sipwright_sip::tx::{ClientMatch, DropReplies, Output, SERVER, ServerMatch, TxId};
use sipwright_sip::types::Proto;

use crate::ladder::{Ladder, request};
use crate::rfc3263_failover::spec;

#[derive(Clone, Copy, Debug)]
enum Step {
    Receive { invite: bool, branch: u8 },
    Ack { branch: u8 },
    Cancel,
    CancelBranch(u16),
    Add,
    AddTargets,
    Reply(u16),
    Done,
    Release,
    Arm,
    ArmBranches,
    FailureDone,
    BranchFailureDone(u16),
    Respond { branch: u16, code: u16 },
    Deliver,
    Discard,
    AnswerCancel(u16),
    SendFailed(u16),
    ReplyFailed,
    Drop,
    SetFr(u32),
    Wait(u32),
}

fn code() -> impl Strategy<Value = u16> {
    prop::sample::select(vec![100, 180, 200, 302, 401, 407, 408, 486, 487, 503, 603])
}

fn step() -> impl Strategy<Value = Step> {
    let branch = 0_u16..4;
    prop_oneof![
        1 => (any::<bool>(), 0_u8..3).prop_map(|(invite, branch)| Step::Receive { invite, branch }),
        1 => (0_u8..3).prop_map(|branch| Step::Ack { branch }),
        1 => Just(Step::Cancel),
        1 => branch.clone().prop_map(Step::CancelBranch),
        3 => Just(Step::Add),
        2 => Just(Step::AddTargets),
        1 => code().prop_map(Step::Reply),
        1 => Just(Step::Done),
        1 => Just(Step::Release),
        1 => Just(Step::Arm),
        1 => Just(Step::ArmBranches),
        2 => Just(Step::FailureDone),
        1 => branch.clone().prop_map(Step::BranchFailureDone),
        6 => (branch.clone(), code()).prop_map(|(branch, code)| Step::Respond { branch, code }),
        4 => Just(Step::Deliver),
        1 => Just(Step::Discard),
        1 => code().prop_map(Step::AnswerCancel),
        1 => branch.prop_map(Step::SendFailed),
        1 => Just(Step::ReplyFailed),
        1 => Just(Step::Drop),
        1 => (0_u32..50_000).prop_map(Step::SetFr),
        3 => (0_u32..60_000).prop_map(Step::Wait),
    ]
}

fn is_cancel(bytes: &bytes::Bytes) -> bool {
    bytes.starts_with(b"CANCEL")
}

/// A ladder, the transaction that steps are about, and what is promised to the layer.
struct World {
    ladder: Ladder,
    tx: Option<TxId>,
    arrived: Vec<(TxId, u16, u16)>,
}

impl World {
    fn take(&mut self, step: Step) {
        let l = &mut self.ladder;
        if let Step::Receive { invite, branch } = step {
            let method = if invite { "INVITE" } else { "OPTIONS" };
            let text = request(method).replace("bKcaller", &format!("bK{method}{branch}"));
            self.tx = match l.receive(&text) {
                ServerMatch::None => Some(l.create()),
                ServerMatch::Retransmission(tx) => Some(tx),
                other => panic!("{other:?}"),
            };
        }
        let Some(tx) = self.tx.filter(|&tx| l.layer.get(tx).is_some()) else {
            return;
        };
        match step {
            Step::Receive { .. } => {}
            Step::Ack { branch } => {
                let text = request("ACK").replace("bKcaller", &format!("bKINVITE{branch}"));
                l.receive(&text);
            }
            Step::Cancel => l.cancel(tx),
            Step::CancelBranch(branch) => l.cancel_branch(tx, branch),
            Step::Add => drop(l.add(tx, "bob")),
            Step::AddTargets => {
                let index = l.tx(tx).branches().len() as u16;
                let spec = spec(l, tx, index, &["bob", "carol", "bob"]);
                let _ = l.add_spec(tx, spec);
            }
            Step::Reply(code) => drop(l.reply(tx, code)),
            Step::Done => l.done(tx),
            Step::Release => l.release(tx),
            Step::Arm => l.arm_failure(tx),
            Step::ArmBranches => l.hooks(tx).on_branch_failure = Some("B".into()),
            Step::FailureDone => l.failure_done(tx),
            Step::BranchFailureDone(branch) => l.branch_failure_done(tx, branch),
            Step::Respond { branch, code } => self.respond(tx, branch, code),
            Step::Deliver => self.deliver(),
            Step::Discard => {
                if let Some((tx, branch, code)) = self.arrived.pop() {
                    self.ladder.discard(tx, branch, code);
                }
            }
            Step::AnswerCancel(code) => {
                let to_bob = |(to, bytes): &(String, _)| to == "bob" && is_cancel(bytes);
                if l.sent.iter().any(to_bob) {
                    l.answer_cancel("bob", code);
                }
            }
            Step::SendFailed(branch) => l.send_failed(tx, branch),
            Step::ReplyFailed => l.send_failed(tx, SERVER),
            Step::Drop => l.drop_replies(tx, DropReplies::All),
            Step::SetFr(ms) => l.set_fr(tx, ms, ms / 2),
            Step::Wait(ms) => l.wait(u64::from(ms)),
        }
    }

    fn respond(&mut self, tx: TxId, branch: u16, code: u16) {
        if self.ladder.tx(tx).branch(branch).is_some()
            && let ClientMatch::Deliver { .. } = self.ladder.arrive(tx, branch, code)
        {
            self.arrived.push((tx, branch, code));
        }
    }

    fn deliver(&mut self) {
        if let Some((tx, branch, code)) = self.arrived.pop() {
            self.ladder.deliver(tx, branch, code);
        }
    }

    /// Keeps every promise, for as long as new ones come of it.
    fn end(&mut self) {
        while !self.arrived.is_empty() {
            self.deliver();
        }
        for _ in 0..4 {
            let all: Vec<(TxId, u16)> = self
                .ladder
                .layer
                .iter()
                .map(|tx| (tx.id(), tx.branches().len() as u16))
                .collect();
            for (tx, branches) in all {
                self.ladder.done(tx);
                (0..branches).for_each(|b| self.ladder.branch_failure_done(tx, b));
                self.ladder.failure_done(tx);
            }
            self.ladder.wait(400_000);
        }
    }
}

fn run(proto: Proto, steps: Vec<Step>) {
    let mut world = World {
        ladder: Ladder::over(proto, proto),
        tx: None,
        arrived: Vec::new(),
    };
    steps.into_iter().for_each(|step| world.take(step));
    world.end(); // and the end of a ladder checks that nothing is left
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_left_over_udp(steps in prop::collection::vec(step(), 0..60)) {
        run(Proto::Udp, steps);
    }

    #[test]
    fn nothing_is_left_over_tcp(steps in prop::collection::vec(step(), 0..60)) {
        run(Proto::Tcp, steps);
    }

    /// Strangers' branch parameters never match and never panic.
    #[test]
    fn foreign_branches_match_nothing(branch in "[!-~&&[^;,\"<>@()]]{0,60}") {
        let mut l = Ladder::udp();
        let tx = l.invite(&["bob"]);
        let own = l.layer.branch_token(tx, 0);
        for made in [branch.clone(), format!("z9hG4bK{branch}"), format!("z9hG4bKsw{branch}")] {
            let text = String::from_utf8(l.response(tx, 0, 200, "").bytes().to_vec()).unwrap();
            if let Ok(msg) = sipwright_sip::Message::parse(text.replace(&own, &made).into()) {
                let mut out: Vec<Output<_>> = Vec::new();
                prop_assert_eq!(l.layer.respond(l.now, &msg, &mut out), ClientMatch::None);
                prop_assert!(out.is_empty());
            }
        }
    }
}
