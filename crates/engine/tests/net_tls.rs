//! TLS: modes, versions, resumption, profiles, verification, failures.

mod net_support;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use net_support::{
    Certificate, Recorder, Server, connect, read_exact, read_to_end, request, tag, tls_connect,
    until,
};
use rustls::version::{TLS12, TLS13};
use sipwright_engine::config::{TlsMode, VerifyClient};
use sipwright_engine::net::Net;
use sipwright_sip::types::Proto;

const MODES: [TlsMode; 3] = [TlsMode::Inline, TlsMode::Handshake, TlsMode::Full];

/// Name of the threads that hold an open connection in a mode.
const fn holder(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::Inline | TlsMode::Handshake => "worker-",
        TlsMode::Full => "sw-tls-",
    }
}

#[test]
fn requests_and_replies_pass_in_every_mode_and_version() {
    let certificate = Certificate::new();
    for mode in MODES {
        let server = Server::start(&certificate.config(&[Proto::Tls], mode));
        for (round, version, name) in [(1, &TLS12, "TLSv1.2"), (2, &TLS13, "TLSv1.3")] {
            let config = certificate.client_config(&[version]);
            let mut client = tls_connect(server.addr(0), &config, "localhost").unwrap();
            let sent = request(name, &"x".repeat(40_000));
            client.write_all(&sent).unwrap();
            let (got, flow) = server.sink.messages(round).remove(round - 1);
            assert!(got == sent, "{mode:?} {name}: {} bytes", got.len());
            let conn = server.only_conn();
            assert!(conn.thread.starts_with(holder(mode)), "{mode:?} {conn:?}");
            assert_eq!(conn.tls.unwrap().version, name);
            let reply = Bytes::from(vec![b'r'; 200_000]);
            server.net.send(&flow, reply.clone(), tag(1)).unwrap();
            assert!(read_exact(&mut client, reply.len()) == reply);
            client.write_all(b"\r\n\r\n").unwrap();
            assert_eq!(read_exact(&mut client, 2), b"\r\n");
            drop(client);
            server.until_stat("connections_open", 0);
            server
                .sink
                .look(|s| assert!(s.failed.is_empty(), "{:?}", s.failed));
        }
        let moved = if mode == TlsMode::Handshake { 2 } else { 0 };
        assert_eq!(server.stat("connections_moved"), moved);
        assert_eq!(
            (
                server.stat("handshakes_ok"),
                server.stat("handshakes_pending")
            ),
            (2, 0)
        );
    }
}

#[test]
fn stuck_workers_delay_nothing_in_mode_2_and_no_handshake_in_mode_1() {
    let certificate = Certificate::new();
    let config = certificate.client_config(&[&TLS13]);

    let server = Server::start_with(&certificate.config(&[Proto::Tls], TlsMode::Full), 0);
    let mut client = tls_connect(server.addr(0), &config, "localhost").unwrap();
    client.write_all(b"\r\n\r\n").unwrap();
    assert_eq!(read_exact(&mut client, 2), b"\r\n");

    // The port is taken, but its worker never waits.
    let server = Server::start_with(&certificate.config(&[Proto::Tls], TlsMode::Handshake), 0);
    let mut port = server.net.worker(0).unwrap();
    let mut client = tls_connect(server.addr(0), &config, "localhost").unwrap();
    server.until_stat("handshakes_ok", 1);
    client.write_all(&request("later", "")).unwrap();
    until("the connection has moved", || {
        server.stat("connections_moved") == 1
    });
    assert!(server.sink.look(|s| s.messages.is_empty()));
    until("the worker has read it", || {
        port.wait(Some(Duration::from_millis(100)));
        server.sink.look(|s| s.messages.len() == 1)
    });
}

#[test]
fn a_worker_that_ends_takes_its_connections_along_and_others_take_over() {
    let certificate = Certificate::new();
    let config = certificate.client_config(&[&TLS13]);
    let server = Server::start_with(&certificate.config(&[Proto::Tls], TlsMode::Inline), 0);
    let mut port = server.net.worker(1).unwrap();
    let addr = server.addr(0);
    let client = std::thread::spawn(move || tls_connect(addr, &config, "localhost").unwrap());
    until("the worker has done the handshake", || {
        port.wait(Some(Duration::from_millis(10)));
        server.stat("handshakes_ok") == 1
    });
    let mut client = client.join().unwrap();
    assert_eq!(server.only_conn().thread, "worker-1");
    drop(port);
    assert_eq!(
        client.read(&mut [0]).unwrap(),
        0,
        "closed with close_notify"
    );
    assert_eq!(server.stat("connections_open"), 0);
    // No worker has a port now: network threads serve rather than nobody.
    let config = certificate.client_config(&[&TLS12]);
    let _client = tls_connect(addr, &config, "localhost").unwrap();
    assert!(server.only_conn().thread.starts_with("sw-"));
}

#[test]
fn sessions_are_resumed() {
    let certificate = Certificate::new();
    let server = Server::start(&certificate.config(&[Proto::Tls], TlsMode::Full));
    for (round, version) in [(1, &TLS12), (2, &TLS13)] {
        let config = certificate.client_config(&[version]);
        for _ in 0..2 {
            let mut client = tls_connect(server.addr(0), &config, "localhost").unwrap();
            // The answer comes after the tickets, so the client has them.
            client.write_all(b"\r\n\r\n").unwrap();
            assert_eq!(read_exact(&mut client, 2), b"\r\n");
        }
        server.until_stat("handshakes_resumed", round);
    }
}

#[test]
fn the_profile_follows_the_name_that_is_asked_for() {
    let (first, second) = (Certificate::new(), Certificate::new());
    let mut cfg = first.config(&[Proto::Tls], TlsMode::Full);
    let mut named = second.server_profile();
    named.server_name = Some("sip.example.org".into());
    cfg.tls.server.push(named);
    let server = Server::start(&cfg);
    let (trusts_first, trusts_second) = (
        first.client_config(&[&TLS13]),
        second.client_config(&[&TLS13]),
    );
    assert!(tls_connect(server.addr(0), &trusts_first, "localhost").is_ok());
    assert!(tls_connect(server.addr(0), &trusts_second, "sip.example.org").is_ok());
    assert!(tls_connect(server.addr(0), &trusts_first, "sip.example.org").is_err());
    server.until_stat("handshakes_failed_alert", 1);

    // Reload: the names change places; a bad file changes nothing.
    cfg.tls.server[0].server_name = Some("sip.example.org".into());
    cfg.tls.server[1].server_name = None;
    server.net.reload_tls(&cfg.tls).unwrap();
    assert!(tls_connect(server.addr(0), &trusts_first, "sip.example.org").is_ok());
    let fresh = second.client_config(&[&TLS13]);
    assert!(tls_connect(server.addr(0), &fresh, "localhost").is_ok());
    let path = cfg.tls.server[0].private_key.clone();
    cfg.tls.server[0].private_key = "/nonexistent/key.pem".into();
    let error = server.net.reload_tls(&cfg.tls).unwrap_err().to_string();
    assert!(
        error.starts_with("/nonexistent/key.pem: No such file"),
        "{error}"
    );
    assert!(path.exists() && tls_connect(server.addr(0), &fresh, "localhost").is_ok());
}

#[test]
fn handshakes_that_stall_time_out_and_are_bounded() {
    let certificate = Certificate::new();
    for mode in MODES {
        let mut cfg = certificate.config(&[Proto::Tls], mode);
        cfg.timeouts.handshake_ms = 300;
        cfg.limits.handshakes = 1;
        let server = Server::start(&cfg);
        let mut stalled = connect(server.addr(0));
        stalled.write_all(&[22, 3, 1]).unwrap();
        server.until_stat("handshakes_pending", 1);
        assert_eq!(read_to_end(&mut connect(server.addr(0))), b"");
        server.until_stat("refused_handshakes_max", 1);
        assert_eq!(read_to_end(&mut stalled), b"");
        server.until_stat("handshakes_failed_timeout", 1);
        server.until_stat("handshakes_pending", 0);
        let config = certificate.client_config(&[&TLS13]);
        assert!(tls_connect(server.addr(0), &config, "localhost").is_ok());
    }
}

#[test]
fn failures_are_counted_by_reason() {
    let certificate = Certificate::new();
    let mut cfg = certificate.config(&[Proto::Tls], TlsMode::Full);
    cfg.tls.server[0].min_version = sipwright_engine::config::TlsVersion::V13;
    let server = Server::start(&cfg);

    connect(server.addr(0))
        .write_all(&request("plain", ""))
        .unwrap();
    server.until_stat("handshakes_failed_protocol", 1);

    drop(connect(server.addr(0)));
    server.until_stat("handshakes_failed_closed", 1);

    let old = certificate.client_config(&[&TLS12]);
    assert!(tls_connect(server.addr(0), &old, "localhost").is_err());
    server.until_stat("handshakes_failed_incompatible", 1);

    let stranger = Certificate::new().client_config(&[&TLS13]);
    assert!(tls_connect(server.addr(0), &stranger, "localhost").is_err());
    server.until_stat("handshakes_failed_alert", 1);
    server.until_stat("connections_open", 0);
    assert_eq!(server.stat("handshakes_ok"), 0);
}

#[test]
fn client_certificates_are_required_where_the_profile_says_so() {
    let certificate = Certificate::new();
    let mut cfg = certificate.config(&[Proto::Tls], TlsMode::Full);
    cfg.tls.server[0].client_ca = Some(certificate.files.ca.clone());
    cfg.tls.server[0].verify_client = VerifyClient::Require;
    let server = Server::start(&cfg);
    // In TLS 1.3 the client learns of it only when it reads.
    let without = certificate.client_config(&[&TLS13]);
    if let Ok(mut client) = tls_connect(server.addr(0), &without, "localhost") {
        assert!(client.read(&mut [0]).is_err());
    }
    server.until_stat("handshakes_failed_certificate", 1);

    // Another server of ours, which has one, is let in.
    let mut cfg = certificate.config(&[Proto::Tls], TlsMode::Full);
    cfg.tls.client[0].certificate = Some(certificate.files.certificate.clone());
    cfg.tls.client[0].private_key = Some(certificate.files.private_key.clone());
    let caller = Server::start(&cfg);
    let flow = caller.flow(0, server.addr(0));
    caller
        .net
        .send(&flow, request("mutual", "").into(), tag(1))
        .unwrap();
    server.sink.messages(1);
    let info = server.net.conns().into_iter().find_map(|c| c.tls).unwrap();
    assert!(info.peer_certificate.is_some());
}

#[test]
fn outgoing_connections_verify_and_follow_the_mode() {
    let certificate = Certificate::new();
    let server = Server::start(&certificate.config(&[Proto::Tls], TlsMode::Full));
    for mode in MODES {
        let caller = Server::start(&certificate.config(&[Proto::Tls], mode));
        let flow = caller.flow(0, server.addr(0));
        for i in 0..10 {
            let text = request(&format!("{mode:?}{i}"), "");
            caller
                .net
                .send_named(&flow, text.into(), tag(i), Some("sip.example.org"))
                .unwrap();
        }
        let mine = |s: &net_support::Seen| {
            let text = format!("Call-ID: {mode:?}");
            let is_mine = |m: &Bytes| String::from_utf8_lossy(m).contains(&text);
            s.messages.iter().filter(|(m, _)| is_mine(m)).count()
        };
        server
            .sink
            .wait("10 messages", |s| (mine(s) >= 10).then_some(()));
        caller.until_stat("sent_tls", 10);
        assert_eq!(caller.stat("connections_opened"), 1);
        assert!(
            caller.only_conn().thread.starts_with(holder(mode)),
            "{:?}",
            caller.only_conn()
        );
        // A name that the certificate is not for gets a connection of its own, and fails.
        let text = Bytes::from_static(b"secret");
        caller
            .net
            .send_named(&flow, text, tag(77), Some("other.example.org"))
            .unwrap();
        caller.sink.wait("the failure", |s| {
            s.failed.iter().any(|f| f.1 == tag(77)).then_some(())
        });
        assert_eq!(caller.stat("handshakes_failed_certificate"), 1);
        assert_eq!(server.sink.look(mine), 10, "none came twice");
    }
}

#[test]
fn an_unknown_authority_is_refused_unless_verification_is_off() {
    let certificate = Certificate::new();
    let server = Server::start(&certificate.config(&[Proto::Tls], TlsMode::Full));
    let mut cfg = Certificate::new().config(&[Proto::Tls], TlsMode::Full);
    // Its own files are gone by now, so give it some that exist.
    cfg.tls.server = vec![certificate.server_profile()];
    let other = Certificate::new();
    cfg.tls.client = vec![other.client_profile()];
    let strict = Server::start(&cfg);
    strict
        .net
        .send(
            &strict.flow(0, server.addr(0)),
            Bytes::from_static(b"x"),
            tag(1),
        )
        .unwrap();
    strict
        .sink
        .wait("the failure", |s| s.failed.first().copied());
    assert_eq!(strict.stat("handshakes_failed_certificate"), 1);
    assert!(strict.net.tls_warnings().is_empty());

    cfg.tls.client[0].verify = false;
    let lax = Server::start(&cfg);
    lax.net
        .send(
            &lax.flow(0, server.addr(0)),
            request("lax", "").into(),
            tag(1),
        )
        .unwrap();
    server.sink.messages(1);
    assert!(
        lax.net.tls_warnings()[0].contains("not verified"),
        "{:?}",
        lax.net.tls_warnings()
    );
}

#[test]
fn errors_name_the_file_and_the_problem() {
    let certificate = Certificate::new();
    let other = Certificate::new();
    let files = &certificate.files;
    let empty = certificate.dir.0.join("empty.pem");
    std::fs::write(&empty, "nothing here").unwrap();
    let good = certificate.config(&[Proto::Tls], TlsMode::Full);
    let attempt = |change: &dyn Fn(&mut sipwright_engine::config::EngineConfig)| {
        let mut cfg = good.clone();
        change(&mut cfg);
        let sink = Arc::new(Recorder::default());
        Net::bind(&cfg, sink).err().expect("an error").to_string()
    };
    let name = |path: &std::path::Path| path.display().to_string();

    let error = attempt(&|c| c.tls.server[0].certificate = empty.clone());
    assert_eq!(error, format!("{}: no certificate in it", name(&empty)));
    let error = attempt(&|c| c.tls.server[0].private_key = files.certificate.clone());
    assert!(
        error.starts_with(&format!("{}: no private key", name(&files.certificate))),
        "{error}"
    );
    let error = attempt(&|c| c.tls.server[0].private_key = other.files.private_key.clone());
    let expected = format!("is not the key of {}", name(&files.certificate));
    assert!(
        error.starts_with(&name(&other.files.private_key)) && error.ends_with(&expected),
        "{error}"
    );
    let error = attempt(&|c| c.tls.server[0].verify_client = VerifyClient::Require);
    assert!(error.contains("no ca_list"), "{error}");
    let error = attempt(&|c| c.tls.server.clear());
    assert!(
        error.starts_with("no TLS server profile is for tls:127.0.0.1:"),
        "{error}"
    );
    let error = attempt(&|c| c.tls.client[0].ca = Some(empty.clone()));
    assert!(error.starts_with(&name(&empty)), "{error}");
}
