//! The kernel's part: readiness that sleeping threads wait for, as with epoll.

use std::sync::Arc;
use std::time::Duration;

use loom::sync::{Condvar, Mutex};

use crate::lead::Alarm;
use crate::wake::Event;

/// What is ready now.
#[derive(Debug, Default)]
pub struct Ready {
    /// eventfds, one for each worker.
    pub events: [bool; 2],
    /// The timerfd is set. Time is left to chance: a timer that is set may fire at once.
    pub timer: bool,
    /// Datagrams in the socket.
    pub datagrams: usize,
}

/// All that threads may sleep for.
#[derive(Debug, Default)]
pub struct World {
    ready: Mutex<Ready>,
    changed: Condvar,
}

impl World {
    /// Changes what is ready.
    pub fn change<R>(&self, change: impl FnOnce(&mut Ready) -> R) -> R {
        let result = change(&mut self.ready.lock().unwrap());
        self.changed.notify_all();
        result
    }

    /// `epoll_wait`: sleeps until `found` finds something, or only looks.
    pub fn wait<R>(&self, sleep: bool, found: impl Fn(&Ready) -> Option<R>) -> Option<R> {
        let mut ready = self.ready.lock().unwrap();
        loop {
            let what = found(&ready);
            if what.is_some() || !sleep {
                return what;
            }
            ready = self.changed.wait(ready).unwrap();
        }
    }
}

/// The eventfd of a worker.
pub struct WorldEvent(pub Arc<World>, pub usize);

impl Event for WorldEvent {
    fn signal(&self) {
        self.0.change(|ready| ready.events[self.1] = true);
    }

    fn clear(&self) {
        self.0.change(|ready| ready.events[self.1] = false);
    }
}

/// The timerfd of the nudge.
pub struct WorldAlarm(pub Arc<World>);

impl Alarm for WorldAlarm {
    fn set(&self, after: Duration) {
        self.0.change(|ready| ready.timer = !after.is_zero());
    }
}
