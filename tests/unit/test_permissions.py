"""Addresses by group and trusted peers."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipwright.modules.permissions import AddressTable, Entry, Match, Peer, TrustedTable, read_address_file


def test_hosts_networks_and_names() -> None:
    table = AddressTable(
        [
            Entry(1, "192.0.2.1", 32, 0, "host"),
            Entry(1, "10.0.0.0", 8, 5060, "net"),
            Entry(2, "2001:db8::", 32),
            Entry(2, "2001:db8:1::5", 128),
            Entry(3, "gw.example.com"),
            Entry(4, "0.0.0.0", 0),
        ]
    )
    assert table.allows(1, "192.0.2.1", 0) == Match(1, "host")
    assert table.allows(1, "10.9.9.9", 5060) == Match(1, "net")
    assert table.allows(1, "10.9.9.9", 5061) is None
    assert table.allows(2, "[2001:db8::77]", 1) == Match(2, None)
    assert table.allows(3, "gw.example.com", 1) == Match(3, None)
    assert table.allows(3, "192.0.2.1", 0) is None
    assert table.allows(4, "203.0.113.9", 0) == Match(4, None)
    assert table.allows(4, "2001:db9::1", 0) is None
    assert table.allows(9, "192.0.2.1", 0) is None


def test_what_is_left_out() -> None:
    table = AddressTable([Entry(0, "192.0.2.1"), Entry(1, "10.999.1.1"), Entry(1, "a b"), Entry(1, "192.0.2.2")])
    assert [entry.host for entry in table.entries] == ["192.0.2.2"]
    assert len(table.rejected) == 3


addresses = st.ip_addresses(v=4) | st.ip_addresses(v=6)


@given(
    st.lists(st.tuples(st.integers(1, 3), addresses, st.integers(0, 128)), max_size=20), addresses, st.integers(1, 3)
)
def test_a_look_up_is_a_walk_through_all_networks(rows: list[tuple[int, Any, int]], wanted: Any, group: int) -> None:
    entries = [Entry(number, str(address), min(mask, address.max_prefixlen)) for number, address, mask in rows]
    expected = any(
        entry.group == group and wanted in ipaddress.ip_network(f"{entry.host}/{entry.mask}", strict=False)
        for entry in entries
    )
    assert (AddressTable(entries).allows(group, str(wanted), 5060) is not None) is expected


def test_trusted_peers() -> None:
    table = TrustedTable(
        [
            Peer("192.0.2.1", "udp", "^sip:a@", tag="low"),
            Peer("192.0.2.1", "any", None, "@home", tag="high", priority=5),
            Peer("192.0.2.2", "TLS"),
            Peer("192.0.2.3", "carrier pigeon"),
            Peer("192.0.2.3", "any", "(("),
        ]
    )
    assert len(table.rejected) == 2
    found = [
        table.find(*peer)
        for peer in (
            ("192.0.2.1", "udp", "sip:a@x", "sip:b@home"),
            ("192.0.2.1", "UDP", "sip:a@x", "sip:b@x"),
            ("192.0.2.1", "tcp", "sip:a@x", "sip:b@x"),
            ("192.0.2.2", "tls", "", ""),
            ("192.0.2.3", "udp", "", ""),
        )
    ]
    assert [peer.tag if peer else None for peer in found] == ["high", "low", None, None, None]
    assert found[3] is not None


def test_address_files() -> None:
    entries, problems = read_address_file(
        "# c\n1 192.0.2.1 32 5060 tag # rest\n\n2 10.0.0.0/8\n3 gw.example.com\n4 2001:db8::1\n"
    )
    assert problems == []
    assert entries == [
        Entry(1, "192.0.2.1", 32, 5060, "tag"),
        Entry(2, "10.0.0.0", 8),
        Entry(3, "gw.example.com", 32),
        Entry(4, "2001:db8::1", 128),
    ]


@pytest.mark.parametrize("line", ["1", "one 192.0.2.1", "1 192.0.2.1 x", "1 192.0.2.1 32 x"])
def test_lines_that_are_wrong(line: str) -> None:
    entries, problems = read_address_file(f"1 192.0.2.9\n{line}\n")
    assert len(entries) == 1
    assert len(problems) == 1
    assert problems[0].startswith("line 2: ")
