//! One worker reads UDP at a time; another takes over when it stays in its script.

mod net_support;

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use net_support::{LIMIT, Recorder, config, request};
use sipwright_engine::net::{Net, Sink, WorkerPort};
use sipwright_sip::types::Proto;

struct Stage {
    sink: Arc<Recorder>,
    net: Net,
    client: UdpSocket,
}

impl Stage {
    fn new() -> Self {
        let mut cfg = config(&[Proto::Udp]);
        cfg.workers = 2;
        // The relief reader stays out of it.
        cfg.relief_after_ms = 60_000;
        let sink = Arc::new(Recorder::default());
        let net = Net::bind(&cfg, Arc::clone(&sink) as Arc<dyn Sink>).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self { sink, net, client }
    }

    fn send(&self, call_id: &str) {
        self.client
            .send_to(&request(call_id, ""), self.net.sockets()[0].addr)
            .unwrap();
    }
}

/// Waits until this port has read a message.
fn read_one(port: &mut WorkerPort) {
    let end = Instant::now() + LIMIT;
    while port.wait(Some(LIMIT)).messages == 0 {
        assert!(Instant::now() < end, "nothing was read");
    }
}

#[test]
fn a_worker_that_waits_does_not_read_while_another_leads() {
    let stage = Stage::new();
    let (mut first, mut second) = (stage.net.worker(0).unwrap(), stage.net.worker(1).unwrap());
    stage.send("one");
    read_one(&mut first);
    // Back in its wait the first one still leads: what comes is not for the second.
    assert_eq!(first.wait(Some(Duration::ZERO)).messages, 0);
    stage.send("two");
    assert_eq!(second.wait(Some(Duration::from_millis(20))).messages, 0);
    read_one(&mut first);
    assert_eq!(stage.sink.messages(2).len(), 2);
}

#[test]
fn a_worker_takes_over_from_one_that_stays_in_its_script() {
    let stage = Stage::new();
    let (mut first, mut second) = (stage.net.worker(0).unwrap(), stage.net.worker(1).unwrap());
    stage.send("one");
    read_one(&mut first);
    // The first worker does not come back.
    stage.send("two");
    read_one(&mut second);
    stage.send("three");
    // It comes back later, as one that no longer leads.
    assert_eq!(first.wait(Some(Duration::ZERO)).messages, 0);
    read_one(&mut second);
    assert_eq!(stage.sink.messages(3).len(), 3);
}

#[test]
fn the_lead_is_free_again_when_its_worker_ends() {
    let stage = Stage::new();
    let mut first = stage.net.worker(0).unwrap();
    stage.send("one");
    read_one(&mut first);
    assert_eq!(first.wait(Some(Duration::ZERO)).messages, 0);
    drop(first);
    let mut second = stage.net.worker(1).unwrap();
    stage.send("two");
    read_one(&mut second);
}
