"""Media through RTPProxy: the commands, and the descriptions that both sides get."""

from __future__ import annotations

from oracle.media import commands_of
from oracle.scenario import Net, Peer, scenario

PLAIN = "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n"
TWO = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtcp:4009\r\n"
    "a=sendrecv\r\nm=video 5000 RTP/AVP 96\r\nc=IN IP4 192.0.2.6\r\na=rtcp:5003 IN IP4 192.0.2.8\r\nm=audio 0 RTP/AVP 0\r\n"
)
SDP = ("Content-Type", "application/sdp")
ROUTES = """
def ksr_request_route(self, msg):
    {request}
    KSR.tm.t_on_reply("answered")
    KSR.pv.sets("$du", "sip:" + at("bob"))
    KSR.tm.t_relay()

def answered(self, msg):
    {reply}
"""
MANAGE = 'note("manage", KSR.rtpproxy.rtpproxy_manage("{}"))'


def routes(request: str, reply: str) -> str:
    return ROUTES.replace("{request}", request).replace("{reply}", reply)


def managing(flags: str = "") -> str:
    return routes(MANAGE.replace("{}", flags), MANAGE.replace("{}", flags))


def note_commands(net: Net) -> None:
    """The commands of the scenario, with its Call-ID by name."""
    name = net.scenario.name
    for command in commands_of(f"{name}-"):
        net.remark(f"proxy got {command}")


async def a_call(alice: Peer, bob: Peer, offer: str = PLAIN, answer: str = PLAIN, code: int = 200) -> None:
    alice.invite("sip:bob@oracle.test", *((SDP,) if offer else ()), body=offer)
    invite = await bob.expect("INVITE")
    bob.answer(invite, code, *((SDP,) if answer else ()), body=answer)
    await alice.expect(code)
    note_commands(alice.net)


@scenario(managing(), profile="rtpproxy")
async def rtpproxy_manages_a_call(alice: Peer, bob: Peer) -> None:
    await a_call(alice, bob)


@scenario(managing("cor"), profile="rtpproxy")
async def rtpproxy_two_media(alice: Peer, bob: Peer) -> None:
    await a_call(alice, bob, TWO, TWO)


@scenario(managing("ie3"), profile="rtpproxy")
async def rtpproxy_flags_of_bridge_and_branch(alice: Peer, bob: Peer) -> None:
    await a_call(alice, bob)


@scenario(managing(), profile="rtpproxy")
async def rtpproxy_late_offer(alice: Peer, bob: Peer) -> None:
    """The 200 holds the offer, the ACK would hold the answer."""
    await a_call(alice, bob, offer="")


@scenario(managing(), profile="rtpproxy")
async def rtpproxy_refused_call(alice: Peer, bob: Peer) -> None:
    alice.invite("sip:bob@oracle.test", SDP, body=PLAIN)
    await bob.refuse(await bob.expect("INVITE"), 486)
    await alice.expect(486)
    note_commands(alice.net)


@scenario(managing(), profile="rtpproxy")
async def rtpproxy_marked_already(alice: Peer, bob: Peer) -> None:
    await a_call(alice, bob, offer=PLAIN + "a=nortpproxy:yes\r\n")


@scenario(managing("f"), profile="rtpproxy")
async def rtpproxy_marked_already_and_forced(alice: Peer, bob: Peer) -> None:
    await a_call(alice, bob, offer=PLAIN + "a=nortpproxy:yes\r\n")


@scenario(
    routes(
        """note("offer", KSR.rtpproxy.rtpproxy_offer_ip("r", "203.0.113.9"))
    note("record", KSR.rtpproxy.start_recording())
    note("play", KSR.rtpproxy.rtpproxy_stream2uac("/prompt", 3), KSR.rtpproxy.rtpproxy_stream2uas("/prompt", 3))
    note("sets", KSR.rtpproxy.set_rtpproxy_set(0), KSR.rtpproxy.set_rtpproxy_set(4))
    note("wrong", KSR.rtpproxy.rtpproxy_offer("y"), KSR.rtpproxy.rtpproxy_answer("l"))""",
        """note("answer", KSR.rtpproxy.rtpproxy_answer(""))
    note("stop", KSR.rtpproxy.rtpproxy_stop_stream2uac(), KSR.rtpproxy.rtpproxy_stop_stream2uas())
    note("destroy", KSR.rtpproxy.rtpproxy_destroy0())""",
    ),
    profile="rtpproxy",
)
async def rtpproxy_functions_by_name(alice: Peer, bob: Peer) -> None:
    await a_call(alice, bob)


@scenario(managing(), profile="rtpproxy", idle=("answered",))
async def rtpproxy_bye_and_message(alice: Peer, bob: Peer) -> None:
    for method in ("BYE", "MESSAGE"):
        alice.request(method, "sip:bob@oracle.test", SDP, body=PLAIN, to_header="<sip:bob@oracle.test>;tag=bob")
        await bob.expect(method)
    note_commands(alice.net)
