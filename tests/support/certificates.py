"""A certification authority and a server certificate made by openssl, apart from what the server makes itself."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.tools import tool

NAMES = "subjectAltName=DNS:localhost,DNS:example.com,IP:127.0.0.1,IP:::1"


@dataclass(frozen=True)
class Certificates:
    """PEM files: the authority, the server's certificate and its key."""

    ca: Path
    certificate: Path
    key: Path

    def settings(self) -> dict[str, object]:
        """As settings of the server."""
        return {"tls.certificate": self.certificate, "tls.private_key": self.key}


def make(directory: Path) -> Certificates:
    """Make them, valid for loopback and the domain example.com."""
    made = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    ca_key = directory / "ca.key"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    req: list[str | Path] = [tool("openssl"), "req", "-x509", *curve]
    authority = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]
    run([*req, "-subj", "/CN=Sipwright test CA", *authority, "-keyout", ca_key, "-out", made.ca])
    signed: list[str | Path] = [
        "-CA",
        made.ca,
        "-CAkey",
        ca_key,
        "-addext",
        NAMES,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]
    run([*req, "-subj", "/CN=localhost", *signed, "-keyout", made.key, "-out", made.certificate])
    return made


def run(argv: list[str | Path]) -> None:
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
