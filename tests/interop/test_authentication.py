"""pjsua2 and sipp answer our challenges with digests of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from conftest import Start
from support.phones import Phone
from support.ports import free_port
from support.servers import Server
from support.sipp import Sipp
from support.users import users_database


def with_users(start: Start, directory: Path, examples: Path, settings: Mapping[str, object]) -> Server:
    url = users_database(directory, str(settings.get("auth.algorithm", "MD5")))
    return start(examples / "authentication.py", settings={"auth_db.db_url": url, **settings})


@pytest.mark.timeout(120)
@pytest.mark.parametrize("algorithm", ["", "MD5", "SHA-256"])
def test_phones_register_and_call(start: Start, tmp_path: Path, examples: Path, algorithm: str) -> None:
    settings = {"auth.algorithm": algorithm, "auth.nonce_count": True} if algorithm else {}
    server = with_users(start, tmp_path, examples, settings)
    host, port = server.address("udp")
    with (
        Phone("udp", "bob", (host, port), tmp_path, password="secret") as bob,
        Phone("udp", "alice", (host, port), tmp_path, password="secret") as alice,
    ):
        assert bob.event("registered") == "200"
        assert alice.event("registered") == "200"
        alice.tell(f"call sip:bob@{host}:{port}")
        bob.event("incoming")
        call_id = alice.event("confirmed")
        assert bob.event("confirmed") == call_id
        alice.tell("hangup")
        assert alice.event("ended").split()[1] == call_id
        assert server.route_calls("INVITE", call_id) == 2, "once to be challenged, once with credentials"
        assert server.route_calls("REGISTER") == 4


@pytest.mark.timeout(60)
@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_phone_with_a_wrong_password(start: Start, tmp_path: Path, examples: Path, password: str) -> None:
    server = with_users(start, tmp_path, examples, {})
    with Phone("udp", "alice", server.address("udp"), tmp_path, password=password) as alice:
        assert alice.event("registered") in ("401", "403")
    assert server.route_calls("REGISTER") >= 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("settings", [{}, {"auth.one_time_nonce": True}, {"auth.force_stateless_reply": True}])
def test_sipp_registers(start: Start, tmp_path: Path, examples: Path, settings: dict[str, object]) -> None:
    server = with_users(start, tmp_path, examples, settings)
    with Sipp("authenticated", server.address("udp"), tmp_path, port=free_port(), calls=20, rate=50) as sipp:
        assert sipp.wait() == 0, sipp.errors()
        assert sipp.figures().successful == 20
    assert server.route_calls("REGISTER") == 40
