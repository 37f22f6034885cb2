"""Authentication: challenges, credentials right and wrong, users of a database, passwords that end."""

from __future__ import annotations

import base64
import hmac
import time

from oracle.databases import REALM, USERS
from oracle.scenario import Peer, scenario
from support.digest import challenge_of, credentials, hashed
from support.messages import Sip

HOME = "sip:oracle.test"
CHECK = """
def ksr_request_route(self, msg):
    code = KSR.auth_db.auth_check("oracle.test", "subscriber", {flags})
    note("auth_check", code)
    if code < 0:
        note("auth_challenge", KSR.auth.auth_challenge("oracle.test", {challenge}))
        return
    note("consume_credentials", KSR.auth.consume_credentials())
    note("reply", KSR.sl.send_reply(200, "OK"))
"""


def checking(flags: int = 0, challenge: int = 0) -> str:
    return CHECK.format(flags=flags, challenge=challenge)


async def challenged(peer: Peer, method: str = "REGISTER", to: str = HOME) -> dict[str, str]:
    peer.request(method, to, *whose(peer))
    return challenge_of(await peer.expect(401 if method == "REGISTER" else 407))


def whose(peer: Peer) -> tuple[tuple[str, str], ...]:
    return (("To", f"<sip:{peer.name}@{REALM}>"),)


def authorised(
    peer: Peer,
    challenge: dict[str, str],
    user: str = "alice",
    password: str = "",
    method: str = "REGISTER",
    **changed: str,
) -> Sip:
    value = credentials(challenge, method, HOME, user, password or USERS.get(user, ""), 1, **changed)
    name = "Authorization" if method == "REGISTER" else "Proxy-Authorization"
    to = ("To", f"<sip:{peer.name}@{REALM}>")
    return peer.request(method, HOME, (name, value), to)


@scenario(checking(1, 1), profile="auth")
async def register_with_the_right_password(alice: Peer) -> None:
    authorised(alice, await challenged(alice))
    await alice.expect(200)


@scenario(checking(1), profile="auth")
async def register_without_qop(alice: Peer) -> None:
    authorised(alice, await challenged(alice))
    await alice.expect(200)


@scenario(checking(1, 1), profile="auth")
async def register_with_a_wrong_password(alice: Peer) -> None:
    authorised(alice, await challenged(alice), password="guess")
    await alice.expect(401)


@scenario(checking(1, 1), profile="auth")
async def register_of_an_unknown_user(alice: Peer) -> None:
    authorised(alice, await challenged(alice), user="nobody")
    await alice.expect(401)


@scenario(checking(1, 1), profile="auth")
async def register_for_somebody_else(alice: Peer) -> None:
    authorised(alice, await challenged(alice), user="bob")
    await alice.expect(401)


@scenario(checking(0, 1), profile="auth")
async def register_for_somebody_else_unchecked(alice: Peer) -> None:
    authorised(alice, await challenged(alice), user="bob")
    await alice.expect(200)


@scenario(checking(0, 1), profile="auth")
async def a_user_name_with_its_domain(alice: Peer) -> None:
    challenge = await challenged(alice)
    authorised(alice, challenge, user=f"alice@{REALM}", password=USERS["alice"])
    await alice.expect(200)
    authorised(alice, challenge, user="alice@elsewhere.test", password=USERS["alice"])
    await alice.expect(401)


@scenario(checking(0, 1), profile="auth")
async def credentials_that_are_none(alice: Peer) -> None:
    """Of another realm, without a response, of another scheme, with an unknown nonce, cut off."""
    challenge = await challenged(alice)
    good = credentials(challenge, "REGISTER", HOME, "alice", USERS["alice"])
    authorised(alice, challenge, realm="elsewhere.test")
    await alice.expect(401)
    for value in (
        good.replace("response=", "answer="),
        "Basic YWxpY2U6c2VjcmV0",
        good.replace('nonce="', 'nonce="x'),
        "Digest",
        f'Digest realm="{REALM}"',
        good.replace('username="alice", ', ""),
    ):
        alice.request("REGISTER", HOME, ("Authorization", value))
        await alice.expect(401)


@scenario(checking(0, 1), profile="auth")
async def credentials_for_several_realms(alice: Peer) -> None:
    challenge = await challenged(alice)
    other = credentials(challenge, "REGISTER", HOME, "alice", "x", realm="elsewhere.test")
    good = credentials(challenge, "REGISTER", HOME, "alice", USERS["alice"])
    alice.request("REGISTER", HOME, ("Authorization", other), ("authorization", good))
    await alice.expect(200)


@scenario(checking(0, 1), profile="auth")
async def algorithms_by_name(alice: Peer) -> None:
    challenge = await challenged(alice)
    for algorithm in ("MD5", '"MD5"', "md5"):
        value = credentials(challenge, "REGISTER", HOME, "alice", USERS["alice"]) + f", algorithm={algorithm}"
        alice.request("REGISTER", HOME, ("Authorization", value))
        await alice.expect(200)
    authorised(alice, challenge, algorithm="SHA-256")
    await alice.expect(401)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        note("ack", KSR.auth_db.auth_check("oracle.test", "subscriber", 1), KSR.tm.t_check_trans())
        return
    if KSR.is_CANCEL():
        note("cancel", KSR.auth_db.auth_check("oracle.test", "subscriber", 1))
        KSR.tm.t_relay()
        return
    code = KSR.auth_db.auth_check("oracle.test", "subscriber", 1)
    note("auth_check", code)
    if code < 0:
        note("auth_challenge", KSR.auth.auth_challenge("oracle.test", 1))
        return
    note("variables", KSR.pv.get("$au"), KSR.pv.get("$ar"), KSR.pv.get("$aU"), KSR.pv.get("$adu"))
    note("loaded", KSR.pv.get("$avp(password)"), KSR.pv.get("$avp(domain)"), KSR.pv.get("$avp(number)"))
    note("consume_credentials", KSR.auth.consume_credentials(), KSR.auth.consume_credentials())
    KSR.pv.sets("$ru", "sip:bob@" + at("bob"))
    KSR.tm.t_relay()
""",
    profile="auth",
)
async def invite_whose_credentials_are_consumed(alice: Peer, bob: Peer) -> None:
    """They do not reach the callee; those of other realms do."""
    alice.invite(HOME)
    challenge = challenge_of(await alice.expect(407))
    mine = credentials(challenge, "INVITE", HOME, "alice", USERS["alice"])
    other = credentials(challenge, "INVITE", HOME, "alice", "x", realm="elsewhere.test")
    invite = alice.invite(HOME, ("Proxy-Authorization", other), ("proxy-authorization", mine))
    got = await bob.expect("INVITE")
    bob.answer(got, 180)
    await alice.expect(180)
    alice.cancel(invite)
    await alice.expect(200)
    await bob.is_cancelled(got)
    await alice.expect(487)


@scenario(checking(1, 1), profile="auth")
async def users_of_other_methods(alice: Peer) -> None:
    challenge = await challenged(alice, "MESSAGE")
    for method in ("MESSAGE", "SUBSCRIBE", "PUBLISH", "OPTIONS"):
        for user in ("alice", "bob"):
            authorised(alice, challenge, user=user, method=method)
            await alice.expect(200 if user == "alice" and method != "PUBLISH" else 407)


@scenario(checking(3, 1), profile="auth")
async def users_of_other_methods_with_flag_2(alice: Peer) -> None:
    challenge = await challenged(alice, "MESSAGE")
    for method in ("MESSAGE", "SUBSCRIBE", "PUBLISH", "OPTIONS"):
        authorised(alice, challenge, user="bob", method=method)
        await alice.expect(200 if method == "MESSAGE" else 407)


@scenario(checking(3, 1), profile="auth")
async def the_caller_of_a_register(alice: Peer) -> None:
    """Who is registered and who registers must both be the user."""
    challenge = await challenged(alice)
    value = credentials(challenge, "REGISTER", HOME, "alice", USERS["alice"])
    for caller, to in (("alice", "alice"), ("alice", "bob"), ("bob", "alice")):
        names = ("From", f"<sip:{caller}@{REALM}>;tag=alice"), ("To", f"<sip:{to}@{REALM}>")
        alice.request("REGISTER", HOME, ("Authorization", value), *names)
        await alice.expect(200 if caller == to else 401)


@scenario(
    """
def ksr_request_route(self, msg):
    for realm in ("oracle.test", "elsewhere.test", ""):
        note("has_credentials", realm, KSR.auth.has_credentials(realm))
    note("consume_credentials", KSR.auth.consume_credentials())
    for checks in (0, 1):
        for flags, password in ((0, "secret of alice"), (0, "wrong"), (1, HA1), (1, "secret of alice")):
            note("pv_auth_check", flags, checks, KSR.auth.pv_auth_check("oracle.test", password, flags, checks))
    note("empty realm", KSR.auth_db.auth_check("", "subscriber", 0))
    note("no table", KSR.auth_db.auth_check("oracle.test", "nowhere", 0))
    note("challenge", KSR.auth.auth_challenge("oracle.test", 17))
"""
    + f"HA1 = {hashed('MD5', 'alice', REALM, USERS['alice'])!r}",
    profile="auth",
)
async def passwords_of_the_script(alice: Peer) -> None:
    challenge = await challenged(alice)
    authorised(alice, challenge)
    await alice.expect(401)


@scenario(
    """
def ksr_request_route(self, msg):
    for uri in ("sip:alice@oracle.test", "sip:alice@elsewhere.test", "sip:nobody@oracle.test", "sip:oracle.test", "x"):
        for flags in (0, 1, 2, 3):
            KSR.pv.unset("$avp(password)")
            code = KSR.auth_db.is_subscriber(uri, "subscriber", flags)
            note("is_subscriber", uri, flags, code, KSR.pv.get("$avp(password)"))
    note(KSR.sl.send_reply(200, "OK"))
""",
    profile="auth",
)
async def who_is_a_subscriber(alice: Peer) -> None:
    alice.request("OPTIONS", HOME)
    await alice.expect(200)


@scenario(
    """
def ksr_request_route(self, msg):
    flags = int(KSR.pv.get("$rU"))
    note(flags, KSR.auth.auth_challenge("oracle.test", flags))
""",
    profile="auth",
)
async def challenges_by_flags(alice: Peer) -> None:
    for number, flags in enumerate((0, 1, 2, 3, 4, 8, 16, 17, 18)):
        alice.request("OPTIONS" if number % 2 else "REGISTER", f"sip:{flags}@oracle.test")
        await alice.expect(407 if number % 2 else 401)


@scenario(
    """
def ksr_request_route(self, msg):
    note("ack", KSR.auth.auth_challenge("oracle.test", 1), KSR.auth_db.auth_check("oracle.test", "subscriber", 1))
""",
    profile="auth",
)
async def an_ack_cannot_be_challenged(alice: Peer) -> None:
    alice.request("ACK", HOME)


@scenario(
    """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        KSR.tm.t_check_trans()
        return
    KSR.tm.t_newtran()
    KSR.hdr.append_to_reply("X-Hint: users\\r\\n")
    note(KSR.auth.auth_challenge("oracle.test", 1))
""",
    profile="auth",
)
async def a_challenge_through_a_transaction(alice: Peer) -> None:
    alice.invite(HOME)
    await alice.expect(407)


@scenario(checking(0, 1), profile="auth_counted")
async def counted_nonces(alice: Peer) -> None:
    challenge = await challenged(alice)
    for nc in (1, 1, 2, 4, 3, 5):
        value = credentials(challenge, "REGISTER", HOME, "alice", USERS["alice"], nc)
        alice.request("REGISTER", HOME, ("Authorization", value))
        await alice.expect(lambda message: message.status in (200, 401))


@scenario(checking(0, 0), profile="auth_counted")
async def a_nonce_for_one_request(alice: Peer) -> None:
    challenge = await challenged(alice)
    for code in (200, 401):
        authorised(alice, challenge)
        await alice.expect(code)


@scenario(checking(0, 1), profile="auth_bound")
async def nonces_that_are_bound(alice: Peer) -> None:
    """By Call-ID for REGISTER, by request-URI and source for others."""
    challenge = await challenged(alice)
    authorised(alice, challenge)
    await alice.expect(401)
    challenge = await challenged(alice, "OPTIONS")
    authorised(alice, challenge, method="OPTIONS")
    await alice.expect(200)
    value = credentials(challenge, "OPTIONS", HOME, "alice", USERS["alice"])
    alice.request("OPTIONS", "sip:other@oracle.test", ("Proxy-Authorization", value))
    await alice.expect(407)


@scenario(checking(0, 1), profile="auth_sha256")
async def sha_256_and_plain_passwords(alice: Peer) -> None:
    challenge = await challenged(alice)
    authorised(alice, challenge)
    await alice.expect(200)
    authorised(alice, challenge, password="guess")
    await alice.expect(401)
    authorised(alice, challenge, algorithm="MD5")
    await alice.expect(401)


@scenario(checking(1, 1), profile="auth_sha256")
async def users_of_a_domain(alice: Peer) -> None:
    """With use_domain the host of To counts, and so does that of the user name."""
    challenge = await challenged(alice)
    authorised(alice, challenge)
    await alice.expect(200)
    value = credentials(challenge, "REGISTER", HOME, "alice", USERS["alice"])
    alice.request("REGISTER", HOME, ("Authorization", value), ("To", "<sip:alice@elsewhere.test>"))
    await alice.expect(401)
    authorised(alice, challenge, user="alice@elsewhere.test", password=USERS["alice"])
    await alice.expect(401)


EPHEMERAL = """
def ksr_request_route(self, msg):
    note("check", KSR.auth_ephemeral.autheph_check("oracle.test"))
    note("www", KSR.auth_ephemeral.autheph_www("oracle.test"), KSR.auth_ephemeral.autheph_proxy("oracle.test"))
    note("method", KSR.auth_ephemeral.autheph_www_method("oracle.test", "REGISTER"))
    note(KSR.auth.auth_challenge("oracle.test", 0))
"""


def made(user: str) -> str:
    return base64.b64encode(hmac.digest(b"shared", user.encode(), "sha1")).decode()


@scenario(EPHEMERAL, profile="auth")
async def passwords_that_end(alice: Peer) -> None:
    challenge = await challenged(alice)
    now = int(time.time())
    for user in (f"{now + 100}:alice", f"{now + 100}", f"{now - 10}:alice", "alice", f"{now + 100}:alice@oracle.test"):
        authorised(alice, challenge, user=user, password=made(user))
        await alice.expect(401)
    authorised(alice, challenge, user=f"{now + 100}:alice", password="guess")
    await alice.expect(401)
    authorised(alice, challenge, user=f"{now + 100}:alice", password=made(f"{now + 100}:alice"), method="OPTIONS")
    await alice.expect(407)
