"""Texts of addresses, and answers of DNS that scripts keep; what Kamailio says of them is in tests/oracle."""

import pytest

from sipwright import _engine
from sipwright.host import Host
from sipwright.kemi import ipops
from sipwright.modules.dns_results import Answer, Answers, of_addresses, of_naptr, of_srv
from sipwright.settings import Settings


def test_addresses_in_all_forms() -> None:
    assert [ipops.ip_type(text) for text in ("1.2.3.4", "::1", "[::1]", "x", "fe80::1%e")] == [1, 2, 3, -1, -1]
    assert ipops.is_ip("[::1]") == 1
    assert ipops.is_pure_ip("[::1]") == -1
    assert ipops.compare_ips("::1", "[0::1]") == 1
    assert ipops.compare_pure_ips("::1", "[0::1]") == -1
    assert ipops.is_in_subnet("10.0.0.1", "bad, 10.0.0.0/8") == 1
    assert ipops.is_in_subnet("10.0.0.1", "10.0.0.0/33") == -1
    assert ipops.is_ip_rfc1918("172.32.0.1") == -1


@pytest.mark.parametrize(("text", "kind"), [("203.0.113.9", "TEST-NET"), ("8.8.8.8", "PUBLIC"), ("[::1]", "LOOPBACK")])
def test_the_registered_kind_goes_into_a_variable(text: str, kind: str) -> None:
    _engine.begin_fake()
    assert ipops.detailed_ip_type(text, "$avp(k)") == 1
    assert _engine.pv_get("$avp(k)") == kind
    assert ipops.detailed_ip_type("bad", "$avp(k)") == -1
    _engine.end_fake()


def test_answers_have_fields_and_indexes() -> None:
    answers = Answers(None)
    answers.by_name["x"] = of_addresses(["192.0.2.1", "192.0.2.2"], ["::1"])
    assert [answers.get(f"x=>{name}") for name in ("count", "ipv4", "addr[2]", "type[-1]", "addr[3]", "no", "")] == [
        3,
        1,
        "::1",
        6,
        None,
        None,
        None,
    ]
    assert answers.get("y=>count") is None
    assert Answers(Answer()).get("y=>count") == 0


def test_srv_is_drawn_by_weight_within_a_priority() -> None:
    lines = ["20 1 5060 last.", "10 0 5060 light.", "10 90 5060 heavy.", "10 10 5060 middle."]
    firsts = [of_srv(lines).get("target[0]") for _ in range(200)]
    assert set(firsts) <= {"heavy", "middle", "light"}
    assert firsts.count("heavy") > 120
    assert all(of_srv(lines).get("target[3]") == "last" for _ in range(20))


def test_naptr_is_sorted() -> None:
    answer = of_naptr(
        ['20 1 s SIP+D2U "" b.example.com.', '10 9 s SIP+D2T "" a.example.com.', '10 1 u E2U+sip "!^.*$!x!" .']
    )
    assert [answer.get(f"regex[{n}]") for n in range(3)] == ["!^.*$!x!", "", ""]
    assert [answer.get(f"replace[{n}]") for n in range(3)] == ["", "a.example.com", "b.example.com"]


def test_names_by_the_systems_resolver() -> None:
    ipops.configure(Host(Settings()))
    assert ipops.dns_sys_match_ip("localhost", "127.0.0.1") == 1
    assert ipops.dns_sys_match_ip("localhost", "bad") == -3
    assert ipops.dns_int_match_ip("127.0.0.1", "127.0.0.1") == 1
    assert ipops.dns_int_match_ip("nobody.invalid", "127.0.0.1") == -4
    assert ipops.dns_query("[::1]", "k") == 1
    assert ipops._answers("dns").get("k=>addr") == "::1"
    assert ipops.ptr_query("127.0.0.1", "k") == 1
    assert ipops._answers("ptrquery").get("k=>hostname")
    assert ipops.ptr_query("bad", "k") == -3
    assert ipops._host_name("n")
