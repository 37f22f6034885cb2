"""Copies of messages for a capture server: which, in which order, and their bytes."""

from __future__ import annotations

import asyncio
import struct

from oracle.media import copies_of
from oracle.scenario import Net, Peer, scenario

RELAY = """
def ksr_request_route(self, msg):
    note("trace", {trace})
    KSR.pv.sets("$du", "sip:" + at("bob"))
    KSR.tm.t_relay()
"""
# Numbers of chunks whose values are times or ports.
CHANGING = (7, 8, 9, 10)


def tracing(trace: str) -> str:
    return RELAY.replace("{trace}", trace)


async def copies(net: Net, count: int) -> None:
    """Notes the copies of the scenario once so many have come, and that no more come."""
    name = f"{net.scenario.name}-"
    for _ in range(100):
        if len(copies_of(name)) >= count:
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    for copy in copies_of(name):
        net.remark("copy: " + (chunks(copy) if copy.startswith(b"HEP3") else copy.decode().replace("\r\n", "\n")))


def chunks(copy: bytes) -> str:
    """The chunks of HEP 3 in their order; times and ports without their values."""
    assert struct.unpack("!H", copy[4:6])[0] == len(copy)
    shown, at = [], 6
    while at < len(copy):
        vendor, number, length = struct.unpack("!HHH", copy[at : at + 6])
        value = copy[at + 6 : at + length]
        shown.append(f"{vendor}.{number}" if number in CHANGING else f"{vendor}.{number}={value.decode('latin-1')}")
        at += length
    return "\n".join(shown).replace("\r\n", "\n")


async def answered(alice: Peer, bob: Peer) -> None:
    alice.request("MESSAGE", "sip:bob@oracle.test")
    bob.answer(await bob.expect("MESSAGE"), 200)
    await alice.expect(200)


@scenario(tracing("KSR.siptrace.sip_trace()"), profile="siptrace")
async def trace_of_one_message(alice: Peer, bob: Peer) -> None:
    await answered(alice, bob)
    await copies(alice.net, 1)


@scenario(tracing('KSR.siptrace.sip_trace_mode("t")'), profile="siptrace")
async def trace_of_a_transaction(alice: Peer, bob: Peer) -> None:
    await answered(alice, bob)
    await copies(alice.net, 4)


@scenario(tracing('KSR.siptrace.sip_trace_mode("m"), KSR.siptrace.sip_trace_mode("x")'), profile="siptrace")
async def trace_modes_of_one_message(alice: Peer, bob: Peer) -> None:
    await answered(alice, bob)
    await copies(alice.net, 2)


@scenario(tracing("KSR.siptrace.sip_trace()"), profile="siptrace_hep")
async def trace_in_hep(alice: Peer, bob: Peer) -> None:
    await answered(alice, bob)
    await copies(alice.net, 1)


@scenario(tracing('KSR.siptrace.hlog("a line")'), profile="siptrace_hep")
async def trace_of_a_log_line(alice: Peer, bob: Peer) -> None:
    await answered(alice, bob)
    await copies(alice.net, 1)


FLAG = """
def ksr_request_route(self, msg):
    KSR.setflag(5)
    {trace}
    KSR.pv.sets("$du", "sip:" + at("bob"))
    KSR.tm.t_relay()
"""


@scenario(FLAG.replace("{trace}", 'note("trace", KSR.siptrace.sip_trace())'), profile="siptrace_flag")
async def trace_with_the_flag(alice: Peer, bob: Peer) -> None:
    await answered(alice, bob)
    await copies(alice.net, 4)


@scenario(FLAG.replace("{trace}", ""), profile="siptrace_flag")
async def trace_by_the_flag_alone(alice: Peer, bob: Peer) -> None:
    await answered(alice, bob)
    await copies(alice.net, 0)


@scenario(tracing("KSR.siptrace.sip_trace()"), profile="siptrace_flag")
async def trace_without_the_flag(alice: Peer, bob: Peer) -> None:
    await answered(alice, bob)
    await copies(alice.net, 1)


STATELESS = """
def ksr_request_route(self, msg):
    if KSR.is_INVITE():
        note("trace", KSR.siptrace.sip_trace_mode("t"))
        KSR.sl.send_reply(486, "Busy")
"""


for profile in ("siptrace", "siptrace_flag"):

    async def refused(alice: Peer) -> None:
        alice.invite("sip:bob@oracle.test")
        await alice.expect(486)
        await copies(alice.net, 2)

    scenario(STATELESS, name=f"trace_of_a_stateless_reply_{profile}", profile=profile)(refused)


SEEN = """
def traced(self, msg, event):
    note(event, msg.Type)
    pv("$rm", "$rs")
    if KSR.is_OPTIONS():
        KSR.set_drop()
"""


@scenario(SEEN, profile="siptrace_all")
async def what_is_traced_is_shown(alice: Peer) -> None:
    """And not copied if the route drops it."""
    alice.request("OPTIONS", "sip:bob@oracle.test")
    alice.request("MESSAGE", "sip:bob@oracle.test")
    await copies(alice.net, 1)


for profile in ("siptrace_all_plain", "siptrace_all_both"):

    async def all_of_it(alice: Peer, bob: Peer) -> None:
        await answered(alice, bob)
        await copies(alice.net, 4)

    scenario(
        """
def ksr_request_route(self, msg):
    KSR.pv.sets("$du", "sip:" + at("bob"))
    KSR.tm.t_relay()
""",
        name=profile.replace("siptrace", "trace_of"),
        profile=profile,
    )(all_of_it)
