"""Listening addresses as people write them."""

import pytest

from sipwright.settings import Listen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("udp:127.0.0.1:5060", [("udp", "127.0.0.1", 5060)]),
        ("TLS:0.0.0.0", [("tls", "0.0.0.0", 5061)]),
        ("127.0.0.1:5070", [("udp", "127.0.0.1", 5070), ("tcp", "127.0.0.1", 5070)]),
        ("tcp:[::1]:5080", [("tcp", "::1", 5080)]),
        ("udp:eth0:5060", [("udp", "eth0", 5060)]),
        ("2001:db8::1", [("udp", "2001:db8::1", 5060), ("tcp", "2001:db8::1", 5060)]),
        ("udp:127.0.0.1:0", [("udp", "127.0.0.1", 0)]),
    ],
)
def test_forms_of_addresses(text: str, expected: list[tuple[str, str, int]]) -> None:
    assert Listen.parse(text).sockets() == expected


def test_options_after_the_address() -> None:
    listen = Listen.parse('tls:0.0.0.0:5061 advertise sip.example.com:443 name "edge"')
    assert listen.advertise == ("sip.example.com", 443)
    assert listen.name == "edge"
    assert Listen.parse(str(listen)) == listen


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "is empty"),
        ("sctp:127.0.0.1:eth", "'sctp' is not a protocol"),
        ("udp:127.0.0.1:99999", "'99999' is not a port"),
        ("udp:127.0.0.1:sip", "'sip' is not a port"),
        ("udp:", "has no address"),
        ("udp:[::1:5060", "brackets"),
        ("udp:127.0.0.1 advertise", "'advertise' needs a value"),
        ("udp:127.0.0.1 as edge", "'as' is not known"),
    ],
)
def test_what_is_wrong_is_named(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named.replace("[", r"\[")):
        Listen.parse(text)
