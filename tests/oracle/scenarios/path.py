"""path: Path header fields with several settings, and the way back by them."""

from __future__ import annotations

from oracle.scenario import Peer, scenario


def added(name: str, call: str, *extra: tuple[str, str], profile: str = "default") -> None:
    """What the registrar gets."""

    async def run(alice: Peer, bob: Peer) -> None:
        alice.request("REGISTER", bob, ("Contact", "<sip:a@10.0.0.9>"), *extra)
        bob.answer(await bob.expect("REGISTER"), 200)
        await alice.expect(200)

    scenario(
        f"""
def ksr_request_route(self, msg):
    note({call})
    note("t_relay", KSR.tm.t_relay())
""",
        name=name,
        profile=profile,
    )(run)


for profile in ("default", "path", "path_named"):
    suffix = profile.removeprefix("default")
    added(f"add_path{suffix}", "KSR.path.add_path()", profile=profile)
    added(f"add_path_user_params{suffix}", 'KSR.path.add_path_user_params("u", "a=b;c")', profile=profile)
    added(f"add_path_received{suffix}", "KSR.path.add_path_received()", profile=profile)
added("add_path_above_another", "KSR.path.add_path()", ("Path", "<sip:old.test;lr>"))
added("add_path_twice", 'KSR.path.add_path_user("one"), KSR.path.add_path_user("two")')
added("add_path_received_user_params", 'KSR.path.add_path_received_user_params("u", "ob")', profile="path")


def routed(name: str, received: str, profile: str) -> None:
    """Where a request with our Path as its Route goes."""

    async def run(alice: Peer, bob: Peer) -> None:
        host, port = alice.net.server
        value = received.format(port=bob.address[1])
        alice.request("MESSAGE", "sip:b@192.0.2.1", ("Route", f"<sip:{host}:{port};lr;{value}>"))
        if profile != "default":
            bob.answer(await bob.expect("MESSAGE"), 200)
            await alice.expect(200)

    scenario(
        """
def ksr_request_route(self, msg):
    note("loose_route", KSR.rr.loose_route())
    pv("$ru", "$du")
    if KSR.isdsturiset():
        note("t_relay", KSR.tm.t_relay())
""",
        name=name,
        profile=profile,
    )(run)


routed("received_of_our_route_is_ignored", "received=sip:127.0.0.1:{port}", "default")
routed("received_of_our_route_counts", "rcv=sip:127.0.0.1:{port}", "path_named")
routed("received_of_our_route_as_an_alias", "received=127.0.0.1~{port}~1", "path")
