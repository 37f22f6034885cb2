"""What testssl finds about the server's TLS: nothing weak, in each TLS mode."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from conftest import Start
from support.certificates import Certificates
from support.tools import tool

# Protocols, standard cipher lists, forward secrecy, server preferences, server defaults, vulnerabilities.
CHECKS = ("-p", "-s", "-f", "-P", "-S", "-U")
BAD = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}
# Of the test's own certificate, which a private authority issued, and of its domain; not of the server.
NOT_THE_SERVER = {"cert_revocation", "DNS_CAArecord", "cert_chain_of_trust", "cert_expirationStatus", "cert_notAfter"}


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_testssl_finds_nothing_weak(start: Start, tmp_path: Path, certs: Certificates, mode: int) -> None:
    server = start("answer.py", "tls", settings={**certs.settings(), "tls.threads_mode": mode})
    host, port = server.address("tls")
    found = tmp_path / "testssl.json"
    options = ["--quiet", "--color", "0", "--warnings", "off", "--add-ca", str(certs.ca), "--jsonfile", str(found)]
    argv = [tool("testssl"), *options, *CHECKS, f"{host}:{port}"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=200, check=False)
    rows = {row["id"]: row for row in json.loads(found.read_text())}
    printed = done.stdout.decode(errors="replace")
    assert rows["TLS1_3"]["severity"] == rows["TLS1_2"]["severity"] == "OK", printed
    assert rows["TLS1_1"]["finding"] == rows["SSLv3"]["finding"] == "not offered", printed
    assert {"heartbleed", "ROBOT", "secure_renego", "LUCKY13"} <= rows.keys(), printed
    weak = {name: row["finding"] for name, row in rows.items() if row["severity"] in BAD and name not in NOT_THE_SERVER}
    assert weak == {}, printed
