"""TLS clients for tests: Python's ssl, which is OpenSSL, and `openssl s_client`."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography import x509

from sipwright.control.client import call
from sipwright.control.server import SOCKET_NAME
from support.certificates import Issued
from support.messages import Sip, request
from support.ports import free_port
from support.process import wait_until
from support.servers import Server
from support.tools import tool

Address = tuple[str, int]
TIMEOUT_S = 10


def context(
    ca: Path | None = None,
    own: Issued | None = None,
    version: ssl.TLSVersion | None = None,
    session_tickets: bool = True,
) -> ssl.SSLContext:
    """A client that verifies the server's chain if there is an authority, never its name."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    if ca is None:
        made.verify_mode = ssl.CERT_NONE
    else:
        made.load_verify_locations(str(ca))
    if own is not None:
        made.load_cert_chain(own.chain, own.key)
    if version is not None:
        made.minimum_version = made.maximum_version = version
    return made


def connect(address: Address, tls: ssl.SSLContext, name: str | None = "localhost") -> ssl.SSLSocket:
    """A connection after its handshake."""
    plain = socket.create_connection(address, timeout=TIMEOUT_S)
    try:
        return tls.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def subject(address: Address, tls: ssl.SSLContext, name: str | None = "localhost") -> str:
    """Common name of the certificate that the server shows to who asks for that name."""
    with connect(address, tls, name) as peer:
        der = peer.getpeercert(binary_form=True)
        assert der is not None
        return common_name(der)


def common_name(der: bytes) -> str:
    """Common name of a certificate's subject."""
    names = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value)


def ask(peer: ssl.SSLSocket, address: Address, method: str = "OPTIONS", *headers: tuple[str, str]) -> Sip:
    """What the server answers to a request over that connection."""
    sent = request(method, f"sip:{address[0]}:{address[1]}", ("127.0.0.1", 5061), proto="TLS")
    peer.sendall(Sip(sent.first_line, (*sent.headers, *headers), sent.body).encode())
    return answer(peer)


def answer(peer: ssl.SSLSocket) -> Sip:
    data = b""
    while b"\r\n\r\n" not in data:
        more = peer.recv(65_536)
        if not more:
            raise ConnectionError(f"closed after {data!r}")
        data += more
    return Sip.parse(data)


def is_served(address: Address, tls: ssl.SSLContext, name: str | None = "localhost") -> bool:
    """Whether a request is answered: with TLS 1.3 a server refuses a certificate only after our handshake."""
    try:
        with connect(address, tls, name) as peer:
            return ask(peer, address).status == 200
    except (ssl.SSLError, ConnectionError):
        return False


def s_client(address: Address, *arguments: str | Path, send: bytes = b"") -> tuple[int, str]:
    """Exit code and report of `openssl s_client`; what is sent comes after the handshake."""
    argv: Sequence[str] = [tool("openssl"), "s_client", "-connect", f"{address[0]}:{address[1]}"]
    argv = [*argv, *(str(part) for part in arguments)]
    done = subprocess.run(argv, input=send, capture_output=True, timeout=TIMEOUT_S, check=False)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def counter(server: Server, name: str) -> int:
    """A counter of the server."""
    data_dir = server.directory / "data"
    wait_until((data_dir / SOCKET_NAME).exists, TIMEOUT_S, "the control socket")
    value = call(data_dir, "core.stats")[name]
    assert isinstance(value, int)
    return value


def wait_for_counter(server: Server, name: str, value: int) -> None:
    """Wait until a counter has reached a value."""
    wait_until(lambda: counter(server, name) >= value, TIMEOUT_S, f"{name} to be {value}")


def wait_for_log(server: Server, text: str) -> None:
    """Wait until the server has logged a text."""
    wait_until(lambda: text in server.log(), TIMEOUT_S, f"the log to say {text!r}")


class Peer:
    """A server that answers every request with 200; what it was asked for and what it refused is noted."""

    def __init__(self, issued: Issued, client_ca: Path | None = None) -> None:
        self.names: list[str | None] = []
        self.clients: list[str] = []
        self.requests: list[Sip] = []
        self.connections = 0
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(issued.chain, issued.key)
        if client_ca is not None:
            self._tls.load_verify_locations(str(client_ca))
            self._tls.verify_mode = ssl.CERT_OPTIONAL
        self._tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def uri(self, host: str = "127.0.0.1") -> str:
        return f"sip:{host}:{self.port};transport=tls"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(TIMEOUT_S)
        with contextlib.suppress(OSError), self._tls.wrap_socket(plain, server_side=True) as peer:
            self._open.append(peer)
            if der := peer.getpeercert(binary_form=True):
                self.clients.append(common_name(der))
            while True:
                sent = answer(peer)
                self.requests.append(sent)
                copied = tuple(
                    (name, value) for name, value in sent.headers if name in ("Via", "From", "Call-ID", "CSeq")
                )
                peer.sendall(Sip("SIP/2.0 200 OK", (*copied, ("To", f"{sent['To']};tag=peer"))).encode())
