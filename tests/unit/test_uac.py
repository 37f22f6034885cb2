"""Being a client: answers to challenges, and when registrations have something to do."""

from __future__ import annotations

import pytest

from sipwright.modules import digest
from sipwright.modules.digest_client import Account, Challenge, choose
from sipwright.modules.uac_reg import COLUMNS, DISABLED, ONGOING, ONLINE, Registration, Registrations, from_row, granted
from sipwright.modules.uac_requests import RequestVariables, made, with_credentials
from sipwright.settings.uac import UacSettings

PLAIN = 'Digest realm="r.com", nonce="abc", opaque="op"'
QOP = 'Digest realm="r.com", nonce="abc", qop="auth", algorithm=MD5'


def answer(challenge: str, account: Account, cnonce: str = "") -> str:
    found = Challenge.read(challenge)
    assert found is not None
    return found.answer(account, "INVITE", "sip:bob@127.0.0.1:41387", cnonce=cnonce)


def test_answers_are_written_as_kamailio_does() -> None:
    """The responses are those that Kamailio 5.6 computed."""
    account = Account("u1", "pw")
    assert answer(PLAIN, account) == (
        'Digest username="u1", realm="r.com", nonce="abc", uri="sip:bob@127.0.0.1:41387", opaque="op", '
        'response="57444fa8ab87453684baf4bbaaedc44b", algorithm=MD5'
    )
    assert answer(QOP, account, cnonce="7167810") == (
        'Digest username="u1", realm="r.com", nonce="abc", uri="sip:bob@127.0.0.1:41387", qop=auth, nc=00000001, '
        'cnonce="7167810", response="d06253cb905c400d61eb228f29628104", algorithm=MD5'
    )


def test_ha1_is_as_good_as_the_password() -> None:
    ha1 = digest.ha1("MD5", "u1", "r.com", "pw")
    assert answer(QOP, Account("u1", ha1, True), cnonce="1") == answer(QOP, Account("u1", "pw"), cnonce="1")


@pytest.mark.parametrize("algorithm", ["SHA-256", "SHA-512-256", "MD5-sess"])
def test_other_algorithms(algorithm: str) -> None:
    text = answer(f'Digest realm="r", nonce="n", qop="auth-int,auth", algorithm={algorithm}', Account("u", "p"))
    credentials = digest.parse(text)
    expected = digest.response(credentials, digest.ha1_of(credentials, "p"), "INVITE", b"")
    assert (credentials.get("response"), credentials.get("algorithm")) == (expected, algorithm)


def test_challenges_are_taken_in_their_order() -> None:
    found = choose(["Basic x", 'Digest realm="a", nonce="n", algorithm=WEIRD', 'Digest realm="a"', QOP, PLAIN])
    assert [challenge.algorithm for challenge in found] == ["MD5", "MD5"]
    assert choose([QOP], "other") == []
    assert not Account("u", "0" * 32, True).fits("SHA-256")


# Requests of our own


def test_variables_and_the_request_that_they_make() -> None:
    variables = RequestVariables()
    for name, value in (
        ("method", "MESSAGE"),
        ("ruri", "sip:a@b"),
        ("body", "hi"),
        ("hdrs", "X: y\r\n"),
        ("evroute", "1"),
    ):
        assert variables.set(name, value)
    assert not variables.set("nope", "x")
    request = made(variables, "udp:127.0.0.1:5060")
    assert (request.cseq, request.from_uri, request.to_uri) == (10, "sip:a@b", "sip:a@b")
    assert (request.body, request.headers) == (b"hi", "X: y\r\nContent-Type: text/plain\r\n")
    again = with_credentials(request, "Authorization", "Digest x")
    assert (again.cseq, again.call_id, again.from_tag) == (11, request.call_id, request.from_tag)
    assert (variables.get("evroute"), variables.get("turi")) == (1, None)
    variables.set("all", None)
    with pytest.raises(ValueError, match="method"):
        made(variables, "")


# Registrations

ROW = ("u1", "lu", "ld.com", "ru", "rd.com", "r", "au", "pw", ".", "sip:proxy", "60", 0, 0, ".", ".")


def table(**more: int) -> Registrations:
    values = {"ahead_s": 10, "retry_s": 30, "random_s": 0, **more}
    return Registrations(values["ahead_s"], values["retry_s"], values["random_s"], bool(more.get("keep", 0)))


def put(registrations: Registrations, *changes: tuple[str, object]) -> Registration:
    one = from_row({**dict(zip(COLUMNS, ROW, strict=True)), **dict(changes)}.values())
    registrations.put(one, 0)
    return one


def test_the_life_of_a_registration() -> None:
    registrations = table()
    one = put(registrations)
    assert one.status() == -99
    assert registrations.due(0) == [one]
    assert (one.status(), registrations.due(0)) == (-2, [])
    registrations.accepted(one, 60, 1)
    assert (one.status(), one.due, registrations.due(50)) == (1, 51, [])
    first = one.call_id
    assert registrations.due(51) == [one]
    assert (one.status(), one.call_id == first) == (1, False)
    registrations.failed(one, 52)
    assert (one.status(), registrations.due(81), registrations.due(82)) == (-99, [], [one])


def test_refreshes_keep_their_call_id_if_wanted() -> None:
    registrations = table(keep=1)
    one = put(registrations)
    registrations.due(0)
    first, cseq = one.call_id, one.cseq
    registrations.accepted(one, 60, 0)
    registrations.due(55)
    assert (one.call_id, one.cseq) == (first, cseq + 1)


def test_without_a_retry_a_failure_is_the_end() -> None:
    registrations = table(retry_s=0)
    one = put(registrations)
    registrations.due(0)
    registrations.failed(one, 1)
    assert (one.flags & DISABLED, one.status()) == (DISABLED, -3)
    registrations.switch(one, True, 2)
    assert registrations.due(2) == [one]


def test_short_registrations_are_refreshed_at_half_their_time() -> None:
    registrations = table(ahead_s=90)
    one = put(registrations)
    registrations.due(0)
    registrations.accepted(one, 60, 0)
    assert one.due == 30


def test_a_table_that_is_read_again_keeps_what_is_as_before() -> None:
    registrations = table()
    one = put(registrations)
    registrations.due(0)
    registrations.accepted(one, 60, 0)
    same, other = from_row(ROW), from_row(("u2", *ROW[1:]))
    registrations.replace_all([same, other], 5)
    assert (registrations.get("u1") is one, len(registrations), registrations.get("u2") is other) == (True, 2, True)
    registrations.replace_all([], 5)
    assert len(registrations) == 0


def test_looking_for_one() -> None:
    registrations = table()
    one = put(registrations, ("reg_delay", 7))
    assert (registrations.due(6), registrations.find("auth_username", "au"), one.due) == ([], one, 7)
    assert registrations.by_user("lu", "ld.com") is one
    assert registrations.by_user("lu", "other") is None
    with pytest.raises(ValueError, match="none of"):
        registrations.find("flags", "1")
    assert registrations.remove("u1")
    assert not registrations.remove("u1")


@pytest.mark.parametrize("change", [("l_uuid", ""), ("expires", "0"), ("auth_ha1", "short"), ("r_domain", "")])
def test_accounts_that_cannot_be(change: tuple[str, object]) -> None:
    with pytest.raises(ValueError):
        put(table(), change)


def test_what_was_granted() -> None:
    contacts = [("sip:other@h", "5"), ("sip:u1@h:5", "40")]
    assert granted(contacts, "sip:u1@h:5", "30", 60) == 40
    assert granted([], "sip:u1@h:5", "30", 60) == 30
    assert granted([], "sip:u1@h:5", None, 60) == 60
    assert ONGOING | ONLINE == 6


def test_credentials_are_three_words() -> None:
    with pytest.raises(ValueError, match="user:realm:password"):
        UacSettings(credential=["only:two"])
