"""Pseudo-variables of transactions, route by route: the same values in Kamailio."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conftest import Start
from support.messages import Sip, request
from support.peers import UdpPeer, register
from support.servers import Server

Values = dict[tuple[str, str], list[str]]


def follow_up(method: str, invite: Sip, to: str | None = None) -> Sip:
    """The ACK for a failure, or the CANCEL, in the transaction of the INVITE."""
    same = [(n, v) for n, v in invite.headers if n in ("Via", "Max-Forwards", "From", "Call-ID")]
    headers = (*same, ("To", to or invite["To"]), ("CSeq", f"{invite['CSeq'].split()[0]} {method}"))
    return Sip(f"{method} {invite.uri} SIP/2.0", headers)


async def call(server: Server, story: str, *extra: tuple[str, str]) -> int:
    """One INVITE and what the story has the callee and the caller do with it. Returns the callee's port."""
    address = server.address("udp")
    async with UdpPeer.open() as caller, UdpPeer.open() as callee:
        host, port = callee.address
        mark = (("X-Mark", "marked"), *extra)
        sent = request("INVITE", f"sip:callee@{host}:{port}", caller.address, extra=mark)
        caller.send(sent, address)
        if story == "replied":
            final = await caller.final(sent["Call-ID"])
        else:
            seen, _ = await callee.receive()
            answered = (("X-From", "callee"),)
            callee.send(seen.reply(180, "Ringing", "callee", answered), address)
            if story == "busy":
                callee.send(seen.reply(486, "Busy Just Now", "callee", answered), address)
            if story == "cancelled":
                while (await caller.receive())[0].status != 180:
                    pass
                caller.send(follow_up("CANCEL", sent), address)
                while (await callee.receive())[0].method != "CANCEL":
                    pass
                callee.send(seen.reply(487, "Request Terminated", "callee"), address)
            final = await caller.final(sent["Call-ID"])
            if final.method == "CANCEL":
                final = await caller.final(sent["Call-ID"])
        caller.send(follow_up("ACK", sent, final["To"]), address)
        return port


def values(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, story: str, **extra: str
) -> Values:
    """What the script noted, by route and name, in the order of the route's calls."""
    out = tmp_path / f"{kind}-values"
    monkeypatch.setenv("TM_VARIABLES", str(out))
    server = start("tm_variables.py", kind=kind, workers=1)
    port = asyncio.run(call(server, story, *((name.replace("_", "-"), value) for name, value in extra.items())))
    if server.process.running():
        server.stop()
    found: Values = {}
    for line in out.read_text().splitlines():
        route, name, value = line.split("\t")
        found.setdefault((route, name), []).append(value.replace(str(port), "PORT"))
    return found


@pytest.mark.parametrize(
    ("story", "extra"),
    [("busy", {}), ("busy", {"X_Flag": "1"}), ("cancelled", {}), ("replied", {"X_Reply": "1"})],
    ids=["busy", "flagged", "cancelled", "replied"],
)
def test_the_same_values_as_in_kamailio(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, story: str, extra: dict[str, str]
) -> None:
    ours, theirs = (values(start, tmp_path, monkeypatch, kind, story, **extra) for kind in ("sipwright", "kamailio"))
    assert ours.keys() == theirs.keys()
    different = {key: (ours[key], theirs[key]) for key in ours if ours[key] != theirs[key]}
    assert not different


def test_some_values(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the comparison above cannot agree on nothing."""
    found = values(start, tmp_path, monkeypatch, "sipwright", "busy", X_Flag="1")
    assert found["core-reply", "$T_req($hdr(X-Mark))"] == ["'marked'", "'marked'"]
    assert found["reply", "$T_reply_code"] == ["180", "486"]
    assert found["reply", "$T_reply_last"] == ["180", "486"]
    assert found["reply", "$bf"] == ["32", "32"]
    assert found["branch-failure", "$T_rpl($hdr(X-From))"] == ["'callee'"]
    assert found["failure", "$T_rpl($rr)"] == ["'Busy Just Now'"]
    assert found["failure", "$T_reply_reason"] == ["'Busy Just Now'"]
    assert found["failure", "$bf"] == ["32"]


def test_the_binding_of_a_branch(start: Start, tmp_path: Path) -> None:
    """$ruid, $location_ua and $T_reply_ruid are those of the registration that the branch came from."""
    script = tmp_path / "binding.py"
    script.write_text(
        """
import KSR


def mod_init():
    return Binding()


class Binding:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_method("REGISTER"):
            KSR.registrar.save("location", 0)
        elif KSR.registrar.lookup("location") == 1:
            KSR.pv.sets("$avp(ruid)", KSR.pv.get("$ruid"))
            KSR.tm.t_on_branch("branch")
            KSR.tm.t_on_reply("reply")
            KSR.tm.t_relay()

    def branch(self, msg):
        KSR.hdr.append("X-Branch: %s %s\\r\\n" % (KSR.pv.get("$ruid") == KSR.pv.get("$avp(ruid)"), KSR.pv.get("$location_ua")))

    def reply(self, msg):
        KSR.hdr.append("X-Reply: %s\\r\\n" % (KSR.pv.get("$T_reply_ruid") == KSR.pv.get("$avp(ruid)")))
        KSR.hdr.append("X-Ruid: %s\\r\\n" % KSR.pv.get("$T_reply_ruid"))
"""
    )
    server = start(script)

    async def run() -> None:
        address = server.address("udp")
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            host, port = callee.address
            await register(callee, address, "bob", f"sip:bob@{host}:{port}")
            aor = f"sip:bob@{address[0]}:{address[1]}"
            sent = request("MESSAGE", aor, caller.address)
            caller.send(sent, address)
            seen, _ = await callee.receive()
            assert seen["X-Branch"] == "True n/a"
            callee.send(seen.reply(200, "OK", "callee"), address)
            final = await caller.final(sent["Call-ID"])
            assert final["X-Reply"] == "True"
            assert final["X-Ruid"].startswith("uloc-")

    asyncio.run(run())
