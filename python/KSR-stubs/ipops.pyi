# Written by `python -m sipwright.kemi.stubs`.
"""KSR.ipops: functions of Kamailio's module."""


def compare_ips(first: str, second: str, /) -> int:
    """Whether two texts are the same address, with brackets or without: 1 or -1."""

def compare_pure_ips(first: str, second: str, /) -> int:
    """Whether two texts are the same address, both without brackets: 1 or -1."""

def detailed_ip_type(text: str, variable: str, /) -> int:
    """Writes PUBLIC, PRIVATE, LOOPBACK, DOCUMENTATION, ... into a variable: 1, or -1 for what is no address."""

def detailed_ipv4_type(text: str, variable: str, /) -> int:
    """The same for IPv4 addresses only."""

def detailed_ipv6_type(text: str, variable: str, /) -> int:
    """The same for IPv6 addresses only."""

def dns_int_match_ip(name: str, address: str, /) -> int:
    """Whether a name has an address, by the server's resolver: 1, -1, -3 for no address, -4 for an unknown name."""

def dns_query(name: str, key: str, /) -> int:
    """Keeps the addresses of a name for `$dns(key=>addr[0])`: 1, or -4 when there are none."""

def dns_set_local_ttl(seconds: int, /) -> int:
    """Without effect: answers hold as long as their records say: 1."""

def dns_sys_match_ip(name: str, address: str, /) -> int:
    """Whether a name has an address, by the system's resolver: 1, -1, -3 for no address, -4 for an unknown name."""

def ip_is_in_subnet(address: str, subnets: str, /) -> int:
    """As `is_in_subnet`."""

def ip_type(text: str, /) -> int:
    """1 for IPv4, 2 for IPv6, 3 for IPv6 in brackets, -1 for none of them."""

def is_in_subnet(address: str, subnets: str, /) -> int:
    """Whether an address is in one of `network/bits`, separated by commas: 1 or -1."""

def is_ip(text: str, /) -> int:
    """Whether it is an IPv4 or IPv6 address, the latter with brackets or without: 1 or -1."""

def is_ip4(text: str, /) -> int:
    """Whether it is an IPv4 address: 1 or -1."""

def is_ip6(text: str, /) -> int:
    """Whether it is an IPv6 address without brackets: 1 or -1."""

def is_ip6_reference(text: str, /) -> int:
    """Whether it is an IPv6 address in brackets: 1 or -1."""

def is_ip_rfc1918(text: str, /) -> int:
    """Whether it is a private IPv4 address (RFC 1918): 1 or -1."""

def is_pure_ip(text: str, /) -> int:
    """Whether it is an IPv4 or IPv6 address without brackets: 1 or -1."""

def naptr_query(name: str, key: str, /) -> int:
    """Keeps the NAPTR records of a name for `$naptrquery(key=>replace[0])`: 1, or -3 when there are none."""

def ptr_query(address: str, key: str, /) -> int:
    """Keeps the name of an address for `$ptrquery(key=>hostname)`: 1, or -3 when there is none."""

def srv_query(name: str, key: str, /) -> int:
    """Keeps the SRV records of a name for `$srvquery(key=>target[0])`: 1, or -3 when there are none."""
