"""Names of this server: what `listen` advertises, aliases, named sockets, and what is_myself says to all of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conftest import SCRIPTS
from support.messages import Sip, request
from support.peers import UdpPeer
from support.ports import free_port
from support.servers import Sipwright

ADVERTISED = "sip.example.org"


def do(*steps: str) -> tuple[tuple[str, str], ...]:
    return tuple(("X-Do", step) for step in steps)


def relayed(directory: Path, arguments: list[str], port: int, *steps: str) -> Sip:
    """What the callee gets of a request for which the script did the steps."""
    server = Sipwright(SCRIPTS / "steps.py", directory, (), arguments=arguments)

    async def run() -> Sip:
        async with UdpPeer.open() as caller, UdpPeer.open() as callee:
            host, callee_port = callee.address
            extra = do(*steps, f'KSR.pv.sets("$du", "sip:{host}:{callee_port}")')
            sent = request("MESSAGE", "sip:bob@example.com", caller.address, extra=extra)
            async with asyncio.timeout(10):
                while True:
                    # The server tells no port of its own choice, so it is asked until it is there.
                    caller.send(sent, ("127.0.0.1", port))
                    try:
                        seen, source = await callee.receive(0.3)
                        break
                    except TimeoutError:
                        continue
            callee.send(seen.reply(200, "OK"), source)
            return seen

    with server:
        server.process.wait_output("is ready")
        return asyncio.run(run())


def test_advertised_address(tmp_path: Path) -> None:
    """Via, Record-Route and $RA* show it; a Route with it is ours; the socket's own address stays known."""
    port = free_port()
    seen = relayed(
        tmp_path,
        ["--listen", f"udp:127.0.0.1:{port} advertise {ADVERTISED}:5090"],
        port,
        "KSR.rr.record_route()",
        'KSR.pv.get("$RAi")',
        'KSR.pv.get("$RAp")',
        'KSR.pv.get("$RAu")',
        'KSR.pv.get("$Ri")',
        'KSR.pv.get("$Rp")',
        f'KSR.is_myself("sip:{ADVERTISED}:5090")',
        f'KSR.is_myself("sip:{ADVERTISED}:5091")',
        f'KSR.is_myself("sip:127.0.0.1:{port}")',
    )
    assert seen.all("Via")[0].startswith(f"SIP/2.0/UDP {ADVERTISED}:5090;branch=")
    assert seen["Record-Route"].startswith(f"<sip:{ADVERTISED}:5090;lr")
    values = [1, ADVERTISED, 5090, f"sip:{ADVERTISED}:5090", "127.0.0.1", port, True, False, True, True]
    assert seen["X-Did"] == repr(values)


MYSELF = {
    "alias.example.com": True,
    "sip:alias.example.com": True,
    "sip:ALIAS.example.com:5080;transport=tcp": True,
    "sip:ported.example.com": True,
    "sip:ported.example.com:5070": True,
    "sip:ported.example.com:5071": False,
    "sip:tls.example.com;transport=tls": True,
    "sip:tls.example.com;transport=udp": False,
    "sip:user@[2001:db8::1]:5060": True,
    "sip:other.example.com": False,
    "127.0.0.1": True,
    "sip:127.0.0.1:{port}": True,
    "sip:127.0.0.1:{port};transport=udp": True,
    "sip:127.0.0.1:{port};transport=tcp": False,
    "sip:127.0.0.1:1": False,
}


def test_aliases(tmp_path: Path) -> None:
    """By host, by port and by protocol; where one of these is not named it does not count."""
    port = free_port()
    aliases = "alias.example.com,ported.example.com:5070,tls:tls.example.com,[2001:db8::1]"
    steps = [f'[KSR.is_myself(u.replace("PORT", "{port}")) for u in {shown!r}]' for shown in chunks()]
    seen = relayed(tmp_path, ["--listen", f"udp:127.0.0.1:{port}", "--set", f"aliases={aliases}"], port, *steps)
    results = [value for part in eval(seen["X-Did"])[:-1] for value in part]
    assert dict(zip(MYSELF, results, strict=True)) == MYSELF


def chunks() -> list[list[str]]:
    """The names in lists that fit into a header line each."""
    names = [name.replace("{port}", "PORT") for name in MYSELF]
    return [names[start : start + 4] for start in range(0, len(names), 4)]


@pytest.mark.parametrize(
    "step",
    ['KSR.pv.sets("$fsn", "inner")', 'KSR.corex.set_send_socket_name("inner")'],
)
def test_named_sockets(tmp_path: Path, step: str) -> None:
    """`name` of listen: is_socket_name, $fsn and set_send_socket_name."""
    outer, inner = free_port(), free_port("127.0.0.2")
    listen = ["--listen", f'udp:127.0.0.1:{outer} name "outer"', "--listen", f'udp:127.0.0.2:{inner} name "inner"']
    seen = relayed(
        tmp_path,
        listen,
        outer,
        'KSR.corex.is_socket_name("inner")',
        'KSR.corex.is_socket_name("none")',
        'KSR.pv.get("$Rn")',
        step,
        'KSR.pv.get("$fs")',
    )
    assert seen.all("Via")[0].startswith(f"SIP/2.0/UDP 127.0.0.2:{inner};branch=")
    done = 1 if "corex" in step else True
    assert seen["X-Did"] == repr([1, -1, "outer", done, f"udp:127.0.0.2:{inner}", True])
