"""nathelper: SDP, aliases as variables, and its settings."""

from __future__ import annotations

from oracle.scenario import Peer, scenario

SDP = (
    "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    "a=rtcp:4001 IN IP4 10.0.0.9\r\nm=video 5000 RTP/AVP 99\r\nc=IN IP4 10.0.0.8\r\n"
)
ALIAS = "<sip:alice@10.0.0.9:5062;alias=192.0.2.1~5080~2;x=y>"


def relayed(
    name: str, call: str, *extra: tuple[str, str], profile: str = "default", body: str = SDP, uri: str = ""
) -> None:
    """What the callee gets after one function."""

    async def run(alice: Peer, bob: Peer) -> None:
        sent_to = uri.format(port=bob.address[1]) if uri else bob
        content = (("Content-Type", "application/sdp"),) if body else ()
        alice.request("MESSAGE", sent_to, *extra, *content, body=body)
        bob.answer(await bob.expect("MESSAGE"), 200)
        await alice.expect(200)

    scenario(
        f"""
def ksr_request_route(self, msg):
    note({call})
    pv("$ru", "$du")
    note("t_relay", KSR.tm.t_relay())
""",
        name=name,
        profile=profile,
    )(run)


for flags in (0, 1, 2, 3, 4, 8, 10, 15):
    relayed(f"fix_nated_sdp_{flags}", f"KSR.nathelper.fix_nated_sdp({flags})")
relayed("fix_nated_sdp_ip", 'KSR.nathelper.fix_nated_sdp_ip(10, "192.0.2.7")')
relayed("fix_nated_sdp_without_a_body", "KSR.nathelper.fix_nated_sdp(2)", body="")
relayed("fix_nated_sdp_with_other_settings", "KSR.nathelper.fix_nated_sdp(6)", profile="nathelper")
relayed(
    "set_alias_to_pv",
    'KSR.nathelper.set_alias_to_pv("$avp(x)"), KSR.pv.get("$avp(x)")',
    ("Contact", ALIAS),
)
relayed(
    "set_alias_to_pv_udp",
    'KSR.nathelper.set_alias_to_pv("$var(x)"), KSR.pv.get("$var(x)")',
    ("Contact", ALIAS.replace("~2", "~1")),
)
relayed(
    "set_alias_to_pv_of_none",
    'KSR.nathelper.set_alias_to_pv("$avp(x)"), KSR.pv.get("$avp(x)")',
    ("Contact", "<sip:a@10.0.0.9>"),
)
relayed(
    "alias_has_another_name", "KSR.nathelper.set_contact_alias()", ("Contact", "<sip:a@10.0.0.9>"), profile="nathelper"
)
relayed(
    "ruri_alias_has_another_name",
    "KSR.nathelper.handle_ruri_alias()",
    profile="nathelper",
    uri="sip:bob@10.0.0.7;x=y;saddr=127.0.0.1~{port}~1",
)
relayed(
    "reserved_addresses_are_no_private_ones",
    '[KSR.nathelper.nat_uac_test(1), KSR.nathelper.is_rfc1918("192.0.0.9")]',
    ("Contact", "<sip:a@192.0.0.9>"),
    profile="nathelper",
)
relayed(
    "reserved_addresses_are_private_ones",
    '[KSR.nathelper.nat_uac_test(1), KSR.nathelper.is_rfc1918("192.0.0.9")]',
    ("Contact", "<sip:a@192.0.0.9>"),
)


@scenario(
    """
def ksr_request_route(self, msg):
    note("fix", KSR.nathelper.fix_nated_register())
    pv("$avp(RECEIVED)")
    KSR.pv.sets("$avp(RECEIVED)", "sip:192.0.2.99:4000")
    note("save", KSR.registrar.save("location", 0))
""",
    profile="nathelper",
)
async def the_script_knows_better_where_the_client_is(bob: Peer) -> None:
    bob.request("REGISTER", "sip:oracle.test", ("Contact", "<sip:b@10.0.0.5>"), to_header="<sip:better@oracle.test>")
    await bob.expect(200)
