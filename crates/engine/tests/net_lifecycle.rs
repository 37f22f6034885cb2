//! Starting, stopping, forking, resting.

mod net_support;

use std::io::Write;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use net_support::{
    Certificate, Recorder, Server, connect, read_to_end, request, tag, tls_connect, until,
};
use rustls::version::TLS13;
use sipwright_engine::config::TlsMode;
use sipwright_engine::net::threads::{self, ThreadKind};
use sipwright_engine::net::{Net, SendError, Sink};
use sipwright_sip::types::Proto;

const ALL: [Proto; 3] = [Proto::Udp, Proto::Tcp, Proto::Tls];

/// Clients of every transport that go on until told to stop, whatever happens.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn on(server: &Server, certificate: &Certificate) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (udp, tcp, tls) = (server.addr(0), server.addr(1), server.addr(2));
        let config = certificate.client_config(&[&TLS13]);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let work: Vec<Box<dyn FnMut() + Send>> = vec![
            Box::new(move || drop(socket.send_to(&request("load", ""), udp))),
            Box::new(move || {
                if let Ok(mut client) = std::net::TcpStream::connect(tcp) {
                    let _ = client.write_all(&request("load", "").repeat(20));
                }
            }),
            Box::new(move || {
                if let Ok(mut client) = tls_connect(tls, &config, "localhost") {
                    let _ = client.write_all(&request("load", ""));
                }
            }),
        ];
        let threads = work.into_iter().map(|mut step| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    step();
                }
            })
        });
        Self {
            threads: threads.collect(),
            stop,
        }
    }

    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

#[test]
fn fifty_starts_and_stops_under_load_leave_nothing_behind() {
    let certificate = Certificate::new();
    let modes = [TlsMode::Inline, TlsMode::Handshake, TlsMode::Full];
    for round in 0..50 {
        let mut server = Server::start(&certificate.config(&ALL, modes[round % 3]));
        let load = Load::on(&server, &certificate);
        until("every transport is in use", || {
            server.stat("received_udp") > 0
                && server.stat("received_tcp") > 0
                && server.stat("received_tls") > 0
        });
        let begun = Instant::now();
        server.stop();
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "round {round}: {took:?}");
        load.end();
        assert_eq!(server.stat("connections_open"), 0, "round {round}");
        assert_eq!(server.stat("handshakes_pending"), 0, "round {round}");
        assert_eq!(server.stat("thread_panics"), 0, "round {round}");
        assert!(server.net.conns().is_empty());
    }
}

#[test]
fn threads_are_named_listed_and_gone_after_stop() {
    let certificate = Certificate::new();
    let mut cfg = certificate.config(&ALL, TlsMode::Full);
    cfg.tls.threads = 3;
    // Other tests of this process have threads as well: look at those that are new.
    let before: Vec<_> = threads::list().iter().map(|t| t.tid).collect();
    let mut server = Server::start(&cfg);
    let third = || {
        let all = threads::list();
        all.into_iter()
            .find(|t| t.name == "sw-tls-2" && !before.contains(&t.tid))
    };
    until("the third thread runs", || third().is_some());
    let found = third().unwrap();
    assert_eq!(found.kind, ThreadKind::Tls);
    let comm = std::fs::read_to_string(format!("/proc/self/task/{}/comm", found.tid)).unwrap();
    assert_eq!(comm.trim(), "sw-tls-2");
    server.stop();
    assert!(threads::list().iter().all(|t| t.tid != found.tid));
    until("the kernel has let go of it", || {
        !std::path::Path::new(&format!("/proc/self/task/{}", found.tid)).exists()
    });
}

#[test]
fn sockets_are_bound_before_anything_is_accepted() {
    let certificate = Certificate::new();
    let sink = Arc::new(Recorder::default());
    let cfg = certificate.config(&ALL, TlsMode::Full);
    let net = Net::bind(&cfg, Arc::clone(&sink) as Arc<dyn Sink>).unwrap();
    let client = connect(net.sockets()[1].addr);
    let mut early = client.try_clone().unwrap();
    early.write_all(&request("early", "")).unwrap();
    assert_eq!(net.stats().connections_accepted.get(), 0);
    net.start().unwrap();
    sink.messages(1);
    assert!(net.start().is_err(), "once only");

    net.stop_accepting();
    until("newcomers are left alone", || {
        let accepted = net.stats().connections_accepted.get();
        let _newcomer = connect(net.sockets()[1].addr);
        // The one that is open is still served, which takes a turn of its reactor.
        early.write_all(b"\r\n\r\n").unwrap();
        net_support::read_exact(&mut early, 2);
        net.stats().connections_accepted.get() == accepted
    });
    net.stop();
    assert_eq!(read_to_end(&mut early), b"");
    net.stop();
    assert!(net.start().is_err(), "not after a stop");
    assert!(net.worker(0).is_err());
}

#[test]
fn stopping_writes_what_waits_and_does_not_wait_for_who_does_not_read() {
    let certificate = Certificate::new();
    let mut server = Server::start(&certificate.config(&ALL, TlsMode::Full));
    let config = certificate.client_config(&[&TLS13]);
    let mut reader = tls_connect(server.addr(2), &config, "localhost").unwrap();
    reader.write_all(&request("reader", "")).unwrap();
    let (_, to_reader) = server.sink.messages(1).remove(0);
    let mut deaf = connect(server.addr(1));
    deaf.write_all(&request("deaf", "")).unwrap();
    let (_, to_deaf) = server.sink.messages(2).remove(1);
    let large = Bytes::from(vec![b'z'; 900_000]);
    let accepted = u64::from(server.fill(&to_deaf, &large));
    server
        .net
        .send(&to_reader, large.clone(), tag(9999))
        .unwrap();
    let reading = thread::spawn(move || read_to_end(&mut reader).len());
    let begun = Instant::now();
    server.stop();
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(reading.join().unwrap(), large.len());
    let failed = server.sink.look(|s| s.failed.clone());
    assert!(failed.iter().all(|(flow, _)| flow.conn == to_deaf.conn));
    let sent = server.stat("sent_tcp");
    assert!(!failed.is_empty() && failed.len() as u64 + sent == accepted);
}

#[test]
fn workers_inside_their_wait_return_when_it_stops() {
    let certificate = Certificate::new();
    let sink = Arc::new(Recorder::default());
    let net = Net::bind(&certificate.config(&ALL, TlsMode::Full), sink).unwrap();
    let mut port = net.worker(0).unwrap();
    let waiting = thread::spawn(move || {
        while !port.wait(None).stopped {}
        port.wait(None).stopped
    });
    until("it waits", || net.workers_waiting() == 1);
    net.stop();
    assert!(waiting.join().unwrap());
}

#[test]
fn the_last_clone_stops_it() {
    let certificate = Certificate::new();
    let sink = Arc::new(Recorder::default());
    let watched = Arc::downgrade(&sink);
    let net = Net::bind(&certificate.config(&ALL, TlsMode::Full), sink).unwrap();
    net.start().unwrap();
    let addr = net.sockets()[1].addr;
    drop(net.clone());
    drop(connect(addr));
    drop(net);
    assert!(watched.upgrade().is_none(), "threads and sink are gone");
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[test]
fn a_forked_child_has_no_engine_and_does_not_disturb_its_parent() {
    let certificate = Certificate::new();
    let cfg = certificate.config(&ALL, TlsMode::Inline);
    let server = Server::start_with(&cfg, 1);
    let mut port = server.net.worker(1).unwrap();
    let mut client = connect(server.addr(1));
    client.write_all(&request("before", "")).unwrap();
    let (_, flow) = server.sink.messages(1).remove(0);

    // SAFETY: the child only calls what is under test and ends by _exit, without
    // unwinding into the test harness.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = matches!(
            server.net.send(&flow, Bytes::from_static(b"x"), None),
            Err(SendError::Stopped)
        );
        let stopped = port.wait(None).stopped;
        server.net.stop();
        drop(port);
        let quiet = server.net.conns().is_empty() && threads::list().is_empty();
        // SAFETY: takes no pointers.
        unsafe { libc::_exit(i32::from(!(refused && stopped && quiet))) };
    }
    let mut status = -1;
    // SAFETY: `status` lives through the call.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0));

    server
        .net
        .send(&flow, Bytes::from_static(b"after"), None)
        .unwrap();
    assert_eq!(net_support::read_exact(&mut client, 5), b"after");
    client.write_all(&request("still", "")).unwrap();
    server.sink.messages(2);
    port.wait(Some(Duration::ZERO));
}

#[test]
fn nothing_ticks_at_rest() {
    let certificate = Certificate::new();
    let server = Server::start(&certificate.config(&ALL, TlsMode::Full));
    until("workers wait", || server.net.workers_waiting() == 2);
    let before: Vec<_> = threads::list()
        .into_iter()
        .filter(|t| t.name.starts_with("sw-tls"))
        .collect();
    // One window in which nothing wakes any thread is enough; other tests of this
    // process have threads of the same name, so several windows are tried.
    until("a quiet window of 100 ms", || {
        let switches = || {
            before
                .iter()
                .map(|t| voluntary_switches(t.tid))
                .collect::<Vec<_>>()
        };
        let start = switches();
        thread::sleep(Duration::from_millis(100));
        start == switches()
    });
}

fn voluntary_switches(tid: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/self/task/{tid}/status")).ok()?;
    let line = status
        .lines()
        .find(|l| l.starts_with("voluntary_ctxt_switches"))?;
    line.rsplit('\t').next()?.parse().ok()
}
