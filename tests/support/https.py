"""An HTTPS server on loopback, in a process of its own, that answers every GET with `fine`."""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.certificates import Certificates
from support.ports import free_port
from support.process import Child, wait_until
from support.servers import Listen, bound

BODY = b"fine"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def https_server(certs: Certificates, directory: Path) -> Iterator[int]:
    """Its port, for as long as it runs."""
    port = free_port()
    # Its own directory is no place to import from: there is an `http` in it.
    argv = [sys.executable, "-P", __file__, str(port), str(certs.certificate), str(certs.key)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with Child(argv, directory / "https.log", cwd=directory, env=env) as child:
        wait_until(lambda: bound(Listen("tcp", port=port)), 10, "the HTTPS server")
        yield port
        child.kill()


def main() -> None:
    port, certificate, key = sys.argv[1:]
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.daemon_threads = True
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    # The handshake is the connection's thread's, not the listener's.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main()
