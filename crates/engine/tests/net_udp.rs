//! UDP: batches, sources, sending, wake-ups of workers, the relief reader.

mod net_support;

use std::collections::HashSet;
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use net_support::{LIMIT, Recorder, Server, config, request, until};
use sipwright_engine::config::{EngineConfig, Listen};
use sipwright_engine::net::{Net, SendError, Sink};
use sipwright_sip::types::{Flow, Proto};

fn client() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

#[test]
fn every_datagram_is_delivered_once_with_its_source() {
    let server = Server::start(&config(&[Proto::Udp]));
    let client = client();
    for i in 0..200 {
        client
            .send_to(&request(&format!("u{i}"), ""), server.addr(0))
            .unwrap();
    }
    let messages = server.sink.messages(200);
    let distinct: HashSet<_> = messages.iter().map(|(bytes, _)| bytes.clone()).collect();
    assert_eq!((messages.len(), distinct.len()), (200, 200));
    let from = client.local_addr().unwrap();
    assert!(
        messages
            .iter()
            .all(|(_, flow)| flow.remote == from && flow.conn == 0)
    );
    assert_eq!(server.stat("received_udp"), 200);
}

#[test]
fn one_wait_reads_a_batch() {
    let mut cfg = config(&[Proto::Udp]);
    cfg.udp.batch = 8;
    let sink = Arc::new(Recorder::default());
    let net = Net::bind(&cfg, Arc::clone(&sink) as Arc<dyn Sink>).unwrap();
    let mut port = net.worker(0).unwrap();
    let client = client();
    for i in 0..10 {
        client
            .send_to(&request(&format!("b{i}"), ""), net.sockets()[0].addr)
            .unwrap();
    }
    assert_eq!(port.wait(Some(LIMIT)).messages, 8);
    assert_eq!(port.wait(Some(LIMIT)).messages, 2);
    assert_eq!(port.wait(Some(Duration::ZERO)).messages, 0);
}

#[test]
fn the_largest_datagram_arrives_whole_and_keepalives_do_not_arrive() {
    let server = Server::start(&config(&[Proto::Udp]));
    let client = client();
    for keepalive in [&b"\r\n\r\n"[..], b"\0\0\0\0", b""] {
        client.send_to(keepalive, server.addr(0)).unwrap();
    }
    let large = request("large", &"x".repeat(65_000));
    client.send_to(&large, server.addr(0)).unwrap();
    let messages = server.sink.messages(1);
    assert_eq!(messages[0].0, large);
    server.until_stat("udp_keepalives", 3);
    assert_eq!(server.sink.messages(1).len(), 1);
}

#[test]
fn a_reply_leaves_from_the_socket_that_is_named() {
    let server = Server::start(&config(&[Proto::Udp, Proto::Udp]));
    let client = client();
    let remote = client.local_addr().unwrap();
    for index in [1, 0] {
        let text = Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n");
        server
            .net
            .send(&server.flow(index, remote), text, None)
            .unwrap();
        let mut buf = [0; 100];
        let (len, from) = client.recv_from(&mut buf).unwrap();
        assert_eq!(
            (&buf[..len], from),
            (&b"SIP/2.0 200 OK\r\n\r\n"[..], server.addr(index))
        );
    }
    assert_eq!(server.stat("sent_udp"), 2);
}

#[test]
fn ipv6_has_its_own_socket_on_the_same_port() {
    let mut cfg = config(&[Proto::Udp]);
    cfg.listen[0].addr = "0.0.0.0".parse().unwrap();
    let first = Server::start(&cfg);
    let port = first.addr(0).port();
    let mut cfg = EngineConfig {
        workers: 1,
        ..EngineConfig::default()
    };
    cfg.listen = vec![Listen::new(Proto::Udp, Ipv6Addr::UNSPECIFIED.into(), port)];
    let second = Server::start(&cfg);
    let client = UdpSocket::bind("[::1]:0").unwrap();
    client
        .send_to(
            &request("v6", ""),
            SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port),
        )
        .unwrap();
    let (_, flow) = second.sink.messages(1).remove(0);
    assert_eq!(flow.remote, client.local_addr().unwrap());
    assert!(first.sink.look(|s| s.messages.is_empty()));
    let remote = "[::1]:9".parse().unwrap();
    let none = first
        .net
        .send(&first.flow(0, remote), Bytes::from_static(b"x"), None);
    assert!(matches!(none, Err(SendError::NoSocket)), "{none:?}");
}

#[test]
fn a_bind_error_names_protocol_address_and_cause() {
    let taken = client();
    let mut cfg = config(&[Proto::Udp]);
    cfg.listen[0].port = taken.local_addr().unwrap().port();
    let error = Net::bind(&cfg, Arc::new(Recorder::default()))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains(&format!("udp:{}", taken.local_addr().unwrap())),
        "{error}"
    );
    assert!(error.contains("Address already in use"), "{error}");
}

#[test]
fn what_the_kernel_refuses_is_an_error_at_once() {
    let server = Server::start(&config(&[Proto::Udp]));
    let flow = server.flow(0, "127.0.0.1:9".parse().unwrap());
    let result = server
        .net
        .send(&flow, Bytes::from(vec![b'x'; 70_000]), None);
    assert!(matches!(result, Err(SendError::Io(_))), "{result:?}");
    assert_eq!(server.stat("udp_send_errors"), 1);
}

#[test]
fn a_worker_is_woken_for_jobs_and_does_not_sleep_on_them() {
    let cfg = config(&[Proto::Udp]);
    let sink = Arc::new(Recorder::default());
    let net = Net::bind(&cfg, Arc::clone(&sink) as Arc<dyn Sink>).unwrap();
    assert!(!net.wake_worker(), "nobody sleeps yet");
    let mut port = net.worker(0).unwrap();
    assert!(net.worker(0).is_err(), "the port is taken");

    sink.jobs.store(true, Ordering::SeqCst);
    assert!(port.wait(None).woken, "jobs wait");
    sink.jobs.store(false, Ordering::SeqCst);
    until("the timer that was set for those jobs has run out", || {
        port.wait(Some(Duration::from_millis(5))).woken
    });

    let waker = net.clone();
    let thread = std::thread::spawn(move || {
        until("the worker sleeps", || waker.wake_worker());
        assert!(!waker.wake_worker(), "it is awake or on its way");
    });
    assert!(port.wait(None).woken);
    thread.join().unwrap();
    assert_eq!(net.workers_waiting(), 0);
    drop(port);
    assert!(net.worker(0).is_ok(), "the port is free again");
}

#[test]
fn the_relief_reader_steps_in_while_no_worker_waits_and_back_out() {
    let mut cfg = config(&[Proto::Udp]);
    cfg.workers = 1;
    let server = Server::start_with(&cfg, 0);
    let mut port = server.net.worker(0).unwrap();
    let client = client();
    client
        .send_to(&request("stuck", ""), server.addr(0))
        .unwrap();
    server.sink.messages(1);
    assert_eq!(server.stat("udp_relief_read"), 1);

    // The worker is back: it reads, the relief reader does not.
    for i in 0..50 {
        until("a worker has read it", || {
            client
                .send_to(&request(&format!("back{i}"), ""), server.addr(0))
                .unwrap();
            port.wait(Some(Duration::from_millis(5))).messages > 0
        });
    }
    // Stuck again.
    let before = server.stat("udp_relief_read");
    client
        .send_to(&request("again", ""), server.addr(0))
        .unwrap();
    until("the relief reader reads again", || {
        server.stat("udp_relief_read") > before
    });
}

#[test]
fn the_relief_reader_helps_workers_that_lag_much_earlier() {
    let mut cfg = config(&[Proto::Udp]);
    // Later than the test waits.
    cfg.relief_after_ms = 60_000;
    let sink = Arc::new(Recorder::default());
    sink.lagging.store(true, Ordering::SeqCst);
    let net = Net::bind(&cfg, Arc::clone(&sink) as Arc<dyn Sink>).unwrap();
    net.start().unwrap();
    let to = net.sockets()[0].addr;
    client().send_to(&request("late", ""), to).unwrap();
    sink.messages(1);
    net.stop();
}

#[test]
fn the_relief_reader_keeps_out_while_a_worker_waits() {
    let server = Server::start(&config(&[Proto::Udp]));
    until("workers wait", || server.net.workers_waiting() == 2);
    let activations = server.stat("relief_activations");
    let client = client();
    for i in 0..100 {
        client
            .send_to(&request(&format!("w{i}"), ""), server.addr(0))
            .unwrap();
        server.sink.messages(i + 1);
    }
    assert_eq!(server.stat("udp_relief_read"), 0);
    assert!(server.stat("relief_activations") <= activations + 1);
}

#[test]
fn datagrams_go_nowhere_once_stopped() {
    let mut server = Server::start(&config(&[Proto::Udp]));
    let flow: Flow = server.flow(0, "127.0.0.1:9".parse().unwrap());
    let addr = server.addr(0);
    server.stop();
    let result = server.net.send(&flow, Bytes::from_static(b"x"), None);
    assert!(matches!(result, Err(SendError::Stopped)));
    UdpSocket::bind(addr).expect("the port is free although the Net still exists");
}
