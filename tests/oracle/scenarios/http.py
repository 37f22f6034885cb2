"""HTTP on SIP's sockets and WebSocket: xhttp, websocket, jsonrpcs."""

import asyncio

from oracle.scenario import Net, Peer, scenario
from oracle.web import WebPeer

SHOW = """
def on_http(self, msg, event):
    pv("$rm", "$hu", "$rv", "$ru", "$rb", "$bs", "$cT", "$cl", "$ua", "$ci", "$fu", "$tu", "$cs", "$pr", "$mt", "$mts")
    note(KSR.siputils.is_request(), KSR.siputils.is_reply(), KSR.is_TCP(), KSR.xhttp.get_hu(), msg.Type, msg.Method, msg.RURI)
    note(KSR.hdr.get("Host"), KSR.hdr.is_present("Host"), KSR.hdr.is_present("X-Not"))
    note(KSR.xhttp.xhttp_reply(200, "Fine", "text/plain", "the body"))
"""

UPGRADE = """
def on_http(self, msg, event):
    note(KSR.websocket.handle_handshake())
"""


@scenario(SHOW, profile="http")
async def http_get(web: WebPeer) -> None:
    await web.answer_to("GET /a?b=c")


@scenario(SHOW, profile="http")
async def http_post(web: WebPeer) -> None:
    await web.answer_to("POST /a", {"Content-Type": "text/x", "User-Agent": "oracle"}, "what was sent")


@scenario(SHOW, profile="http")
async def http_requests_in_one_segment(web: WebPeer) -> None:
    web.http("GET /1")
    web.http("POST /2", body="two")
    web.http("DELETE /3")
    for _ in range(3):
        await web.response()


@scenario(
    """
def on_http(self, msg, event):
    KSR.hdr.append_to_reply("X-More: yes\\r\\n")
    KSR.set_reply_close()
    note(KSR.xhttp.xhttp_reply(404, "Not here", "text/html", "<p>"))
""",
    profile="http",
)
async def http_reply_with_header_and_close(web: WebPeer) -> None:
    await web.answer_to("GET /x")
    await web.is_over()


@scenario(
    """
def on_http(self, msg, event):
    note(KSR.sl.sl_send_reply(202, "Taken"))
""",
    profile="http",
)
async def http_reply_by_sl(web: WebPeer) -> None:
    await web.answer_to("GET /x")


@scenario(
    """
def on_http(self, msg, event):
    note(KSR.tm.t_newtran() > 0, KSR.tm.t_relay() > 0)
    note(KSR.xhttp.xhttp_reply(200, "OK", "", ""))
""",
    profile="http",
)
async def http_is_no_transaction(web: WebPeer) -> None:
    await web.answer_to("GET /x")


@scenario(
    """
def on_http(self, msg, event):
    pass
""",
    profile="http",
)
async def http_without_an_answer(web: WebPeer) -> None:
    web.http("GET /x")
    await web.is_over(1.0)


@scenario(
    """
def on_http(self, msg, event):
    for request in ('{"method": "no.such", "jsonrpc": "2.0", "id": 1}', "nonsense"):
        note(KSR.jsonrpcs.exec(request), KSR.pv.get("$jsonrpl(code)"))
    KSR.xhttp.xhttp_reply(200, "OK", "", "")
""",
    profile="http",
)
async def jsonrpc_of_the_script(web: WebPeer) -> None:
    await web.answer_to("GET /x")


@scenario(
    """
def on_http(self, msg, event):
    note(KSR.jsonrpcs.dispatch())
""",
    profile="http",
)
async def jsonrpc_that_fails(web: WebPeer) -> None:
    await web.answer_to("POST /RPC", body='{"method": "no.such", "jsonrpc": "2.0", "id": "x"}')


@scenario(UPGRADE, profile="http")
async def websocket_version(web: WebPeer) -> None:
    await web.upgrade(Sec_WebSocket_Version="8")
    await web.is_over()


@scenario(UPGRADE, profile="http")
async def websocket_without_sip(web: WebPeer) -> None:
    await web.upgrade(Sec_WebSocket_Protocol="chat")
    await web.is_over()


@scenario(UPGRADE, profile="http")
async def websocket_without_key(web: WebPeer) -> None:
    await web.upgrade(Sec_WebSocket_Key=None)
    await web.is_over()


@scenario(UPGRADE, profile="http")
async def websocket_without_upgrade(web: WebPeer) -> None:
    await web.upgrade(Upgrade=None)
    await web.is_over()


@scenario(UPGRADE, profile="http")
async def websocket_among_other_protocols(web: WebPeer) -> None:
    await web.upgrade(Sec_WebSocket_Protocol="chat, SIP", Connection="keep-alive, Upgrade")


@scenario(UPGRADE, profile="http")
async def websocket_pings_and_close(net: Net, web: WebPeer) -> None:
    await web.upgrade()
    web.frame(0x89, b"anyone?")
    await asyncio.sleep(0.2)
    web.frame(0x88, b"\x03\xe8")
    await web.is_over()


@scenario(
    UPGRADE
    + """
def ksr_request_route(self, msg):
    note(KSR.is_WS(), KSR.is_WSS(), KSR.is_WSX(), KSR.is_TCP(), KSR.nathelper.nat_uac_test(64))
    pv("$pr", "$proto", "$rm", "$sut")
    KSR.sl.sl_send_reply(200, "OK")
    note("close", KSR.websocket.close())
""",
    profile="http",
)
async def websocket_request_and_close(web: WebPeer) -> None:
    await web.upgrade()
    web.request("OPTIONS", "sip:x@oracle.test")
    await web.expect(200)
    await web.is_over()


CALL = (
    UPGRADE
    + """
def ksr_request_route(self, msg):
    if KSR.is_WSX() and KSR.hdr.is_present("Contact") > 0:
        note("alias", KSR.nathelper.add_contact_alias())
    if KSR.siputils.has_totag() > 0:
        note("loose_route", KSR.rr.loose_route())
        note("handle_ruri_alias", KSR.nathelper.handle_ruri_alias())
        pv("$du")
    elif KSR.is_INVITE():
        KSR.tm.t_on_reply("answered")
        if not KSR.is_WSX():
            KSR.pv.sets("$du", "sip:" + at("web") + ";transport=ws")
        note("record_route", KSR.rr.record_route())
    note("t_relay", KSR.tm.t_relay())


def answered(self, msg):
    if KSR.is_WSX() and KSR.hdr.is_present("Contact") > 0:
        note("alias", KSR.nathelper.add_contact_alias())
"""
)


@scenario(CALL, profile="http")
async def websocket_client_calls_a_phone(web: WebPeer, bob: Peer) -> None:
    await web.upgrade()
    web.invite(bob)
    got = await bob.expect("INVITE")
    bob.answer(got, 200)
    ok = await web.expect(200)
    web.within("ACK", ok)
    await bob.expect("ACK")
    bob.within("BYE", got)
    web.answer(await web.expect("BYE"), 200)
    await bob.expect(200)


@scenario(CALL, profile="http")
async def phone_calls_a_websocket_client(alice: Peer, web: WebPeer) -> None:
    await web.upgrade()
    alice.invite("sip:web@web.invalid;transport=ws")
    got = await web.expect("INVITE")
    web.answer(got, 200)
    ok = await alice.expect(200)
    alice.within("ACK", ok)
    await web.expect("ACK")
    alice.within("BYE", ok)
    web.answer(await web.expect("BYE"), 200)
    await alice.expect(lambda m: m.status == 200 and m.method == "BYE")
