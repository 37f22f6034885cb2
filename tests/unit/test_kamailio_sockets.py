"""Addresses in kamailio.cfg: every form of listen and alias, and which sockets they become."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipwright.settings import SettingsError
from sipwright.settings.kamailio import read_kamailio_cfg
from support.kamailio_cfg import given, read


def sockets(directory: Path, text: str) -> list[str]:
    (directory / "kamailio.cfg").write_text(text)
    found = given(read_kamailio_cfg(directory / "kamailio.cfg"))["listen"]
    assert isinstance(found, list)
    return [str(listen) for listen in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("listen=udp:127.0.0.1:5070", ["udp:127.0.0.1:5070"]),
        ("listen=UDP:127.0.0.1", ["udp:127.0.0.1:5060"]),
        ("listen=127.0.0.1:5070", ["udp:127.0.0.1:5070", "tcp:127.0.0.1:5070"]),
        ('listen="127.0.0.1"', ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]),
        ('listen=udp:"sip.example.com":5070', ["udp:sip.example.com:5070"]),
        ("listen=udp:sip-1.example.com:5070", ["udp:sip-1.example.com:5070"]),
        ("listen=udp:[::1]:5070", ["udp:[::1]:5070"]),
        ("listen=::1", ["udp:[::1]:5060", "tcp:[::1]:5060"]),
        ("listen=udp:lo:5070", ["udp:127.0.0.1:5070"]),
        ("listen=udp:enp0s3:5070", ["udp:enp0s3:5070"]),
        ("listen=udp:(127.0.0.1, 127.0.0.2):5070", ["udp:127.0.0.1:5070", "udp:127.0.0.2:5070"]),
        ("listen=udp:127.0.0.1 tcp:127.0.0.1:5061\nchildren=1", ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5061"]),
        ("listen=udp:127.0.0.1\nudp:127.0.0.2\nlisten=udp:127.0.0.1", ["udp:127.0.0.1:5060", "udp:127.0.0.2:5060"]),
        ("listen=udp:127.0.0.1\na.b=1", ["udp:127.0.0.1:5060"]),
        ("listen=udp:127.0.0.1 advertise 192.0.2.1", ["udp:127.0.0.1:5060 advertise 192.0.2.1"]),
        ("listen=udp:127.0.0.1:1 advertise sip.example.com:2 name \"out\"", ['udp:127.0.0.1:1 advertise sip.example.com:2 name "out"']),
        ("listen=udp:127.0.0.1 name \"x\" virtual", ['udp:127.0.0.1:5060 name "x"']),
        ("listen=udp:127.0.0.1 advertise [2001:db8::1]:5 agname \"g\"", ["udp:127.0.0.1:5060 advertise [2001:db8::1]:5"]),
        ("#!define IP 127.0.0.1\n#!define PORT 5070\nlisten=udp:IP:PORT advertise IP:PORT", ["udp:127.0.0.1:5070 advertise 127.0.0.1:5070"]),
        ("#!define ALL_OF_IT udp:127.0.0.1:5070 advertise 192.0.2.1\nlisten=ALL_OF_IT", ["udp:127.0.0.1:5070 advertise 192.0.2.1"]),
        ('#!substdef "!PUB!192.0.2.1!g"\nlisten=udp:127.0.0.1 advertise PUB:5', ["udp:127.0.0.1:5060 advertise 192.0.2.1:5"]),
        ("port=5080\nlisten=udp:127.0.0.1", ["udp:127.0.0.1:5080"]),
        ("disable_tcp=yes\nlisten=127.0.0.1", ["udp:127.0.0.1:5060"]),
        ("enable_tls=yes\nlisten=127.0.0.1", ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "tls:127.0.0.1:5061"]),
        ("enable_tls=yes\nlisten=127.0.0.1:70", ["udp:127.0.0.1:70", "tcp:127.0.0.1:70", "tls:127.0.0.1:71"]),
        ("enable_tls=yes\ntls_port_no=99\nlisten=tls:127.0.0.1", ["tls:127.0.0.1:99"]),
        ("listen=udp:127.0.0.1\nlisten=tls:127.0.0.1", ["udp:127.0.0.1:5060"]),
        ("listen=sctp:127.0.0.1 udp:127.0.0.1", ["udp:127.0.0.1:5060"]),
        ("advertised_address=\"sip.example.com\"\nadvertised_port=5\nlisten=udp:127.0.0.1", ["udp:127.0.0.1:5060 advertise sip.example.com:5"]),
        ("socket = { bind = udp:127.0.0.1:5070; advertise = 192.0.2.1:5; name = \"s\"; workers = 2; virtual = yes; }", ['udp:127.0.0.1:5070 advertise 192.0.2.1:5 name "s"']),
    ],
)  # fmt: skip
def test_listen(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert sockets(tmp_path, text) == expected


def test_without_listen_all_addresses_of_the_machine(tmp_path: Path) -> None:
    found = sockets(tmp_path, "port=5080\n")
    assert {"udp:127.0.0.1:5080", "tcp:127.0.0.1:5080"} <= set(found)
    assert not any("0.0.0.0" in address or address.startswith("tls") for address in found)


def test_alias(tmp_path: Path) -> None:
    text = 'alias=a.example.com\nalias="b-c.example.com":5060 udp:d:5061\nalias=(e, "f")\nchildren=1'
    assert [alias.text for alias in read(tmp_path, text).aliases] == [
        "a.example.com",
        "b-c.example.com:5060",
        "udp:d:5061",
        "e",
        "f",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listen=udp:127.0.0.1:5060-5070", "kamailio.cfg:1: '-' cannot begin a statement"),
        ("listen=udp:127.0.0.1,udp:127.0.0.2", "',' cannot begin a statement"),
        ("listen=udp:*:5060", "listen: '*' where an address, an interface or a host name is expected"),
        ("listen=udp:127.0.0.1:99999", "'99999' is not a port"),
        ("listen=udp:256.1.1.1", "256.1.1.1 is not an IP address"),
        ("listen udp:127.0.0.1", "listen: 'udp' where '=' is expected"),
        ("listen=udp:127.0.0.1 name x", "name: 'x' must be in quotes"),
        ("listen=udp:(127.0.0.1; lo)", "listen: ';' where ')' is expected"),
        ('socket={ name="x"; }', "socket: has no bind = ADDRESS"),
        ("socket={ bind=udp:lo; color=1; }", "socket: color is not known"),
        ("listen=udp:127.0.0.1 virtual virtual", "virtual is given twice"),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_no_address_is_left(tmp_path: Path) -> None:
    (tmp_path / "kamailio.cfg").write_text("disable_tcp=yes\nlisten=tcp:127.0.0.1\n")
    found = read_kamailio_cfg(tmp_path / "kamailio.cfg")
    assert "no address is left to listen on" in [entry.note for entry in found.refusals]
