"""Nonces and the decision whether a request is authenticated."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest

from sipwright.modules import auth
from sipwright.modules.auth import Outcome, Request, authenticate
from sipwright.modules.digest import Credentials
from sipwright.modules.nonces import Nonces, NonceState
from sipwright.settings.auth import AuthDbSettings, AuthEphemeralSettings, AuthSettings, loaded_columns
from support.digest import credentials as answer
from support.digest import hashed

NOW = 1_800_000_000.0
URI = "sip:example.com"


def nonces(**settings: Any) -> Nonces:
    return Nonces(AuthSettings(secret="s", **settings))


def test_a_nonce_is_known_by_every_node_with_the_secret() -> None:
    text = nonces().make(NOW)
    assert nonces().check(text, NOW).state is NonceState.VALID
    assert Nonces(AuthSettings(secret="other")).check(text, NOW).state is NonceState.FORGED
    assert Nonces(AuthSettings()).check(text, NOW).state is NonceState.FORGED


@pytest.mark.parametrize(
    ("seconds", "state"),
    [
        (0, NonceState.VALID),
        (300, NonceState.VALID),
        (301, NonceState.EXPIRED),
        (-3, NonceState.VALID),
        (-4, NonceState.EXPIRED),
        (2**31 + 5, NonceState.EXPIRED),
    ],
)
def test_nonces_end(seconds: int, state: NonceState) -> None:
    made = nonces().make(NOW)
    assert nonces().check(made, NOW + seconds).state is state


def test_time_may_pass_2106() -> None:
    made = nonces().make(2.0**32 - 1)
    assert nonces().check(made, 2.0**32 + 10).state is NonceState.VALID


def test_no_bit_of_a_nonce_can_be_changed() -> None:
    data = bytearray(base64.b64decode(nonces().make(NOW, b"bound")))
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        changed = base64.b64encode(data).decode()
        assert nonces().check(changed, NOW, b"bound").state is NonceState.FORGED
        data[bit // 8] ^= 1 << bit % 8
    assert nonces().check(base64.b64encode(data).decode(), NOW, b"other").state is NonceState.FORGED


@pytest.mark.parametrize("text", ["", "x", "====", "AAAA", "\u00e4" * 36, "A" * 10_000])
def test_texts_that_are_no_nonces(text: str) -> None:
    assert nonces().check(text, NOW).state is NonceState.MALFORMED


def test_counting() -> None:
    counting = nonces(nonce_count=True)
    nonce = counting.check(counting.make(NOW), NOW)
    assert [counting.use(nonce, nc) for nc in (1, 1, 2, 5, 4, 2**32 - 1)] == [True, False, True, True, False, True]
    assert counting.use(nonce, None)


def test_nonces_of_before_the_start_are_stale_when_they_are_counted() -> None:
    text = nonces(nonce_count=True).make(NOW)
    states = {nonces(nonce_count=True).check(text, NOW).state for _ in range(3)}
    assert states == {NonceState.EXPIRED}


def test_only_so_many_nonces_are_counted() -> None:
    counting = nonces(one_time_nonce=True, otn_in_flight_order=2)
    made = [counting.make(NOW) for _ in range(6)]
    states = [counting.check(text, NOW).state for text in made]
    assert states == [NonceState.EXPIRED] * 2 + [NonceState.VALID] * 4
    assert [counting.use(counting.check(text, NOW), None) for text in made[2:]] == [True] * 4
    assert [counting.use(counting.check(text, NOW), None) for text in made[2:]] == [False] * 4


def test_a_one_time_nonce_is_used_once_by_any_number_of_threads() -> None:
    counting = nonces(one_time_nonce=True)
    nonce = counting.check(counting.make(NOW), NOW)
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(counting.use(nonce, None))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 15 + [True]


# ---- decisions -----------------------------------------------------------------------------------------------------


def decide(
    fields: list[str], maker: Nonces, *, method: str = "REGISTER", body: bytes = b"", at: float = NOW, **more: Any
) -> Outcome:
    known = {"alice": "secret"}
    algorithms = more.get("algorithms", ("MD5",))

    def find(found: Credentials) -> str | None:
        password = known.get(found.user)
        return None if password is None else hashed(found.hash_name, found.username, found.realm, password)

    return authenticate(fields, more.get("realm", "r"), algorithms, Request(method, body), maker, find, at)


def field(maker: Nonces, user: str = "alice", password: str = "secret", made_at: float = NOW, **changed: Any) -> str:
    challenge = {"realm": "r", "nonce": maker.make(made_at), "qop": changed.pop("qop", "")}
    return answer(challenge, "REGISTER", URI, user, password, **changed)


def test_codes() -> None:
    maker = nonces()
    assert decide([field(maker)], maker).code == auth.OK
    assert decide([field(maker, qop="auth")], maker).code == auth.OK
    assert decide([field(maker, password="x")], maker).code == auth.INVALID_PASSWORD
    assert decide([field(maker, user="bob")], maker).code == auth.USER_UNKNOWN
    assert decide([field(maker, realm="other")], maker).code == auth.NO_CREDENTIALS
    assert decide([], maker).code == auth.NO_CREDENTIALS
    assert decide(['Digest realm="r"'], maker).code == auth.ERROR
    assert decide([field(nonces(), nonce="x")], maker).code == auth.ERROR
    assert decide([field(Nonces(AuthSettings()))], maker).code == auth.STALE_NONCE
    assert {decide([], maker, method=method).code for method in ("ACK", "CANCEL", "PRACK")} == {auth.OK}


def test_stale_is_said_to_those_alone_who_know_the_password() -> None:
    maker = nonces()
    assert decide([field(maker, made_at=NOW - 400)], maker) == Outcome(
        auth.STALE_NONCE, 0, decide([field(maker, made_at=NOW - 400)], maker).credentials, is_stale=True
    )
    assert not decide([field(maker, made_at=NOW - 400, password="x")], maker).is_stale
    assert not decide([field(maker, made_at=NOW - 400, user="bob")], maker).is_stale
    assert not decide([field(Nonces(AuthSettings()))], maker).is_stale


def test_no_database_is_asked_for_a_nonce_that_nobody_made() -> None:
    maker = nonces()

    def find(_: Credentials) -> str:
        raise AssertionError("asked")

    for text in (field(Nonces(AuthSettings())), field(maker, nonce="x"), 'Digest realm="r"'):
        outcome = authenticate([text], "r", ("MD5",), Request("REGISTER", b""), maker, find, NOW)
        assert outcome.code in (auth.ERROR, auth.STALE_NONCE)


def test_a_wrong_password_uses_nothing_up() -> None:
    maker = nonces(one_time_nonce=True)
    good = field(maker)
    assert decide([good.replace('username="alice"', 'username="bob"')], maker).code == auth.USER_UNKNOWN
    assert decide([good], maker).code == auth.OK
    assert decide([good], maker).code == auth.NONCE_REUSED


def test_of_several_algorithms_the_first_that_was_offered_and_known() -> None:
    """RFC 8760 section 2.4: the client may send credentials for more than one challenge."""
    maker = nonces()
    fields = [field(maker, algorithm="SHA-256"), field(maker)]
    assert decide(fields, maker, algorithms=("MD5",)).index == 1
    assert decide(fields, maker, algorithms=("SHA-256", "MD5")).index == 0
    assert decide(fields[:1], maker, algorithms=("MD5",)).code == auth.ERROR
    outcome = decide([field(maker, algorithm="SHA-512-256")], maker, algorithms=("SHA-512-256",))
    assert outcome.code == auth.OK


def test_auth_int() -> None:
    maker = nonces()
    text = field(maker, qop="auth-int", body="v=0")
    assert decide([text], maker, body=b"v=0").code == auth.OK
    assert decide([text], maker, body=b"v=1").code == auth.INVALID_PASSWORD


# ---- settings ------------------------------------------------------------------------------------------------------


def test_settings_are_checked() -> None:
    assert AuthSettings(algorithm="sha-256, MD5").algorithm == "SHA-256,MD5"
    assert AuthEphemeralSettings.model_validate({"secret": "one"}).secret == ["one"]
    assert loaded_columns("$avp(a)=x;y; ") == [("$avp(a)", "x"), ("$avp(y)", "y")]
    for section, values in (
        (AuthSettings, {"algorithm": "SHA-1"}),
        (AuthDbSettings, {"user_column": "a; DROP TABLE x"}),
        (AuthDbSettings, {"load_credentials": "$avp(a)=b c"}),
        (AuthDbSettings, {"db_url": "text:///x"}),
    ):
        with pytest.raises(ValueError):
            section.model_validate(values)
