//! The lead over the UDP sockets: whoever has it and is stuck loses it to a worker that waits.

use std::sync::Arc;

use loom::thread;

use crate::lead::{Found, Lead, Nudge, STUCK_AFTER_US};
use crate::queue::JobQueue;
use crate::world::{Ready, World, WorldAlarm};

/// Later than any time of the model: a worker that is away is stuck.
const LATE_US: u64 = 100 * STUCK_AFTER_US;

struct Server {
    lead: Lead,
    nudge: Nudge<WorldAlarm>,
    queue: JobQueue<u32>,
    world: Arc<World>,
}

impl Server {
    fn new() -> Arc<Self> {
        let world = Arc::new(World::default());
        Arc::new(Self {
            lead: Lead::default(),
            nudge: Nudge::new(WorldAlarm(Arc::clone(&world))),
            queue: JobQueue::new(8),
            world,
        })
    }

    fn arrive(&self) {
        self.world.change(|ready| ready.datagrams += 1);
    }

    /// `Worker::wait` and `try_next`: the job that a worker takes up.
    fn next(&self, worker: usize, now_us: u64) -> u32 {
        let mut leads = false;
        loop {
            if let Some(job) = self.queue.pop() {
                // Also where the job came after the last look of the wait.
                if leads {
                    self.lead.leave(worker, 1);
                    self.nudge.call(now_us);
                }
                return job;
            }
            leads = self.lead.back(worker);
            if leads {
                self.nudge.call_off(now_us);
            }
            let jobs = !self.queue.is_empty();
            let woken = self.world.wait(!jobs, |ready: &Ready| {
                let datagrams = leads && ready.datagrams > 0;
                (datagrams || ready.timer).then_some((datagrams, ready.timer))
            });
            let (datagrams, nudged) = woken.unwrap_or_default();
            if datagrams {
                self.read();
            }
            if nudged {
                self.nudge.came();
            }
            let pending = !self.queue.is_empty();
            if nudged && self.lead.look_after(worker, now_us) == Found::Stuck {
                self.nudge.be_exact(now_us);
                leads = true;
            }
            if pending && std::mem::take(&mut leads) {
                self.lead.leave(worker, 1);
                self.nudge.call(now_us);
            }
        }
    }

    fn read(&self) {
        let read = self
            .world
            .change(|ready| std::mem::take(&mut ready.datagrams));
        for _ in 0..read {
            self.queue.push(1).unwrap();
        }
    }
}

fn search(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(model);
}

/// A nudge that is called while another one is being answered still comes: either
/// the timer is set, or the one who answers sees the job.
#[test]
fn a_nudge_called_while_one_is_answered_is_not_lost() {
    search(4, || {
        let server = Server::new();
        server.nudge.call(LATE_US);
        let caller = thread::spawn({
            let server = Arc::clone(&server);
            move || {
                server.queue.push(1).unwrap();
                server.nudge.call(LATE_US);
            }
        });
        server.nudge.came();
        let seen = !server.queue.is_empty();
        caller.join().unwrap();
        let set = server.world.change(|ready| ready.timer);
        assert!(seen || set, "a job waits and no timer runs");
        // And the next one is not refused for a timer that no longer runs.
        server.nudge.call(LATE_US);
        assert!(server.world.change(|ready| ready.timer));
    });
}

/// The same while the leader calls it off.
#[test]
fn a_nudge_called_while_it_is_called_off_is_not_lost() {
    search(4, || {
        let server = Server::new();
        server.nudge.be_exact(LATE_US);
        server.nudge.call(LATE_US);
        let caller = thread::spawn({
            let server = Arc::clone(&server);
            move || {
                server.queue.push(1).unwrap();
                server.nudge.call(LATE_US);
            }
        });
        server.nudge.call_off(LATE_US);
        let seen = !server.queue.is_empty();
        caller.join().unwrap();
        let set = server.world.change(|ready| ready.timer);
        assert!(seen || set, "a job waits and no timer runs");
        server.nudge.call(LATE_US);
        assert!(server.world.change(|ready| ready.timer));
    });
}

/// Only one worker takes the lead over, and the former leader knows.
#[test]
fn the_lead_of_a_stuck_worker_goes_to_one_other() {
    search(4, || {
        let lead = Arc::new(Lead::default());
        assert!(lead.back(0));
        lead.leave(0, 1);
        let takers = [1, 2].map(|worker| {
            let lead = Arc::clone(&lead);
            thread::spawn(move || lead.look_after(worker, LATE_US))
        });
        let found = takers.map(|taker| taker.join().unwrap());
        assert_eq!(found.iter().filter(|f| **f == Found::Stuck).count(), 1);
        let holders = (0..3).filter(|w| lead.back(*w)).count();
        assert_eq!(holders, 1);
        assert!(!lead.back(0));
    });
}

/// Worker 0 reads two datagrams and is stuck in its script with the first; worker 1
/// takes the second and is stuck as well; worker 0 comes back. A third datagram
/// then has a reader: else worker 0 would sleep for ever, which loom reports.
#[test]
fn whoever_comes_back_first_reads() {
    search(2, || {
        let server = Server::new();
        server.arrive();
        server.arrive();
        let other = thread::spawn({
            let server = Arc::clone(&server);
            // It never comes back from its script.
            move || server.next(1, LATE_US)
        });
        let first = server.next(0, LATE_US);
        other.join().unwrap();
        server.arrive();
        assert_eq!((first, server.next(0, LATE_US)), (1, 1));
    });
}

/// A holder that comes back just when it is replaced does not say of the other one
/// that it is there: that one could be stuck unnoticed.
#[test]
fn who_was_replaced_speaks_for_itself_alone() {
    search(4, || {
        let lead = Arc::new(Lead::default());
        assert!(lead.back(0));
        lead.leave(0, 1);
        let former = thread::spawn({
            let lead = Arc::clone(&lead);
            move || lead.back(0)
        });
        let found = lead.look_after(1, LATE_US);
        lead.leave(1, LATE_US);
        let still = former.join().unwrap();
        assert_eq!(still, found == Found::Present);
        if found == Found::Stuck {
            let late = LATE_US + STUCK_AFTER_US;
            assert_eq!(lead.look_after(0, late), Found::Stuck);
        }
    });
}
