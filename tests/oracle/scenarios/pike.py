"""Floods: which request of an address is refused first, limits by name and by method."""

from __future__ import annotations

from oracle.scenario import Peer, scenario

TOOLS = """
def runs(what, results):
    found = []
    for value in results:
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([value, 1])
    note(what, found)

def hit(address, count):
    runs(address, [KSR.pike.pike_check_ip(address) for _ in range(count)])
"""


def register(name: str, body: str, method: str = "OPTIONS") -> None:
    """A scenario in which one request runs these lines."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())

    @scenario(f"{TOOLS}\ndef ksr_request_route(self, msg):\n{lines}\n", name=name, profile="floods")
    async def one_request(alice: Peer) -> None:
        alice.auto_ack = False
        alice.request(method, "sip:bob@oracle.test")
        await alice.net.quiet(0.3)


register("a_new_address", 'hit("20.0.0.1", 40)')
register("neighbours", 'for last in (1, 2, 3): hit("21.0.0.%d" % last, 30)')
register("networks_apart", 'for middle in (1, 2, 3): hit("22.0.%d.9" % middle, 30)')
register("spread_over_a_network", 'for last in range(60): hit("23.0.0.%d" % last, 1)\nhit("23.0.0.7", 20)')
register("few_from_each", "for turn in range(3):\n    for last in range(4): hit('24.0.0.%d' % last, 3)")
register("no_address", 'hit("nonsense", 1)\nhit("", 1)')
register(
    "pipes",
    """
L = KSR.pipelimit
note(L.pl_active("p1"), L.pl_check("p1"))
runs("taildrop", [L.pl_check_limit("p1", "TAILDROP", 3) for _ in range(6)])
note(L.pl_active("p1"), L.pl_check("p1"))
runs("higher", [L.pl_check_limit("p1", "TAILDROP", 9) for _ in range(6)])
runs("other algorithm", [L.pl_check_limit("p1", "RED", 12) for _ in range(6)])
runs("red", [L.pl_check_limit("p2", "RED", 3) for _ in range(6)])
runs("none", [L.pl_check_limit("p3", "XX", 3) for _ in range(2)])
runs("zero", [L.pl_check_limit("p4", "TAILDROP", 0) for _ in range(3)])
runs("no limit", [L.pl_check_limit("p5", "NOP", 1) for _ in range(3)])
""",
)
register("dropped", "note(KSR.pipelimit.pl_drop())")
register("dropped_with_retry", "note(KSR.pipelimit.pl_drop_retry(7))")
register("dropped_with_a_range", "note(KSR.pipelimit.pl_drop_range(3, 3))")
register("an_invite_is_dropped", "note(KSR.pipelimit.pl_drop())", "INVITE")
register("limited_by_method", 'runs("rl", [KSR.ratelimit.rl_check() for _ in range(9)])', "INFO")
register("no_queue_for_the_method", "note(KSR.ratelimit.rl_check(), KSR.ratelimit.rl_check_pipe(9))", "MESSAGE")
