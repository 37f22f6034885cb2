//! The DNS thread against a name server of the test's own on loopback.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, ResourceRecord};
use sipwright_engine::dns::{Dns, DnsConfig, Key, Kind, Nothing, Policy, Records, Wanted};
use sipwright_sip::types::Proto;

/// Answers every query of type A with 192.0.2.1, except names that begin with `slow`,
/// which get nothing.
struct NameServer {
    addr: SocketAddr,
    queries: Arc<AtomicUsize>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    fn start(ttl: u32) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let addr = socket.local_addr().unwrap();
        let (queries, end) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (counted, ends) = (Arc::clone(&queries), Arc::clone(&end));
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while !ends.load(Ordering::SeqCst) {
                let Ok((len, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                counted.fetch_add(1, Ordering::SeqCst);
                if let Some(reply) = Self::reply(&buffer[..len], ttl) {
                    socket.send_to(&reply, from).unwrap();
                }
            }
        });
        Self {
            addr,
            queries,
            end,
            thread: Some(thread),
        }
    }

    fn reply(query: &[u8], ttl: u32) -> Option<Vec<u8>> {
        let query = Packet::parse(query).unwrap();
        let question = query.questions[0].clone();
        if question.qname.to_string().starts_with("slow") {
            return None;
        }
        let mut reply = Packet::new_reply(query.id());
        if question.qtype == simple_dns::QTYPE::TYPE(simple_dns::TYPE::A) {
            let data = RData::A(A {
                address: 0xc000_0201,
            });
            let name = question.qname.clone();
            reply
                .answers
                .push(ResourceRecord::new(name, CLASS::IN, ttl, data));
        }
        reply.questions.push(question);
        Some(reply.build_bytes_vec().unwrap())
    }

    fn count(&self) -> usize {
        self.queries.load(Ordering::SeqCst)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn dns(server: &NameServer, change: impl FnOnce(&mut DnsConfig)) -> Dns {
    let mut config = DnsConfig {
        nameservers: vec![server.addr],
        hosts_file: "/dev/null".into(),
        timeout_ms: 100,
        total_ms: 500,
        ..DnsConfig::default()
    };
    change(&mut config);
    let dns = Dns::new(config, 1);
    dns.start().unwrap();
    dns
}

fn policy() -> Policy {
    Policy {
        sockets: vec![(Proto::Udp, true)],
        ..Policy::default()
    }
}

fn wanted(host: &str) -> Wanted {
    Wanted {
        host: host.into(),
        port: None,
        proto: None,
        secure: false,
    }
}

/// The address found, waiting for it if need be.
fn find(dns: &Dns, host: &str) -> Option<String> {
    let found = match dns.locate(&wanted(host), &policy(), None) {
        Ok(found) => found,
        Err(search) => dns.wait(search),
    };
    found.ok().map(|targets| targets[0].addr.to_string())
}

#[test]
fn many_wait_for_one_query() {
    let server = NameServer::start(60);
    let dns = dns(&server, |_| {});
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| find(&dns, "a.example")))
            .collect();
        for each in asking {
            assert_eq!(each.join().unwrap().as_deref(), Some("192.0.2.1:5060"));
        }
    });
    assert_eq!(
        server.count(),
        1,
        "one query for all, and none once it is known"
    );
    assert!(dns.locate(&wanted("a.example"), &policy(), None).is_ok());
    dns.stop();
}

#[test]
fn a_ttl_of_0_serves_the_search_that_asked_and_no_other() {
    let server = NameServer::start(0);
    let dns = dns(&server, |_| {});
    for asked in 1..=3 {
        assert_eq!(find(&dns, "a.example").as_deref(), Some("192.0.2.1:5060"));
        assert_eq!(server.count(), asked);
    }
    assert_eq!(dns.cached(), 0);
    dns.stop();
}

#[test]
fn a_silent_server_costs_its_tries_and_is_remembered() {
    let server = NameServer::start(60);
    let dns = dns(&server, |_| {});
    let begin = Instant::now();
    assert_eq!(find(&dns, "slow.example"), None);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(190), "{took:?}");
    assert_eq!(server.count(), 2, "one try and one more");
    assert_eq!(find(&dns, "slow.example"), None);
    assert_eq!(server.count(), 2, "it is not asked again at once");
    let key = Key::new("slow.example", Kind::A).unwrap();
    assert_eq!(*dns.lookup(&key), Records::None(Nothing::Failed));
    dns.stop();
}

#[test]
fn no_search_takes_longer_than_its_limit() {
    let server = NameServer::start(60);
    let dns = dns(&server, |config| {
        config.timeout_ms = 60_000;
        config.total_ms = 200;
    });
    let begin = Instant::now();
    assert_eq!(find(&dns, "slow.example"), None);
    let took = begin.elapsed();
    let limits = Duration::from_millis(190)..Duration::from_secs(30);
    assert!(limits.contains(&took), "{took:?}");
    dns.stop();
}

#[test]
fn a_slow_name_delays_no_other() {
    let server = NameServer::start(60);
    let dns = dns(&server, |config| {
        config.timeout_ms = 3000;
        config.total_ms = 3000;
    });
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| find(&dns, "slow.example"));
        for i in 0..20 {
            assert!(find(&dns, &format!("n{i}.example")).is_some());
        }
        assert!(!slow.is_finished(), "the others did not wait for it");
        assert_eq!(slow.join().unwrap(), None);
    });
    dns.stop();
}

#[test]
fn more_queries_than_sockets_wait_their_turn() {
    let server = NameServer::start(60);
    let dns = dns(&server, |config| {
        config.timeout_ms = 5000;
        config.total_ms = 10_000;
    });
    let (tell, told) = std::sync::mpsc::channel();
    for i in 0..1500 {
        let host = format!("n{i}.example");
        let Err(search) = dns.locate(&wanted(&host), &policy(), None) else {
            panic!("{host} is not known yet");
        };
        let tell = tell.clone();
        dns.then(search, move |found| tell.send(found.is_ok()).unwrap());
    }
    let found = (0..1500).filter(|_| told.recv_timeout(Duration::from_secs(20)).unwrap());
    assert_eq!(found.count(), 1500);
    dns.stop();
}

#[test]
fn the_end_leaves_nobody_waiting() {
    let server = NameServer::start(60);
    let dns = dns(&server, |config| {
        config.timeout_ms = 60_000;
        config.total_ms = 60_000;
    });
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| find(&dns, "slow.example"));
        while server.count() == 0 {
            std::thread::yield_now();
        }
        let begin = Instant::now();
        dns.stop();
        assert_eq!(waiting.join().unwrap(), None);
        assert!(
            begin.elapsed() < Duration::from_secs(2),
            "{:?}",
            begin.elapsed()
        );
    });
    assert_eq!(
        find(&dns, "late.example"),
        None,
        "after the end nobody waits either"
    );
}

#[test]
fn a_dead_server_gives_way_to_the_next() {
    let server = NameServer::start(60);
    let dead = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dns = dns(&server, |config| {
        config.nameservers = vec![dead, server.addr];
        config.timeout_ms = 5000;
        config.total_ms = 10_000;
    });
    let begin = Instant::now();
    assert!(find(&dns, "a.example").is_some());
    assert!(
        begin.elapsed() < Duration::from_secs(3),
        "ICMP said so at once"
    );
    dns.stop();
}
