"""Handshakes by `openssl s_client`, and SIP over them, in each TLS mode."""

from __future__ import annotations

import subprocess

import pytest

from conftest import Start
from support.certificates import Certificates
from support.messages import Sip, request
from support.tools import tool


def s_client(address: tuple[str, int], certs: Certificates, *arguments: str) -> tuple[int, str]:
    """The exit code and the report of a client that only shakes hands."""
    done = subprocess.run(
        command(address, certs, *arguments), stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def ask(address: tuple[str, int], certs: Certificates, sent: Sip, *arguments: str) -> str:
    """What the server answers to a request sent through s_client, as far as the empty line."""
    argv = command(address, certs, "-quiet", *arguments)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(sent.encode())
        process.stdin.flush()
        answer = b""
        while not answer.endswith(b"\r\n\r\n") and (line := process.stdout.readline()):
            answer += line
        process.terminate()
    return answer.decode()


def command(address: tuple[str, int], certs: Certificates, *arguments: str) -> list[str]:
    argv = [tool("openssl"), "s_client", "-connect", f"{address[0]}:{address[1]}", "-CAfile", str(certs.ca)]
    return [*argv, "-verify_return_error", "-verify_ip", address[0], *arguments]


@pytest.mark.parametrize("mode", [0, 1, 2])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_handshake_and_request(start: Start, certs: Certificates, mode: int, version: str) -> None:
    server = start("answer.py", "tls", settings={**certs.settings(), "tls.threads_mode": mode})
    address = server.address("tls")
    sent = request("OPTIONS", f"sip:{address[0]}:{address[1]}", ("127.0.0.1", 5061), proto="TLS")

    option = "-tls" + version.replace(".", "_")
    answer = Sip.parse(ask(address, certs, sent, option).encode())
    assert (answer.status, answer["Call-ID"]) == (200, sent["Call-ID"])
    assert server.route_calls("OPTIONS", sent["Call-ID"]) == 1

    code, output = s_client(address, certs, option)
    assert code == 0, output
    assert f"TLSv{version}" in output
    assert "Verify return code: 0 (ok)" in output


def test_older_versions_are_refused(start: Start, certs: Certificates) -> None:
    server = start("answer.py", "tls", settings=certs.settings())
    code, output = s_client(server.address("tls"), certs, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert code != 0, output


def test_session_is_resumed(start: Start, certs: Certificates, tmp_path_factory: pytest.TempPathFactory) -> None:
    server = start("answer.py", "tls", settings=certs.settings())
    session = str(tmp_path_factory.mktemp("session") / "session.pem")
    first = s_client(server.address("tls"), certs, "-tls1_2", "-sess_out", session)
    again = s_client(server.address("tls"), certs, "-tls1_2", "-sess_in", session)
    assert first[0] == again[0] == 0, again[1]
    assert "Reused, TLSv1.2" in again[1], again[1]
