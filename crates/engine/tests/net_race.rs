//! Races between those who send, connections that move, and connections that end.

mod net_support;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use net_support::{Certificate, Server, config, request, tag, until};
use sipwright_engine::config::TlsMode;
use sipwright_engine::net::{Net, SendError};
use sipwright_sip::types::{Flow, Proto};

/// Sends from four threads, each while `more` says so of its count; how many
/// messages of each thread were accepted.
fn send_from_four(net: &Net, flow: Flow, more: impl Fn(u32) -> bool + Sync) -> [u32; 4] {
    thread::scope(|scope| {
        let more = &more;
        let send = |thread: u32| {
            move || {
                let (mut count, mut accepted) = (0, 0);
                while more(count) {
                    let text = request(&format!("r{thread}x{count}"), "");
                    match net.send(&flow, text.into(), tag(thread << 24 | count)) {
                        Ok(()) => accepted += 1,
                        Err(SendError::NoConnection | SendError::Full) => {}
                        Err(e) => panic!("{e}"),
                    }
                    count += 1;
                }
                accepted
            }
        };
        let threads = [0, 1, 2, 3].map(|thread| scope.spawn(send(thread)));
        threads.map(|t| t.join().unwrap())
    })
}

#[test]
fn each_message_is_sent_or_fails_however_connections_end() {
    let server = Server::start(&config(&[Proto::Tcp]));
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = peer.local_addr().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let closing = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            // Every connection is cut short, most of them by a reset.
            while let Ok((stream, _)) = peer.accept() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let _ = stream.peek(&mut [0]);
            }
        })
    };
    let accepted = send_from_four(&server.net, server.flow(0, addr), |count| count < 5000);
    let accepted = accepted.iter().copied().map(u64::from).sum();
    until("every message is sent or has failed", || {
        let failed = server.sink.look(|s| s.failed.len() as u64);
        assert!(server.stat("sent_tcp") + failed <= accepted, "none is both");
        server.stat("sent_tcp") + failed == accepted && server.net.conns().is_empty()
    });
    assert!(server.stat("connections_opened") > 1, "connections did end");
    let mut tags: Vec<_> = server.sink.look(|s| s.failed.iter().map(|f| f.1).collect());
    let count = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), count, "none fails twice");
    stop.store(true, Ordering::SeqCst);
    drop(std::net::TcpStream::connect(addr));
    closing.join().unwrap();
}

fn call_ids(server: &Server) -> Vec<Bytes> {
    let line = |m: &Bytes| {
        let at = m.windows(9).position(|w| w == b"Call-ID: ").unwrap();
        let end = m[at..].iter().position(|b| *b == b'\r').unwrap();
        m.slice(at + 9..at + end)
    };
    server
        .sink
        .look(|s| s.messages.iter().map(|(m, _)| line(m)).collect())
}

/// What one thread sends arrives in its order, once, while the connection is opened,
/// shakes hands and moves to its worker.
#[test]
fn nothing_is_lost_doubled_or_reordered_while_a_connection_moves() {
    let certificate = Certificate::new();
    for round in 0..20 {
        let peer = Server::start(&certificate.config(&[Proto::Tls], TlsMode::Full));
        let mut cfg = certificate.config(&[Proto::Tls], TlsMode::Handshake);
        cfg.limits.write_buffer = usize::MAX;
        let caller = Server::start(&cfg);
        let to: SocketAddr = peer.addr(0);
        // Goes on past the move, however long the handshake takes.
        let moved = || caller.stat("connections_moved") > 0;
        let past = AtomicU64::new(0);
        let accepted = send_from_four(&caller.net, caller.flow(0, to), |_| {
            !moved() || past.fetch_add(1, Ordering::Relaxed) < 200
        });
        peer.sink.messages(accepted.iter().sum::<u32>() as usize);
        let ids = call_ids(&peer);
        for (thread, count) in accepted.into_iter().enumerate() {
            let prefix = format!("r{thread}x");
            let of_thread = ids.iter().filter(|id| id.starts_with(prefix.as_bytes()));
            let expected = (0..count).map(|i| Bytes::from(format!("{prefix}{i}")));
            assert!(
                of_thread.cloned().eq(expected),
                "round {round} thread {thread}"
            );
        }
    }
}

/// A job that is queued while a worker falls asleep must wake it.
#[test]
fn no_wake_up_is_lost() {
    let cfg = config(&[Proto::Udp]);
    let sink = Arc::new(net_support::Recorder::default());
    let net = Net::bind(&cfg, Arc::clone(&sink) as _).unwrap();
    let mut port = net.worker(0).unwrap();
    let producer = {
        let (net, sink) = (net.clone(), Arc::clone(&sink));
        thread::spawn(move || {
            for _ in 0..20_000 {
                sink.jobs.store(true, Ordering::SeqCst);
                net.wake_worker();
                // Spinning puts the next job into the moment of falling asleep.
                while sink.jobs.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
            }
        })
    };
    let mut taken = 0;
    while taken < 20_000 {
        let result = port.wait(Some(Duration::from_secs(10)));
        assert!(
            result.woken,
            "slept although a job was waiting, after {taken}"
        );
        taken += u32::from(sink.jobs.swap(false, Ordering::SeqCst));
    }
    producer.join().unwrap();
}
