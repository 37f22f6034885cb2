"""What an SDP body offers and its edits; the figures are Kamailio's."""

from collections.abc import Iterator

import pytest

from sipwright import _engine
from sipwright.host import Getter, Host, Setter
from sipwright.kemi import dmq, sdpops
from sipwright.modules.sdp import Sdp
from sipwright.settings import Settings

BODY = (
    "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=ice-ufrag:x\r\n"
    "m=audio 4000 RTP/AVP 0 8 18 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\n"
    "a=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    "m=video 0 RTP/SAVP 97 98\r\nc=IN IP6 ::1\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 x=1\r\na=rtpmap:98 VP8/90000\r\n"
    "a=inactive\r\n"
)


@pytest.fixture(autouse=True)
def message() -> Iterator[None]:
    sdpops.configure(Variables(Settings()))
    _engine.begin_fake()
    set_body(BODY)
    yield
    _engine.end_fake()


class Variables(Host):
    """A host whose variables tests read and set; those of the engine need a running one."""

    def variable(self, name: str, get: Getter, set: Setter | None = None) -> None:
        found[name] = (get, set)


found: dict[str, tuple[Getter, Setter | None]] = {}


def get(key: str) -> str | int | None:
    return found["sdp"][0](key, None)


def put(key: str, value: str | int) -> bool:
    set = found["sdp"][1]
    return set is not None and set(key, value)


def set_body(text: str, kind: str = "application/sdp") -> None:
    _engine.textops_set_body(text, kind)
    _engine.textopsx_msg_apply_changes()


def body() -> str:
    return str(_engine.pv_get("$rb"))


def test_a_body_is_written_as_it_was_read() -> None:
    assert str(Sdp.parse(BODY)) == BODY
    assert Sdp.parse("hello") is None
    assert str(Sdp.parse("v=0\no=x\nm=audio")) == "v=0\no=x\nm=audio"


def test_what_is_offered() -> None:
    assert [sdpops.sdp_content(), sdpops.sdp_content_flags(0), sdpops.sdp_content_flags(1)] == [1, 1, 1]
    assert [sdpops.sdp_with_media(kind) for kind in ("audio", "text", "video")] == [1, 0, 1]
    assert [sdpops.sdp_with_active_media(kind) for kind in ("audio", "video")] == [1, 0]
    assert [sdpops.sdp_with_transport(name) for name in ("RTP/AVP", "RTP/SAVPF", "RTP")] == [1, -1, -1]
    assert [sdpops.sdp_with_transport_like(part) for part in ("RTP", "SAVP", "zz")] == [1, 1, -1]
    assert [sdpops.sdp_with_codecs_by_id(ids) for ids in ("0", "0,99", "99")] == [2, 2, 0]
    assert [sdpops.sdp_with_codecs_by_name(names) for names in ("pcmu,G729", "opus")] == [2, -1]
    assert [sdpops.sdp_with_ice(), sdpops.sdp_get_address_family()] == [-1, 4]


def test_what_is_read() -> None:
    assert [sdpops.sdp_get("$avp(s)"), sdpops.sdp_get_line_startswith("$avp(l)", "a=rtpmap:8")] == [1, 1]
    assert (_engine.pv_get("$avp(s)"), _engine.pv_get("$avp(l)")) == (BODY, "a=rtpmap:8 PCMA/8000")
    assert sdpops.sdp_get_line_startswith("$avp(l)", "zz") == -1
    assert [sdpops.sdp_transport("$avp(t)"), _engine.pv_get("$avp(t)")] == [1, "RTP/AVP"]


def test_codecs_are_kept() -> None:
    assert sdpops.keep_codecs_by_name("PCMU", "audio") == 0
    assert "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\nm=video 0 RTP/SAVP 97 98" in body()
    assert sdpops.keep_codecs_by_id("0,97", "") == 0
    assert "m=video 0 RTP/SAVP 97\r\nc=IN IP6 ::1\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 x=1\r\na=inactive" in body()
    assert sdpops.keep_codecs_by_name("opus", "audio") == -1


def test_codecs_are_removed() -> None:
    assert sdpops.remove_codecs_by_name("PCMU,G729", "") == 0
    assert "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101" in body()
    assert sdpops.remove_codecs_by_id("97", "audio") == 0
    assert "RTP/SAVP 97 98" in body()
    assert sdpops.remove_codecs_by_id("8,101", "") == 0
    assert "m=audio 4000 RTP/AVP\r\na=sendrecv" in body()


def test_lines_and_media_are_removed() -> None:
    assert [sdpops.remove_line_by_prefix("a=rtpmap", "video"), sdpops.remove_line_by_prefix("a=rtpmap", "")] == [2, 4]
    assert "rtpmap" not in body()
    assert [sdpops.remove_media("text"), sdpops.remove_media("video")] == [0, 1]
    assert body().endswith("a=sendrecv\r\n")


def test_iterators() -> None:
    assert sdpops.sdp_iterator_start("i") == 1
    seen = []
    while sdpops.sdp_iterator_next("i") > 0:
        seen.append(sdpops.sdp_iterator_value("i"))
    assert seen == BODY.split("\r\n")[:-1]
    assert [sdpops.sdp_iterator_value("i"), sdpops.sdp_iterator_end("i"), sdpops.sdp_iterator_end("i")] == [None, 1, -1]


@pytest.mark.parametrize(("text", "kind"), [("hello", "text/plain"), ("v=0", "application/sdp")])
def test_what_is_no_sdp(text: str, kind: str) -> None:
    set_body(text, kind)
    assert [sdpops.sdp_content(), sdpops.sdp_with_media("audio"), sdpops.remove_media("audio")] == [-1, -1, -1]
    assert [sdpops.sdp_get("$avp(s)"), sdpops.keep_codecs_by_id("0", ""), sdpops.sdp_iterator_start("i")] == [
        -1,
        -1,
        -1,
    ]


def test_there_is_no_cluster() -> None:
    assert dmq.is_from_node() == -1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("body", BODY),
        ("raw", BODY),
        ("sess_version", 2),
        ("c:ip", "192.0.2.1"),
        ("c:af", "IP4"),
        ("c:x", None),
        ("o:ip", "192.0.2.1"),
        ("m0:rtp:port", 4000),
        ("m0:rtcp:port", 4001),
        ("m1:rtp:port", 0),
        ("m0:b:AS", None),
        ("m2:raw", None),
        ("nope", None),
    ],
)
def test_parts_as_variables(key: str, value: object) -> None:
    assert get(key) == value


def test_parts_of_media_as_variables() -> None:
    media = "m=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::7/127\r\nb=AS:64\r\na=rtcp:4005 IN IP4 192.0.2.9\r\n"
    set_body("v=0\r\ns=-\r\n" + media)
    values = {key: get(key) for key in ("c:ip", "c:af", "m0:raw", "m0:rtcp:port", "m0:b:AS", "o:ip")}
    assert values == {
        "c:ip": "2001:db8::7",
        "c:af": "IP6",
        "m0:raw": media,
        "m0:rtcp:port": 4005,
        "m0:b:AS": "64",
        "o:ip": None,
    }
    assert not put("sess_version", 5)
    set_body("no sdp", "text/plain")
    assert get("body") is None


# As Kamailio 5.6.
def test_the_version_of_the_session() -> None:
    assert not put("sess_version", "77")
    assert not put("c:ip", "1.1.1.1")
    assert put("sess_version", -1)
    assert "o=- 1 3 IN IP4 192.0.2.1\r\n" in body()
    assert put("sess_version", 900)
    assert get("sess_version") == 900


def test_edits_at_lines() -> None:
    set_body("v=0\r\ns=-\r\nt=0 0\r\n")
    assert sdpops.sdp_iterator_start("i") == 1
    assert sdpops.sdp_iterator_rm("i") == sdpops.sdp_iterator_append("none", "x") == -1
    assert sdpops.sdp_iterator_next("i") == 1
    assert sdpops.sdp_iterator_append("i", "o=- 1 1 IN IP4 h\r\n") == 1
    assert sdpops.sdp_iterator_next("i") == 1
    assert sdpops.sdp_iterator_value("i") == "s=-"
    assert sdpops.sdp_iterator_rm("i") == 1
    assert sdpops.sdp_iterator_insert("i", "s=new\r\n") == 1
    assert body() == "v=0\r\no=- 1 1 IN IP4 h\r\ns=new\r\nt=0 0\r\n"
    assert sdpops.sdp_iterator_next("i") == 1
    assert sdpops.sdp_iterator_value("i") == "t=0 0"
    set_body(BODY)
    assert sdpops.sdp_iterator_rm("i") == -1
    assert sdpops.sdp_iterator_next("i") == -1
    assert sdpops.sdp_iterator_append("i", "x") == -1
