"""SDP: what a body offers, and its edits."""

from __future__ import annotations

from oracle.scenario import Peer, scenario

BODY = (
    "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=ice-ufrag:x\r\n"
    "m=audio 4000 RTP/AVP 0 8 18 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\n"
    "a=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    "m=video 0 RTP/SAVP 97 98\r\nc=IN IP6 ::1\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 x=1\r\na=rtpmap:98 VP8/90000\r\n"
    "a=inactive\r\n"
)
QUESTIONS = (
    "S.sdp_content()",
    "S.sdp_content_flags(1)",
    *(f"S.sdp_with_media({kind!r})" for kind in ("audio", "text", "video")),
    *(f"S.sdp_with_active_media({kind!r})" for kind in ("audio", "video")),
    *(f"S.sdp_with_transport({name!r})" for name in ("RTP/AVP", "RTP/SAVPF", "RTP")),
    *(f"S.sdp_with_transport_like({part!r})" for part in ("RTP", "SAVP", "zz")),
    "S.sdp_with_ice()",
    *(f"S.sdp_with_codecs_by_id({ids!r})" for ids in ("0", "0,8", "0,99", "99")),
    *(f"S.sdp_with_codecs_by_name({names!r})" for names in ("PCMU", "pcmu,G729", "opus", "PCMU,opus")),
    "S.sdp_get('$avp(s)')",
    *(f"S.sdp_get_line_startswith('$avp(l)', {prefix!r})" for prefix in ("a=rtpmap:8", "m=", "zz")),
)
EDITS = {
    "keep_by_id": "S.keep_codecs_by_id('0', 'audio')",
    "keep_by_id_everywhere": "S.keep_codecs_by_id('0,8', '')",
    "keep_by_name": "S.keep_codecs_by_name('PCMU', 'audio')",
    "keep_none": "S.keep_codecs_by_name('opus', 'audio')",
    "remove_by_id": "S.remove_codecs_by_id('18,101', 'audio')",
    "remove_of_another_kind": "S.remove_codecs_by_id('97', 'audio')",
    "remove_by_name": "S.remove_codecs_by_name('pcmu,G729', '')",
    "remove_all": "S.remove_codecs_by_id('0,8,18,101', '')",
    "remove_lines": "S.remove_line_by_prefix('a=rtpmap', '')",
    "remove_lines_of_a_kind": "S.remove_line_by_prefix('a=', 'audio')",
    "remove_no_lines": "S.remove_line_by_prefix('zz', '')",
    "remove_video": "S.remove_media('video')",
    "remove_no_media": "S.remove_media('text')",
}
SDP = ("Content-Type", "application/sdp")


def register(name: str, body: str) -> None:
    """A scenario in which a request with the SDP is relayed after these lines."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())

    @scenario(
        f"S = KSR.sdpops\ndef ksr_request_route(self, msg):\n{lines}\n    KSR.tm.t_relay()\n",
        name=name,
        profile="sdpops",
    )
    async def relayed(alice: Peer, bob: Peer) -> None:
        alice.request("MESSAGE", bob, SDP, body=BODY)
        bob.answer(await bob.expect("MESSAGE"), 200)
        await alice.expect(200)


register(
    "what_sdp_offers",
    "\n".join(f"note({question!r}, {question})" for question in QUESTIONS) + "\npv('$avp(s)', '$avp(l)')",
)
for name, edit in EDITS.items():
    register(f"sdp_{name}", f"note({edit})")
