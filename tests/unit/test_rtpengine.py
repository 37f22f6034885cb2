"""Commands to rtpengine: the bytes are those that Kamailio 5.6 sends for the same flags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sipwright.control.rpc import RpcError
from sipwright.host import Host
from sipwright.modules.media_nodes import Nodes, by_weight
from sipwright.modules.rtpengine import Call, Calls, Refused, command, encoded, mos, read_answer, read_flags, totals
from sipwright.modules.rtpengine_dtmf import read_event
from sipwright.modules.rtpengine_pool import Pool
from sipwright.settings import Settings
from sipwright.settings.rtpengine import RtpengineSettings
from support.databases import kamailio_sqlite

CALL = Call("call1@x", "ft", "", "127.0.0.1", True, ["z9hG4bK1"])
HEAD = "d8:supportsl10:load limite3:sdp3:v=0"
TAIL = "7:call-id7:call1@x13:received-froml3:IP49:127.0.0.1e8:from-tag2:ft7:command5:offere"

# What Kamailio puts between the description and the Call-ID.
KAMAILIO = {
    "": "",
    "ICE=remove RTP/SAVPF replace-origin replace-session-connection": (
        "3:ICE6:remove7:replacel6:origin18:session-connectione18:transport-protocol9:RTP/SAVPF"
    ),
    "direction=internal direction=external trust-address": (
        "9:directionl8:internal8:externale5:flagsl13:trust-addresse"
    ),
    "internal external": "9:directionl8:internal8:externale",
    "AVP": "18:transport-protocol7:RTP/AVP",
    "SRTP": "18:transport-protocol8:RTP/SAVP",
    "AVPF": "18:transport-protocol8:RTP/AVPF",
    "UDP/TLS/RTP/SAVPF": "18:transport-protocol17:UDP/TLS/RTP/SAVPF",
    "transport-protocol=RTP/AVP": "18:transport-protocol7:RTP/AVP",
    "SAVP": "5:flagsl4:SAVPe",
    "SDES-off": "4:SDESl3:offe",
    "SDES-only-NULL": "4:SDESl9:only-NULLe",
    "SDES=off": "4:SDESl3:offe",
    "DTLS=passive": "4:DTLS7:passive",
    "rtcp-mux-offer rtcp-mux-accept": "8:rtcp-muxl5:offer6:accepte",
    "address-family=IP6": "14:address-family3:IP6",
    "codec-transcode-PCMA": "5:codecd9:transcodel4:PCMAee",
    "codec-transcode=PCMA codec-mask=opus": "5:codecd9:transcodel4:PCMAe4:maskl4:opusee",
    "codec-strip-all": "5:codecd5:stripl3:allee",
    "codec-set=a/b": "5:codecd3:setl3:a/bee",
    "repacketize=20": "11:repacketizei20e",
    "ptime=20 ptime-reverse=30": "5:ptime2:2013:ptime-reverse2:30",
    "ptime": "5:flagsl5:ptimee",
    "label=x": "5:label1:x",
    "set-label=y": "9:set-label1:y",
    "TOS=184": "3:TOSi184e",
    "record-call=yes": "11:record-call3:yes",
    "record-call metadata=abc": "8:metadata3:abc5:flagsl11:record-calle",
    "reset pad-crypto generate-mid": "5:flagsl5:reset10:pad-crypto12:generate-mide",
    "T.38=decode": "4:T.38l6:decodee",
    "replace=origin": "7:replacel6:origine",
    "a=b,c": "1:a3:b,c",
    "xx yy=zz": "2:yy2:zz5:flagsl2:xxe",
}


@pytest.mark.parametrize("flags", KAMAILIO)
def test_flags(flags: str) -> None:
    made = encoded(command("offer", CALL, read_flags(flags), b"v=0")).decode()
    assert made == f"{HEAD}{KAMAILIO[flags]}{TAIL}"


@pytest.mark.parametrize(
    ("flags", "tail"),
    [
        ("via-branch=1", "7:call-id7:call1@x10:via-branch8:z9hG4bK113:received-froml3:IP49:127.0.0.1e8:from-tag2:ft"),
        (
            "via-branch=auto",
            "7:call-id7:call1@x10:via-branch8:z9hG4bK113:received-froml3:IP49:127.0.0.1e8:from-tag2:ft",
        ),
        ("call-id=foo", "7:call-id3:foo13:received-froml3:IP49:127.0.0.1e8:from-tag2:ft"),
        ("from-tag=ff to-tag=tt", "7:call-id7:call1@x13:received-froml3:IP49:127.0.0.1e8:from-tag2:ff6:to-tag2:tt"),
        ("received-from=1.2.3.4", "13:received-from7:1.2.3.47:call-id7:call1@x8:from-tag2:ft"),
    ],
)
def test_who_and_where(flags: str, tail: str) -> None:
    assert encoded(command("offer", CALL, read_flags(flags), b"v=0")).decode() == f"{HEAD}{tail}7:command5:offere"


@pytest.mark.parametrize(
    ("verb", "call", "tags"),
    [
        ("offer", CALL, {"from-tag": "ft"}),
        ("offer", replace(CALL, to_tag="tt"), {"from-tag": "ft", "to-tag": "tt"}),
        ("answer", replace(CALL, to_tag="tt"), {"from-tag": "tt", "to-tag": "ft"}),
        ("offer", replace(CALL, to_tag="tt", is_request=False), {"from-tag": "tt", "to-tag": "ft"}),
        ("answer", replace(CALL, to_tag="tt", is_request=False), {"from-tag": "ft", "to-tag": "tt"}),
        ("delete", replace(CALL, to_tag="tt"), {"from-tag": "ft"}),
        ("query", replace(CALL, to_tag="tt"), {"from-tag": "ft", "to-tag": "tt"}),
        ("play media", replace(CALL, to_tag="tt"), {"from-tag": "ft", "to-tag": "tt"}),
        ("block media", replace(CALL, to_tag="tt"), {}),
    ],
)
def test_tags_of_commands(verb: str, call: Call, tags: dict[str, str]) -> None:
    made = command(verb, call, read_flags(""))
    assert {name: value for name, value in made.items() if name.endswith("-tag")} == tags
    assert made["command"] == verb


@pytest.mark.parametrize(
    "flags", ["from-tag", "call-id", "TOS=x", "via-branch=2", "via-branch=extra", "via-branch=next"]
)
def test_what_cannot_be_sent(flags: str) -> None:
    with pytest.raises(Refused):
        command("offer", CALL, read_flags(flags), b"v=0")


def test_an_answer_needs_a_to_tag() -> None:
    with pytest.raises(Refused, match="To tag"):
        command("answer", CALL, read_flags(""), b"v=0")


@pytest.mark.parametrize("data", [b"garbage", b"d5:helloi5", b"de", b"d6:resulti1ee", b"i5e"])
def test_answers_that_are_none(data: bytes) -> None:
    with pytest.raises(Refused):
        read_answer(data)


QUALITY = {"round-trip time": 5, "jitter": 1, "packet loss": 2}
STATISTICS: dict[str, Any] = {
    "created": 3,
    "totals": {"RTP": {"packets": 5, "bytes": 7, "errors": 0}, "RTCP": {"packets": 1, "bytes": 2, "errors": 3}},
    "tags": {"ft": {"label": "caller", "medias": [{"streams": [{"SSRC": 12}]}]}},
    "SSRC": {
        "12": {
            "average MOS": {"MOS": 43, "samples": 3, **QUALITY},
            "lowest MOS": {"MOS": 41, "reported at": 8, **QUALITY},
            "highest MOS": {"MOS": 44, "reported at": 73, **QUALITY},
        },
        "13": {"average MOS": {"MOS": 35, "samples": 1, **QUALITY}},
    },
}


def test_statistics_read_as_kamailio_has_them() -> None:
    assert totals(STATISTICS) == "RTP: 7 bytes, 5 packets, 0 errors; RTCP: 2 bytes, 1 packets, 3 errors"
    found = mos(STATISTICS)
    assert (found["min"], found["min_at"], found["max"], found["max_at"]) == ("4.1", "0:05", "4.4", "1:10")
    assert (found["average"], found["average_samples"], found["min_packetloss"]) == ("4.1", "4", "2")
    assert mos(STATISTICS, "caller")["average"] == "4.3"
    assert mos(STATISTICS, "nobody") == {}
    assert totals({}) is None


# Which instance


def test_weights_are_those_of_kamailio() -> None:
    nodes = list(Nodes(["udp:127.0.0.1:1=2 udp:127.0.0.1:2"]))
    chosen = [by_weight(nodes, f"call{number}@x") for number in range(1, 7)]
    assert [node.index for node in chosen if node] == [0, 1, 0, 0, 1, 0]


@pytest.mark.parametrize(
    "text", ["", "x", "udp:host", "udp:h:0", "udp:h:99999", "a == udp:h:1", "udp:h:1=x", "tcp:h:1"]
)
def test_sockets_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        RtpengineSettings(rtpengine_sock=[text])


def test_sets_are_read() -> None:
    nodes = Nodes(["udp:h:1 udp:h:2=3", "5 == udp:h:3"])
    assert [(node.set_id, node.url, node.weight) for node in nodes] == [
        (0, "udp:h:1", 1),
        (0, "udp:h:2", 3),
        (5, "udp:h:3", 1),
    ]
    assert (0 in nodes, 5 in nodes, 1 in nodes) == (True, True, False)


def test_calls_are_forgotten_in_time() -> None:
    calls = Calls(10)
    calls.put("a", "", "udp:h:1", 0)
    assert (calls.get("a", "", 9), calls.get("a", "b", 9), calls.get("a", "", 11)) == ("udp:h:1", None, None)
    calls.sweep(11)
    assert len(calls) == 0


def test_administrators_see_and_switch_instances() -> None:
    pool = Pool(RtpengineSettings(rtpengine_sock=["udp:127.0.0.1:9=2"]))
    assert pool.enable("udp:127.0.0.1:9", "0") == {"url": "udp:127.0.0.1:9", "status": "disable"}
    assert pool.show()[0]["disabled"] == "1(permanent)"
    assert pool.enable("all", 1)["status"] == "enable"
    assert pool.show("udp:127.0.0.1:9")[0] == {
        "url": "udp:127.0.0.1:9",
        "set": 0,
        "index": 0,
        "weight": 2,
        "disabled": 0,
        "recheck_ticks": 0,
    }
    for wrong in (lambda: pool.show("nope"), lambda: pool.enable("all", 7), pool.reload):
        with pytest.raises(RpcError):
            wrong()


VIAS = ["z9hG4bKtop", "z9hG4bKsecond"]


@pytest.mark.parametrize(
    ("wish", "in_request", "in_response"),
    [
        ("1", VIAS[0], VIAS[0]),
        ("2", VIAS[1], VIAS[1]),
        ("auto", VIAS[0], VIAS[1]),
        ("extra", "more", "more"),
        ("auto-extra", "more", VIAS[0]),
        ("next", "z9hG4bKnext", "z9hG4bKnext"),
        ("auto-next", "z9hG4bKnext", VIAS[0]),
    ],
)
def test_branches_of_a_call(wish: str, in_request: str, in_response: str) -> None:
    for is_request, expected in ((True, in_request), (False, in_response)):
        call = Call("c", "ft", "tt", "127.0.0.1", is_request, VIAS, "more", lambda: "z9hG4bKnext")
        assert command("offer", call, read_flags(f"via-branch={wish}"), b"v=0")["via-branch"] == expected


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (
            b'{"callid":"c@h","source_tag":"ft","tags":["ft","tt"],"type":"DTMF","timestamp":1590,'
            b'"source_ip":"192.0.2.1","event":11,"duration":80,"volume":10}',
            {
                "dtmf_event_callid": "c@h",
                "dtmf_event_source_tag": "ft",
                "dtmf_event_tags": "ft,tt",
                "dtmf_event_type": "DTMF",
                "dtmf_event_timestamp": 1590,
                "dtmf_event_source_ip": "192.0.2.1",
                "dtmf_event": 11,
                "dtmf_event_duration": 80,
                "dtmf_event_volume": 10,
            },
        ),
        (b'{"callid":"c","event":"#"}', {"dtmf_event_callid": "c", "dtmf_event": "#"}),
        (b'{"callid":"c","type":"other"}', None),
        (b'{"event":1}', None),
        (b"[1]", None),
        (b"no json", None),
        (b"[" * 100_000, None),
        (b"\xff\xfe", None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_events_of_dtmf(data: bytes, event: dict[str, Any] | None) -> None:
    assert read_event(data) == event


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:0", ":2223", "h:x"])
def test_addresses_for_events(address: str) -> None:
    with pytest.raises(ValueError, match="is not ip:port"):
        RtpengineSettings(dtmf_events_sock=address)
    assert RtpengineSettings(dtmf_events_sock="udp:[::1]:2223").dtmf_address() == ("::1", 2223)


def test_rows_of_the_table(tmp_path: Path) -> None:
    """What is no instance is left out; one that stays keeps what is known of it."""
    url = kamailio_sqlite(tmp_path / "sip.db")
    host = Host(Settings(data_dir=tmp_path))
    database = host.database(url)
    try:
        insert = "insert into rtpengine (setid, url, weight, disabled) values (:s, :u, :w, :d)"

        def add(*row: object) -> None:
            with database.transaction() as connection:
                connection.execute(text(insert), dict(zip("suwd", row, strict=True)))

        add(0, "udp:127.0.0.1:9", 2, 0)
        add(0, "carrier:pigeon", 1, 0)
        add(3, "udp:127.0.0.1:8", 1, 1)
        pool = Pool(RtpengineSettings(db_url=url), database)
        assert [(node.set_id, node.url, node.weight, node.is_off) for node in pool.nodes] == [
            (0, "udp:127.0.0.1:9", 2, False),
            (3, "udp:127.0.0.1:8", 1, True),
        ]
        next(iter(pool.nodes)).is_tested = True
        add(3, "udp:127.0.0.1:7", 1, 0)
        pool.reload()
        assert [(node.url, node.is_tested) for node in pool.nodes] == [
            ("udp:127.0.0.1:9", True),
            ("udp:127.0.0.1:8", False),
            ("udp:127.0.0.1:7", False),
        ]
    finally:
        host.close()
