//! TCP: framing, keep-alives, limits, timeouts, outgoing connections.

mod net_support;

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use net_support::{LIMIT, Server, config, connect, read_exact, read_to_end, request, tag, until};
use sipwright_engine::config::EngineConfig;
use sipwright_engine::net::SendError;
use sipwright_sip::types::Proto;

fn tcp() -> EngineConfig {
    config(&[Proto::Tcp])
}

#[test]
fn messages_are_found_wherever_the_stream_is_cut() {
    let server = Server::start(&tcp());
    let mut client = connect(server.addr(0));
    client.set_nodelay(true).unwrap();
    let mut sent = vec![
        request("a", "hello"),
        request("b", ""),
        request("c", "x\r\n\r\ny"),
    ];
    for byte in sent.concat() {
        client.write_all(&[byte]).unwrap();
    }
    // And many at once, in one segment.
    let many: Vec<_> = (0..50).map(|i| request(&format!("m{i}"), "body")).collect();
    client.write_all(&many.concat()).unwrap();
    sent.extend(many);
    let messages = server.sink.messages(sent.len());
    let got: Vec<_> = messages.iter().map(|(bytes, _)| bytes.to_vec()).collect();
    assert_eq!(got, sent);
    let flow = messages[0].1;
    assert_eq!(flow.remote, client.local_addr().unwrap());
    assert!(flow.conn != 0 && messages.iter().all(|(_, f)| *f == flow));
}

#[test]
fn replies_take_the_connection_by_id_and_by_address() {
    let server = Server::start(&tcp());
    let mut client = connect(server.addr(0));
    client.write_all(&request("r", "")).unwrap();
    let (_, flow) = server.sink.messages(1).remove(0);
    server
        .net
        .send(&flow, Bytes::from_static(b"by id."), tag(1))
        .unwrap();
    let mut by_address = flow;
    by_address.conn = 0;
    server
        .net
        .send(&by_address, Bytes::from_static(b"by address."), tag(2))
        .unwrap();
    let mut unknown = flow;
    unknown.conn = 999_999;
    server
        .net
        .send(&unknown, Bytes::from_static(b"by address again."), tag(3))
        .unwrap();
    assert_eq!(
        read_exact(&mut client, 34),
        b"by id.by address.by address again."
    );
    server.until_stat("sent_tcp", 3);
    assert_eq!(server.stat("connections_opened"), 0);
    assert!(server.sink.look(|s| s.failed.is_empty()));
}

#[test]
fn pings_are_answered_while_every_worker_is_stuck() {
    let server = Server::start_with(&tcp(), 0);
    let mut client = connect(server.addr(0));
    for i in 1..=3 {
        client.write_all(b"\r\n\r\n").unwrap();
        assert_eq!(read_exact(&mut client, 2), b"\r\n");
        server.until_stat("pings_answered", i);
    }
    assert_eq!(server.stat("sent_tcp"), 0, "a keep-alive is no message");
}

#[test]
fn a_malformed_stream_is_answered_and_closed() {
    let server = Server::start(&tcp());
    let mut client = connect(server.addr(0));
    let broken = String::from_utf8(request("bad", "")).unwrap();
    let broken = broken.replace("Content-Length: 0", "Content-Length: many");
    client.write_all(broken.as_bytes()).unwrap();
    // More that nobody will read must not turn the farewell into a reset.
    client.write_all(&request("after", "")).unwrap();
    let answer = String::from_utf8(read_to_end(&mut client)).unwrap();
    assert!(answer.starts_with("SIP/2.0 400 "), "{answer:?}");
    assert!(answer.contains("Call-ID: bad\r\n"), "{answer:?}");
    drop(client);
    server.until_stat("connections_open", 0);
    assert_eq!(server.stat("malformed_streams"), 1);
    assert!(server.sink.look(|s| s.messages.is_empty()));
}

#[test]
fn a_message_above_the_limit_ends_the_stream() {
    let mut cfg = tcp();
    cfg.limits.max_message = 2000;
    let server = Server::start(&cfg);
    let mut client = connect(server.addr(0));
    client.write_all(&request("fits", "")).unwrap();
    let _ = client.write_all(&request("long", &"x".repeat(5000)));
    read_to_end(&mut client);
    server.until_stat("oversize_messages", 1);
    assert_eq!(server.sink.messages(1).len(), 1);
}

#[test]
fn garbage_is_closed_without_an_answer() {
    let server = Server::start(&tcp());
    let mut client = connect(server.addr(0));
    client
        .write_all(b"GET / HTTP/3.0\r\nHost: x\r\n\r\n")
        .unwrap();
    assert_eq!(read_to_end(&mut client), b"");
    server.until_stat("malformed_streams", 1);
}

#[test]
fn a_silent_connection_is_closed_and_a_live_one_is_not() {
    let mut cfg = tcp();
    cfg.timeouts.idle_ms = 300;
    let server = Server::start(&cfg);
    let mut silent = connect(server.addr(0));
    let mut live = connect(server.addr(0));
    server.until_stat("connections_open", 2);
    let mut pings = 0;
    until("the silent one is closed", || {
        live.write_all(b"\r\n\r\n").unwrap();
        assert_eq!(read_exact(&mut live, 2), b"\r\n");
        pings += 1;
        server.stat("timeouts_idle") == 1
    });
    assert_eq!(read_to_end(&mut silent), b"");
    assert!(pings > 1);
    assert_eq!(
        server
            .sink
            .wait("the end", |s| s.closed.first().copied())
            .remote,
        silent.local_addr().unwrap()
    );
}

#[test]
fn a_message_that_never_ends_is_not_kept_alive_by_its_bytes() {
    let mut cfg = tcp();
    cfg.timeouts.message_ms = 200;
    let server = Server::start(&cfg);
    let mut client = connect(server.addr(0));
    client.set_nodelay(true).unwrap();
    client
        .write_all(b"INVITE sip:bob@example.org SIP/2.0\r\nSubject: ")
        .unwrap();
    until("it is closed", || {
        let _ = client.write_all(b"x");
        server.stat("timeouts_message") == 1
    });
}

#[test]
fn connections_are_limited_per_source_and_in_all() {
    let mut cfg = tcp();
    cfg.limits.connections_per_source = 2;
    let server = Server::start(&cfg);
    let first = connect(server.addr(0));
    let _second = connect(server.addr(0));
    server.until_stat("connections_open", 2);
    assert_eq!(read_to_end(&mut connect(server.addr(0))), b"");
    server.until_stat("refused_per_source", 1);
    drop(first);
    server.until_stat("connections_open", 1);
    let mut third = connect(server.addr(0));
    third.write_all(b"\r\n\r\n").unwrap();
    assert_eq!(read_exact(&mut third, 2), b"\r\n");

    let mut cfg = tcp();
    cfg.limits.connections = 1;
    let server = Server::start(&cfg);
    let _only = connect(server.addr(0));
    server.until_stat("connections_open", 1);
    assert_eq!(read_to_end(&mut connect(server.addr(0))), b"");
    server.until_stat("refused_connections_max", 1);
    let out = server.net.send(
        &server.flow(0, "127.0.0.1:9".parse().unwrap()),
        Bytes::from_static(b"x"),
        None,
    );
    assert!(matches!(out, Err(SendError::TooManyConnections)), "{out:?}");
}

#[test]
fn what_waits_in_one_connection_is_bounded_and_fails_with_it() {
    let mut cfg = tcp();
    cfg.limits.write_buffer = 100_000;
    let server = Server::start(&cfg);
    let mut client = connect(server.addr(0));
    client.write_all(&request("w", "")).unwrap();
    let (_, flow) = server.sink.messages(1).remove(0);
    let chunk = Bytes::from(vec![b'x'; 10_000]);
    let accepted = server.fill(&flow, &chunk);
    assert!(server.stat("write_buffer_full") > 0);
    assert!(server.only_conn().queued <= 100_000);
    drop(client);
    let failed = server.sink.wait("the failures", |s| {
        (!s.closed.is_empty()).then(|| s.failed.clone())
    });
    let sent = server.stat("sent_tcp");
    assert_eq!(
        sent + failed.len() as u64,
        u64::from(accepted),
        "each is sent or failed, none both"
    );
    let mut tags: Vec<_> = failed.iter().map(|(_, tx)| tx.unwrap().0.slot).collect();
    let count = tags.len();
    tags.dedup();
    assert_eq!(tags.len(), count, "none fails twice");
    assert_eq!(
        tags.last(),
        Some(&(accepted - 1)),
        "what came last is what was not sent"
    );
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

#[test]
fn an_outgoing_connection_is_opened_once_and_used_again() {
    let server = Server::start(&tcp());
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let flow = server.flow(0, peer.local_addr().unwrap());
    // All queued before the connection can be up; none is lost, order is kept.
    let texts: Vec<_> = (0..100).map(|i| format!("message {i};")).collect();
    for (i, text) in texts.iter().enumerate() {
        server
            .net
            .send(&flow, Bytes::from(text.clone()), tag(i as u32))
            .unwrap();
    }
    let mut stream = accept(&peer);
    let expected = texts.concat().into_bytes();
    assert_eq!(read_exact(&mut stream, expected.len()), expected);
    assert_eq!(server.stat("connections_opened"), 1);
    let conn = server.only_conn();
    assert!(
        conn.outbound && conn.local == Some(stream.peer_addr().unwrap()),
        "{conn:?}"
    );
    // The other side may answer, and ask, on it.
    stream.write_all(&request("back", "")).unwrap();
    let (_, back) = server.sink.messages(1).remove(0);
    assert_eq!((back.conn, back.remote), (conn.id, flow.remote));
    assert!(server.sink.look(|s| s.failed.is_empty()));
    // Nothing comes twice.
    server.net.close(conn.id);
    assert_eq!(read_to_end(&mut stream), b"");
}

#[test]
fn a_refused_connection_fails_every_message_that_waits() {
    let server = Server::start(&tcp());
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let flow = server.flow(0, nobody);
    for i in 0..3 {
        server
            .net
            .send(&flow, Bytes::from_static(b"x"), tag(i))
            .unwrap();
    }
    let failed = server.sink.wait("3 failures", |s| {
        (s.failed.len() >= 3).then(|| s.failed.clone())
    });
    assert!(failed.iter().all(|(f, _)| f.remote == nobody));
    server.until_stat("connections_open", 0);
    assert_eq!(server.sink.look(|s| s.failed.len()), 3);
    assert_eq!(server.stat("sent_tcp"), 0);
}

#[test]
fn a_connection_that_is_not_answered_times_out() {
    let mut cfg = tcp();
    cfg.timeouts.connect_ms = 100;
    let server = Server::start(&cfg);
    // A listener whose backlog is full drops further SYNs.
    let full = listener_with_a_full_backlog();
    let flow = server.flow(0, full.addr);
    server
        .net
        .send(&flow, Bytes::from_static(b"x"), tag(7))
        .unwrap();
    let failed = server
        .sink
        .wait("the failure", |s| s.failed.first().copied());
    assert_eq!(failed.1, tag(7));
    assert_eq!(server.stat("timeouts_connect"), 1);
}

struct FullListener {
    addr: std::net::SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

fn listener_with_a_full_backlog() -> FullListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: no pointers; listening again only shortens the backlog.
    unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 0) };
    let addr = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(100)) {
        waiting.push(stream);
    }
    FullListener {
        addr,
        _listener: listener,
        _waiting: waiting,
    }
}

#[test]
fn after_the_other_side_has_closed_a_new_connection_is_opened() {
    let server = Server::start(&tcp());
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let flow = server.flow(0, peer.local_addr().unwrap());
    for round in 1..=3 {
        server
            .net
            .send(&flow, Bytes::from_static(b"hello"), tag(round))
            .unwrap();
        let mut stream = accept(&peer);
        assert_eq!(read_exact(&mut stream, 5), b"hello");
        drop(stream);
        server.until_stat("connections_open", 0);
    }
    assert_eq!(server.stat("connections_opened"), 3);
    assert!(server.sink.look(|s| s.failed.is_empty()));
}

#[test]
fn closing_writes_what_waits_first() {
    let server = Server::start(&tcp());
    let mut client = connect(server.addr(0));
    client.write_all(&request("c", "")).unwrap();
    let (_, flow) = server.sink.messages(1).remove(0);
    let large = Bytes::from(vec![b'y'; 900_000]);
    server.net.send(&flow, large.clone(), tag(1)).unwrap();
    server.net.close(flow.conn);
    assert_eq!(read_to_end(&mut client), large);
    let late = server.net.send(&flow, Bytes::from_static(b"late"), tag(2));
    // Either refused, or tried on a new connection that nobody accepts.
    if late.is_ok() {
        server.sink.wait("the failure", |s| {
            s.failed.iter().any(|f| f.1 == tag(2)).then_some(())
        });
    }
}

#[test]
fn half_closing_clients_get_nothing_but_their_end() {
    let server = Server::start(&tcp());
    let mut client = connect(server.addr(0));
    client.write_all(&request("h", "")).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    server.sink.messages(1);
    assert_eq!(read_to_end(&mut client), b"");
    server.until_stat("connections_open", 0);
}

#[test]
fn both_network_threads_get_connections() {
    let server = Server::start(&tcp());
    let clients: Vec<_> = (0..20).map(|_| connect(server.addr(0))).collect();
    server.until_stat("connections_open", 20);
    let conns = server.net.conns();
    let on_first = conns.iter().filter(|c| c.thread == "sw-net-0").count();
    // Two threads that accept at the same moment both see the load before the other's.
    assert!((8..=12).contains(&on_first), "{conns:?}");
    drop(clients);
}
