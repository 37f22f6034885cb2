//! Jobs reach sleeping workers, and the end reaches everyone.

use std::sync::Arc;

use loom::thread;

use crate::mailbox::Mailbox;
use crate::queue::JobQueue;
use crate::sleep::Sleepers;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::world::{World, WorldEvent};

/// What an engine thread and the workers share of `Shared` and `Core`.
struct Server {
    queue: JobQueue<u32>,
    sleepers: Sleepers,
    mailboxes: Vec<Mailbox<u32, WorldEvent>>,
    stopping: AtomicBool,
    world: Arc<World>,
}

impl Server {
    fn new(workers: usize) -> Arc<Self> {
        let world = Arc::new(World::default());
        let event = |worker| WorldEvent(Arc::clone(&world), worker);
        let mailbox = |worker| Mailbox::new(String::new(), event(worker));
        Arc::new(Self {
            queue: JobQueue::new(8),
            sleepers: Sleepers::new(workers),
            mailboxes: (0..workers).map(mailbox).collect(),
            stopping: AtomicBool::new(false),
            world,
        })
    }

    /// `Core::queue_job` of an engine thread.
    fn queue_job(&self, job: u32) {
        self.queue.push(job).unwrap();
        self.sleepers
            .wake_one(|worker| self.mailboxes[worker].waker().wake());
    }

    /// `Engine::stop`.
    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for mailbox in &self.mailboxes {
            mailbox.waker().wake();
        }
    }

    /// `WorkerPort::wait`: one sleep; the commands that came.
    fn doze(&self, worker: usize) -> Vec<u32> {
        let waker = self.mailboxes[worker].waker();
        let woken = self.sleepers.sleep(worker, || {
            let jobs = !self.queue.is_empty();
            let found = |ready: &crate::world::Ready| ready.events[worker].then_some(());
            self.world.wait(!jobs, found).is_some()
        });
        if !woken {
            return Vec::new();
        }
        waker.lower();
        self.mailboxes[worker].take()
    }

    /// `Worker::next` until the end: the jobs this worker has done.
    fn work(&self, worker: usize) -> Vec<u32> {
        let mut done = Vec::new();
        while !self.stopping.load(Ordering::SeqCst) {
            if let Some(job) = self.queue.pop() {
                done.push(job);
                continue;
            }
            self.doze(worker);
        }
        done
    }

    /// The same, but until one job is done.
    fn work_once(&self, worker: usize) -> u32 {
        loop {
            if let Some(job) = self.queue.pop() {
                return job;
            }
            self.doze(worker);
        }
    }
}

fn search(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// A worker that is going to sleep and a job that comes: it never sleeps on.
#[test]
fn a_job_wakes_a_worker_that_is_going_to_sleep() {
    search(4, || {
        let server = Server::new(1);
        let worker = thread::spawn({
            let server = Arc::clone(&server);
            move || server.work_once(0)
        });
        server.queue_job(7);
        assert_eq!(worker.join().unwrap(), 7);
    });
}

/// Two jobs, from two engine threads, and two workers that take one each: nobody is
/// left asleep while a job waits.
#[test]
fn two_jobs_wake_two_workers() {
    search(2, || {
        let server = Server::new(2);
        let workers = [0, 1].map(|index| {
            let server = Arc::clone(&server);
            thread::spawn(move || server.work_once(index))
        });
        server.queue_job(1);
        server.queue_job(2);
        let mut done = workers.map(|worker| worker.join().unwrap());
        done.sort_unstable();
        assert_eq!(done, [1, 2]);
    });
}

/// A stop meets workers that sleep, are going to, or take a job: all end.
#[test]
fn a_stop_reaches_every_worker() {
    search(2, || {
        let server = Server::new(2);
        let workers = [0, 1].map(|index| {
            let server = Arc::clone(&server);
            thread::spawn(move || server.work(index))
        });
        server.queue_job(1);
        server.stop();
        let done: Vec<u32> = workers.map(|w| w.join().unwrap()).concat();
        // Either a worker has done it or it still waits; `drain` goes before `stop`.
        assert_eq!(done.len() + server.queue.len(), 1);
    });
}

/// A connection that is handed over while its new owner ends is served, or given
/// back to whoever closes it: never lost, never twice.
#[test]
fn a_connection_handed_over_to_a_worker_that_ends_is_not_lost() {
    search(4, || {
        let server = Server::new(1);
        assert!(server.mailboxes[0].open());
        let worker = thread::spawn({
            let server = Arc::clone(&server);
            move || {
                let mut adopted = server.mailboxes[0].take();
                adopted.extend(server.mailboxes[0].shut());
                adopted
            }
        });
        let given_back = server.mailboxes[0].post(5).err();
        let adopted = worker.join().unwrap();
        let mut found = adopted;
        found.extend(given_back);
        assert_eq!(found, [5]);
        assert!(!server.mailboxes[0].is_open());
        assert_eq!(server.mailboxes[0].post(6), Err(6));
    });
}

/// A command wakes a worker that sleeps, whatever it does otherwise.
#[test]
fn a_command_wakes_its_reactor() {
    search(4, || {
        let server = Server::new(1);
        assert!(server.mailboxes[0].open());
        let worker = thread::spawn({
            let server = Arc::clone(&server);
            move || {
                let mut seen = Vec::new();
                while seen.len() < 2 {
                    seen.extend(server.doze(0));
                }
                seen
            }
        });
        server.mailboxes[0].post(1).unwrap();
        server.mailboxes[0].post(2).unwrap();
        assert_eq!(worker.join().unwrap(), [1, 2]);
    });
}

#[test]
fn a_queue_keeps_order_and_refuses_over_its_bound() {
    loom::model(|| {
        let queue = JobQueue::new(2);
        assert_eq!(queue.push(1), Ok(()));
        assert_eq!(queue.push(2), Ok(()));
        assert_eq!(queue.push(3), Err(3));
        queue.push_unbounded(4);
        assert_eq!(queue.len(), 3);
        let all = [queue.pop(), queue.pop(), queue.pop(), queue.pop()];
        assert_eq!(all, [Some(1), Some(2), Some(4), None]);
        assert!(queue.is_empty());
    });
}
