"""Other From and To for the next hop, credentials, requests of our own."""

from __future__ import annotations

from oracle.scenario import Missing, Net, Peer, scenario
from sipwright.modules import digest
from support.messages import Sip
from support.peers import UdpPeer

CHALLENGE = 'Digest realm="oracle.realm", nonce="abc", qop="auth", algorithm=MD5'
ROUTES = """
def ksr_request_route(self, msg):
    if KSR.siputils.has_totag() > 0:
        note("loose_route", KSR.rr.loose_route(){later})
    else:
        KSR.rr.record_route()
        note("replace", {replace})
        KSR.pv.sets("$du", "sip:" + at("bob"))
    KSR.tm.t_relay()
"""


def replacing(replace: str, later: str = "") -> str:
    return ROUTES.replace("{replace}", replace).replace("{later}", later)


async def a_dialog(alice: Peer, bob: Peer) -> None:
    """A call, with a BYE from either side."""
    alice.invite("sip:bob@oracle.test")
    invite = await bob.expect("INVITE")
    bob.answer(invite, 180)
    await alice.expect(180)
    bob.answer(invite, 200)
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await bob.expect("ACK")
    for one, other, message in ((alice, bob, ok), (bob, alice, invite)):
        one.within("BYE", message)
        other.answer(await other.expect("BYE"), 200)
        await one.expect(200)


@scenario(replacing('KSR.uac.uac_replace_from_uri("sip:other@new.example.net")'), profile="uac")
async def another_from_uri(alice: Peer, bob: Peer) -> None:
    await a_dialog(alice, bob)


@scenario(replacing("""KSR.uac.uac_replace_from('"Other One"', "sip:o@n.com")"""), profile="uac")
async def another_from_with_a_name(alice: Peer, bob: Peer) -> None:
    await a_dialog(alice, bob)


@scenario(replacing("""KSR.uac.uac_replace_from('"Other One"', "")"""), profile="uac")
async def another_name_alone(alice: Peer, bob: Peer) -> None:
    """Stays as it is in responses, too."""
    await a_dialog(alice, bob)


@scenario(replacing("""KSR.uac.uac_replace_to('"To"', "sip:averyveryverylongone@to.example.com;x=y")"""), profile="uac")
async def another_to(alice: Peer, bob: Peer) -> None:
    await a_dialog(alice, bob)


@scenario(
    replacing('KSR.uac.uac_replace_from_uri("sip:a@b.com"), KSR.uac.uac_replace_to_uri("sip:c@d.com")'), profile="uac"
)
async def another_from_and_to(alice: Peer, bob: Peer) -> None:
    await a_dialog(alice, bob)


@scenario(
    replacing('KSR.uac.uac_replace_from_uri("sip:a@b.com"), KSR.uac.uac_replace_from_uri("sip:c@d.com")'), profile="uac"
)
async def another_from_twice(alice: Peer, bob: Peer) -> None:
    """The second time is refused."""
    await a_dialog(alice, bob)


@scenario(replacing('KSR.uac.uac_replace_from("", "sip:anonymous@anonymous.invalid")'), profile="uac_manual")
async def manual_and_left_alone(alice: Peer, bob: Peer) -> None:
    """Responses are restored, later requests are not."""
    await a_dialog(alice, bob)


@scenario(
    replacing(
        'KSR.uac.uac_replace_from_uri("sip:a@b.com"), KSR.uac.uac_replace_to_uri("sip:c@d.com")',
        ", KSR.uac.uac_restore_from(), KSR.uac.uac_restore_to()",
    ),
    profile="uac_manual",
)
async def manual_and_restored(alice: Peer, bob: Peer) -> None:
    await a_dialog(alice, bob)


# Credentials

AUTH = """
def ksr_request_route(self, msg):
    if KSR.is_ACK():
        return
    {before}
    KSR.tm.t_on_failure("challenged")
    KSR.pv.sets("$du", "sip:" + at("bob"))
    KSR.tm.t_relay()

def challenged(self, msg):
    result = {auth}
    note("uac_auth", result)
    if result > 0:
        note("t_relay", KSR.tm.t_relay())
"""


def authenticating(before: str = "pass", auth: str = "KSR.uac.uac_auth()") -> str:
    return AUTH.replace("{before}", before).replace("{auth}", auth)


def is_right(request: Sip, header: str, ha1: str) -> bool:
    """Whether the response in the credentials is that of HA1."""
    credentials = digest.parse(request[header])
    return digest.response(credentials, ha1, request.method, request.body) == credentials.get("response")


async def challenged_call(alice: Peer, bob: Peer, code: int, challenge: str, ha1: str) -> None:
    alice.invite("sip:bob@oracle.test")
    asked, header = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}[
        code
    ]
    await bob.refuse(await bob.expect("INVITE"), code, (asked, challenge))
    again = await bob.expect("INVITE")
    alice.net.remark(f"the response is right: {is_right(again, header, ha1)}")
    bob.answer(again, 200)
    alice.within("ACK", await alice.expect(200))


@scenario(authenticating(), profile="uac")
async def auth_by_credential(alice: Peer, bob: Peer) -> None:
    await challenged_call(alice, bob, 401, CHALLENGE, digest.ha1("MD5", "known", "oracle.realm", "secret"))


@scenario(authenticating(), profile="uac")
async def auth_by_proxy_without_qop(alice: Peer, bob: Peer) -> None:
    challenge = 'Digest realm="oracle.realm", nonce="abc", opaque="op"'
    await challenged_call(alice, bob, 407, challenge, digest.ha1("MD5", "known", "oracle.realm", "secret"))


VARIABLES = 'KSR.pv.sets("$avp(user)", "me"); KSR.pv.sets("$avp(password)", "{}")'


@scenario(authenticating(VARIABLES.replace("{}", "pw") + '; KSR.pv.sets("$avp(realm)", "oracle.realm")'), profile="uac")
async def auth_by_variables(alice: Peer, bob: Peer) -> None:
    await challenged_call(alice, bob, 401, CHALLENGE, digest.ha1("MD5", "me", "oracle.realm", "pw"))


HA1 = digest.ha1("MD5", "me", "oracle.realm", "pw")


@scenario(authenticating(VARIABLES.replace("{}", HA1), "KSR.uac.uac_auth_mode(1)"), profile="uac")
async def auth_by_ha1_of_any_realm(alice: Peer, bob: Peer) -> None:
    await challenged_call(alice, bob, 401, CHALLENGE, HA1)


@scenario(authenticating(), profile="uac")
async def auth_without_credentials(alice: Peer, bob: Peer) -> None:
    """The challenge goes back to the caller."""
    alice.request("MESSAGE", "sip:bob@oracle.test")
    challenge = CHALLENGE.replace("oracle.realm", "other.realm")
    bob.answer(await bob.expect("MESSAGE"), 401, ("WWW-Authenticate", challenge))
    await alice.expect(401)


@scenario(authenticating(), profile="uac")
async def auth_by_another_scheme(alice: Peer, bob: Peer) -> None:
    alice.request("MESSAGE", "sip:bob@oracle.test")
    bob.answer(await bob.expect("MESSAGE"), 401, ("WWW-Authenticate", 'Basic realm="oracle.realm"'))
    await alice.expect(401)


# Requests of our own

SENDING = """
def ksr_request_route(self, msg):
    KSR.pv.unset("$uac_req(all)")
    for name, value in (("method", "OPTIONS"), ("ruri", "sip:far@" + KSR.hdr.get("X-Far")), ("furi", "sip:f@f.com"),
                        ("turi", "sip:t@t.com"), ("callid", "{name}-77@oracle")):
        KSR.pv.sets("$uac_req(%s)" % name, value)
    {more}
    note("sent", KSR.uac.uac_req_send())
    KSR.sl.sl_send_reply(200, "OK")

def uac_reply(self, msg, event):
    pv("$uac_req(evcode)", "$uac_req(evtype)", "$uac_req(evparam)", "$rm", "$rs")
"""


def sending(name: str, more: str = "pass") -> str:
    return SENDING.replace("{name}", name).replace("{more}", more)


SHOWN = ("From", "To", "Call-ID", "CSeq", "X-Own", "Max-Forwards")


async def far_end(alice: Peer, net: Net, *answers: tuple[int, tuple[tuple[str, str], ...]]) -> list[Sip]:
    """Where the requests of our own go: what is seen of them there, but for User-Agent, Via and the order of lines."""
    seen: list[Sip] = []
    async with UdpPeer.open() as far:
        host, port = far.address
        alice.request("OPTIONS", "sip:server@oracle.test", ("X-Far", f"{host}:{port}"))
        await alice.expect(200)
        for code, extra in answers:
            try:
                request, source = await far.receive()
            except TimeoutError:
                raise Missing("nothing came to the far end") from None
            seen.append(request)
            shown = [f"{name}: {value.partition(';tag=')[0]}" for name in SHOWN for value in request.all(name)]
            net.remark(f"far end got {request.method}, {', '.join(shown)}, {request.body.decode()!r}")
            far.send(request.reply(code, "X", "far", extra), source)
    return seen


@scenario(
    sending("request_of_our_own", 'KSR.pv.sets("$uac_req(hdrs)", "X-Own: yes\\r\\n")'),
    profile="uac",
    idle=("uac_reply",),
)
async def request_of_our_own(alice: Peer, net: Net) -> None:
    await far_end(alice, net, (200, ()))


@scenario(
    sending(
        "request_of_our_own_with_event",
        'KSR.pv.seti("$uac_req(evroute)", 1); KSR.pv.sets("$uac_req(evparam)", "mine")',
    ),
    profile="uac",
)
async def request_of_our_own_with_event(alice: Peer, net: Net) -> None:
    await far_end(alice, net, (404, ()))


@scenario(
    sending(
        "request_of_our_own_is_challenged",
        'KSR.pv.seti("$uac_req(evroute)", 1); KSR.pv.sets("$uac_req(auser)", "me"); KSR.pv.sets("$uac_req(apasswd)", "pw")',
    ),
    profile="uac",
)
async def request_of_our_own_is_challenged(alice: Peer, net: Net) -> None:
    """The event route runs for the challenge and for what comes of it."""
    seen = await far_end(alice, net, (401, (("WWW-Authenticate", CHALLENGE),)), (200, ()))
    right = is_right(seen[1], "Authorization", digest.ha1("MD5", "me", "oracle.realm", "pw"))
    net.remark(f"the response is right: {right}, the tag is kept: {seen[0]['From'] == seen[1]['From']}")


@scenario(
    sending(
        "request_with_the_least",
        'KSR.pv.unset("$uac_req(turi)"); KSR.pv.unset("$uac_req(furi)"); KSR.pv.unset("$uac_req(callid)")',
    ),
    profile="uac",
    idle=("uac_reply",),
)
async def request_with_the_least(alice: Peer, net: Net) -> None:
    async with UdpPeer.open() as far:
        host, port = far.address
        alice.request("OPTIONS", "sip:server@oracle.test", ("X-Far", f"{host}:{port}"))
        await alice.expect(200)
        request, source = await far.receive()
        names = [request[name].partition(";tag=")[0].replace(str(port), "port") for name in ("From", "To")]
        net.remark(f"far end got {names}")
        far.send(request.reply(200, "OK", "far"), source)


@scenario(
    sending("request_that_lacks_something", 'KSR.pv.unset("$uac_req(method)")'), profile="uac", idle=("uac_reply",)
)
async def request_that_lacks_something(alice: Peer, net: Net) -> None:
    await far_end(alice, net)
