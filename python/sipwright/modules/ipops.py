"""IP addresses as texts: kinds, comparison, networks. Kamailio's module ipops; no I/O."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address

_PRIVATE: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
# RFC 6890 and its kin, the longest prefixes first; what is in none is PUBLIC, or RESERVED.
_V4: Final = tuple(
    (ip_network(network), name)
    for network, name in (
        ("255.255.255.255/32", "BROADCAST"),
        ("192.0.0.0/24", "RESERVED"),
        ("192.0.2.0/24", "TEST-NET"),
        ("192.88.99.0/24", "6TO4-RELAY"),
        ("198.51.100.0/24", "TEST-NET"),
        ("203.0.113.0/24", "TEST-NET"),
        ("169.254.0.0/16", "LINK-LOCAL"),
        ("192.168.0.0/16", "PRIVATE"),
        ("198.18.0.0/15", "RESERVED"),
        ("172.16.0.0/12", "PRIVATE"),
        ("100.64.0.0/10", "SHARED"),
        ("0.0.0.0/8", "PRIVATE"),
        ("10.0.0.0/8", "PRIVATE"),
        ("127.0.0.0/8", "LOOPBACK"),
        ("224.0.0.0/4", "MULTICAST"),
        ("240.0.0.0/4", "RESERVED"),
    )
)
_V6: Final = tuple(
    (ip_network(network), name)
    for network, name in (
        ("::/128", "UNSPECIFIED"),
        ("::1/128", "LOOPBACK"),
        ("::ffff:0:0/96", "IPV4MAP"),
        ("100::/64", "DISCARD"),
        ("2001:2::/48", "BMWG"),
        ("2001::/32", "TEREDO"),
        ("2001:db8::/32", "DOCUMENTATION"),
        ("2001:10::/28", "ORCHID"),
        ("2002::/16", "6TO4"),
        ("fe80::/10", "LINK-LOCAL-UNICAST"),
        ("ff00::/8", "MULTICAST"),
        ("fc00::/7", "UNIQUE-LOCAL-UNICAST"),
        ("2000::/3", "GLOBAL-UNICAST"),
    )
)


def pure(text: str) -> Address | None:
    """An IPv4 or IPv6 address, the latter without brackets and zone; None for anything else."""
    if "%" in text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def reference(text: str) -> IPv6Address | None:
    """An IPv6 address in brackets, as URIs have it."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    found = pure(text[1:-1])
    return found if isinstance(found, IPv6Address) else None


def any_form(text: str) -> Address | None:
    """An address in any of these forms."""
    return pure(text) or reference(text)


def is_private(address: Address) -> bool:
    """Whether it is one of RFC 1918."""
    return any(address in network for network in _PRIVATE)


def kind(address: Address) -> str:
    """What the registries say of an address: PUBLIC, PRIVATE, LOOPBACK, DOCUMENTATION, ..."""
    if isinstance(address, IPv4Address):
        return next((name for network, name in _V4 if address in network), "PUBLIC")
    return next((name for network, name in _V6 if address in network), "RESERVED")


def is_in_subnets(address: Address, subnets: str) -> bool:
    """Whether it is in one of `network/bits` or addresses, separated by commas; those that are not valid do not count."""
    for text in subnets.split(","):
        try:
            network = ip_network(text.strip(), strict=False)
        except ValueError:
            continue
        if address in network:
            return True
    return False
