"""Clients that are slow, broken or hostile: bounded, counted, named in the log, and a nuisance to nobody else."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
import time

import pytest

from conftest import Start
from support import tls
from support.certificates import Certificates
from support.messages import request
from support.process import rss_bytes
from support.servers import Server
from support.tools import tool

FLOOD = 300


def serving(start: Start, certs: Certificates, **more: object) -> Server:
    settings = {**certs.settings(), **{key.replace("__", "."): value for key, value in more.items()}}
    return start("answer.py", "tls", settings=settings)


def plain(server: Server) -> socket.socket:
    return socket.create_connection(server.address("tls"), timeout=tls.TIMEOUT_S)


def until_closed(peer: socket.socket) -> bytes:
    data = b""
    try:
        while more := peer.recv(65_536):
            data += more
    except ConnectionError:
        pass
    return data


def assert_healthy(server: Server, certs: Certificates) -> None:
    assert tls.is_served(server.address("tls"), tls.context(certs.ca))


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_plain_sip_on_a_tls_port(start: Start, certs: Certificates, mode: int) -> None:
    server = serving(start, certs, tls__threads_mode=mode)
    with plain(server) as peer:
        peer.sendall(request("OPTIONS", "sip:127.0.0.1", ("127.0.0.1", 5060), proto="TCP").encode())
        answer = until_closed(peer)
        assert len(answer) < 100, answer
        assert not answer.startswith(b"SIP"), answer
    tls.wait_for_counter(server, "handshakes_failed_protocol", 1)
    tls.wait_for_log(server, "does it speak plain SIP to a TLS port?")
    assert_healthy(server, certs)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 4_000,
        b"\xff" * 4_000,
        os.urandom(4_000),
        b"\x16\x03\x01\xff\xff" + b"\x01" * 20_000,  # a record longer than there may be
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" * 200,  # a ClientHello of 16 MB, begun
        b"\x16\x03\x01\x00\x01\x01" * 5_000,  # a handshake message in crumbs
        b"\x15\x03\x01\x00\x02\x02\x28",  # an alert as the first word
    ],
    ids=["zeros", "ones", "random", "long-record", "huge-hello", "crumbs", "alert"],
)
def test_garbage(start: Start, certs: Certificates, garbage: bytes) -> None:
    server = serving(start, certs, timeouts__handshake_ms=1_000)
    for _ in range(3):
        with plain(server) as peer:
            try:
                peer.sendall(garbage)
                until_closed(peer)
            except ConnectionError:
                pass
    names = [f"handshakes_failed_{why}" for why in ("protocol", "alert", "incompatible", "timeout", "closed")]
    assert sum(tls.counter(server, name) for name in names) == 3
    assert tls.counter(server, "handshakes_pending") == 0
    assert_healthy(server, certs)


def test_half_open_handshakes_are_bounded_and_time_out(start: Start, certs: Certificates) -> None:
    server = serving(
        start, certs, limits__handshakes=FLOOD, limits__connections_per_source=2 * FLOOD, timeouts__handshake_ms=3_000
    )
    before = rss_bytes(server.process.pid)
    begun = [plain(server) for _ in range(FLOOD)]
    for peer in begun:
        peer.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    tls.wait_for_counter(server, "handshakes_pending", FLOOD)
    each = (rss_bytes(server.process.pid) - before) / FLOOD
    assert each < 20_000, f"{each:.0f} bytes for a handshake that was begun"
    with plain(server) as peer:
        assert until_closed(peer) == b"", "one more is refused"
    assert tls.counter(server, "refused_handshakes_max") >= 1
    for peer in begun:
        until_closed(peer)
        peer.close()
    assert tls.counter(server, "handshakes_failed_timeout") == FLOOD
    assert tls.counter(server, "handshakes_pending") == 0
    # Lines are bounded too, and say how many were left out.
    assert server.log().count("not done in time") <= 60
    assert_healthy(server, certs)


def test_a_hello_byte_by_byte(start: Start, certs: Certificates) -> None:
    """A slow client is served, within its time."""
    server = serving(start, certs)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls.context(certs.ca).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with plain(server) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    peer.sendall(bytes([byte]))
                incoming.write(peer.recv(65_536))
        client.write(request("OPTIONS", "sip:127.0.0.1", ("127.0.0.1", 5061), proto="TLS").encode())
        for byte in outgoing.read():
            peer.sendall(bytes([byte]))
        answer = b""
        while b"\r\n\r\n" not in answer:
            try:
                answer += client.read()
            except ssl.SSLWantReadError:
                incoming.write(peer.recv(65_536))
        assert answer.startswith(b"SIP/2.0 200")


def test_connections_per_source(start: Start, certs: Certificates) -> None:
    server = serving(start, certs, limits__connections_per_source=3)
    client = tls.context(certs.ca)
    address = server.address("tls")
    held = [tls.connect(address, client) for _ in range(3)]
    with plain(server) as peer:
        assert until_closed(peer) == b""
    assert tls.counter(server, "refused_per_source") == 1
    held.pop().close()
    tls.wait_for_counter(server, "connections_closed", 1)
    assert_healthy(server, certs)
    for peer in held:
        peer.close()


def test_an_idle_connection_is_closed_with_a_farewell(start: Start, certs: Certificates) -> None:
    server = serving(start, certs, timeouts__idle_ms=500)
    with tls.connect(server.address("tls"), tls.context(certs.ca)) as peer:
        assert peer.recv(1) == b"", "close_notify, no reset"
    assert tls.counter(server, "timeouts_idle") == 1


def test_a_message_above_the_limit(start: Start, certs: Certificates) -> None:
    server = serving(start, certs, limits__max_message_bytes=4_096)
    address = server.address("tls")
    with tls.connect(address, tls.context(certs.ca)) as peer:
        big = request("OPTIONS", "sip:127.0.0.1", ("127.0.0.1", 5061), proto="TLS", body=b"x" * 100_000)
        try:
            peer.sendall(big.encode())
            answer = peer.recv(65_536)
        except (ssl.SSLError, ConnectionError):
            answer = b""
        assert answer == b"" or answer.startswith((b"SIP/2.0 4", b"SIP/2.0 513")), answer
    tls.wait_for_counter(server, "oversize_messages", 1)
    assert_healthy(server, certs)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_renegotiation_is_refused(start: Start, certs: Certificates, mode: int) -> None:
    """`R` has s_client begin a new handshake in TLS 1.2; its first request is answered with a warning, a second ends it."""
    server = serving(start, certs, tls__threads_mode=mode)
    host, port = server.address("tls")
    argv = [tool("openssl"), "s_client", "-connect", f"{host}:{port}", "-tls1_2", "-CAfile", str(certs.ca)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        assert client.stdin is not None
        try:
            tls.wait_for_counter(server, "handshakes_ok", 1)
            for _ in range(5):
                client.stdin.write(b"R\n")
                client.stdin.flush()
                time.sleep(0.2)
        except BrokenPipeError:
            pass
        report, _ = client.communicate(timeout=tls.TIMEOUT_S)
    assert b"RENEGOTIATING" in report
    assert b"no renegotiation" in report or b"handshake failure" in report or b"unexpected message" in report, report
    assert tls.counter(server, "handshakes_ok") == 1
    assert_healthy(server, certs)


def test_a_peer_that_breaks_records_after_the_handshake(start: Start, certs: Certificates) -> None:
    server = serving(start, certs)
    with tls.connect(server.address("tls"), tls.context(certs.ca)) as peer:
        raw = socket.socket(fileno=os.dup(peer.fileno()))
        with raw:
            # The descriptor does not block: its other owner has a timeout.
            raw.settimeout(tls.TIMEOUT_S)
            raw.sendall(struct.pack("!BHH", 23, 0x0303, 100) + bytes(100))
            until_closed(raw)
    tls.wait_for_counter(server, "tls_errors", 1)
    tls.wait_for_log(server, "after the handshake")
    assert_healthy(server, certs)
