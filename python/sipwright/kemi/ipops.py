"""KSR.ipops: tests of IP addresses and questions to DNS, with Kamailio's return codes."""

import socket
import threading
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.modules import ipops
from sipwright.modules.dns_results import Answer, Answers, Value, of_addresses, of_naptr, of_srv
from sipwright.modules.names import addresses_of, records

if TYPE_CHECKING:
    from sipwright._engine import Engine
    from sipwright.host import Host

__all__ = [
    "compare_ips",
    "compare_pure_ips",
    "detailed_ip_type",
    "detailed_ipv4_type",
    "detailed_ipv6_type",
    "dns_int_match_ip",
    "dns_query",
    "dns_set_local_ttl",
    "dns_sys_match_ip",
    "ip_is_in_subnet",
    "ip_type",
    "is_in_subnet",
    "is_ip",
    "is_ip4",
    "is_ip6",
    "is_ip6_reference",
    "is_ip_rfc1918",
    "is_pure_ip",
    "naptr_query",
    "ptr_query",
    "srv_query",
]

_NOT_AN_ADDRESS: Final = -3
_NO_RECORDS: Final = -3
_UNKNOWN_NAME: Final = -4
_KINDS: Final = ("dns", "srvquery", "naptrquery", "ptrquery")

_engine_of_host: "Engine | None" = None
_kept = threading.local()


def configure(host: "Host") -> None:
    """Registers `$dns`, `$srvquery`, `$naptrquery`, `$ptrquery` and `$HN`."""
    global _engine_of_host
    _engine_of_host = host.engine
    for kind in _KINDS:
        host.variable(kind, lambda inner, _, kind=kind: _answers(kind).get(inner))  # type: ignore[misc]
    host.variable("HN", lambda inner, _: _host_name(inner))


@ksr("ipops.is_ip")
def is_ip(text: str) -> int:
    """Whether it is an IPv4 or IPv6 address, the latter with brackets or without: 1 or -1."""
    return _yes(ipops.any_form(text) is not None)


@ksr("ipops.is_pure_ip")
def is_pure_ip(text: str) -> int:
    """Whether it is an IPv4 or IPv6 address without brackets: 1 or -1."""
    return _yes(ipops.pure(text) is not None)


@ksr("ipops.is_ip4")
def is_ip4(text: str) -> int:
    """Whether it is an IPv4 address: 1 or -1."""
    return _yes(isinstance(ipops.pure(text), IPv4Address))


@ksr("ipops.is_ip6")
def is_ip6(text: str) -> int:
    """Whether it is an IPv6 address without brackets: 1 or -1."""
    return _yes(isinstance(ipops.pure(text), IPv6Address))


@ksr("ipops.is_ip6_reference")
def is_ip6_reference(text: str) -> int:
    """Whether it is an IPv6 address in brackets: 1 or -1."""
    return _yes(ipops.reference(text) is not None)


@ksr("ipops.ip_type")
def ip_type(text: str) -> int:
    """1 for IPv4, 2 for IPv6, 3 for IPv6 in brackets, -1 for none of them."""
    address = ipops.pure(text)
    if address is None:
        return 3 if ipops.reference(text) is not None else -1
    return 1 if address.version == 4 else 2


@ksr("ipops.is_ip_rfc1918")
def is_ip_rfc1918(text: str) -> int:
    """Whether it is a private IPv4 address (RFC 1918): 1 or -1."""
    address = ipops.pure(text)
    return _yes(address is not None and ipops.is_private(address))


@ksr("ipops.detailed_ip_type")
def detailed_ip_type(text: str, variable: str) -> int:
    """Writes PUBLIC, PRIVATE, LOOPBACK, DOCUMENTATION, ... into a variable: 1, or -1 for what is no address."""
    return _detailed(ipops.any_form(text), variable)


@ksr("ipops.detailed_ipv4_type")
def detailed_ipv4_type(text: str, variable: str) -> int:
    """The same for IPv4 addresses only."""
    address = ipops.pure(text)
    return _detailed(address if isinstance(address, IPv4Address) else None, variable)


@ksr("ipops.detailed_ipv6_type")
def detailed_ipv6_type(text: str, variable: str) -> int:
    """The same for IPv6 addresses only."""
    address = ipops.any_form(text)
    return _detailed(address if isinstance(address, IPv6Address) else None, variable)


@ksr("ipops.compare_ips")
def compare_ips(first: str, second: str) -> int:
    """Whether two texts are the same address, with brackets or without: 1 or -1."""
    address = ipops.any_form(first)
    return _yes(address is not None and address == ipops.any_form(second))


@ksr("ipops.compare_pure_ips")
def compare_pure_ips(first: str, second: str) -> int:
    """Whether two texts are the same address, both without brackets: 1 or -1."""
    address = ipops.pure(first)
    return _yes(address is not None and address == ipops.pure(second))


@ksr("ipops.is_in_subnet")
def is_in_subnet(address: str, subnets: str) -> int:
    """Whether an address is in one of `network/bits`, separated by commas: 1 or -1."""
    found = ipops.pure(address)
    return _yes(found is not None and ipops.is_in_subnets(found, subnets))


@ksr("ipops.ip_is_in_subnet")
def ip_is_in_subnet(address: str, subnets: str) -> int:
    """As `is_in_subnet`."""
    return is_in_subnet(address, subnets)  # type: ignore[no-any-return]


# ---- DNS -----------------------------------------------------------------------------------------------------------


@ksr("ipops.dns_query")
def dns_query(name: str, key: str) -> int:
    """Keeps the addresses of a name for `$dns(key=>addr[0])`: 1, or -4 when there are none."""
    address = ipops.any_form(name)
    found = [str(address)] if address is not None else _addresses(name)
    if not found:
        _answers("dns").by_name.pop(key, None)
        return _UNKNOWN_NAME
    v4 = [one for one in found if ":" not in one]
    _answers("dns").by_name[key] = of_addresses(v4, [one for one in found if ":" in one])
    return 1


@ksr("ipops.srv_query")
def srv_query(name: str, key: str) -> int:
    """Keeps the SRV records of a name for `$srvquery(key=>target[0])`: 1, or -3 when there are none."""
    return _keep("srvquery", key, of_srv(_records("SRV", name)))


@ksr("ipops.naptr_query")
def naptr_query(name: str, key: str) -> int:
    """Keeps the NAPTR records of a name for `$naptrquery(key=>replace[0])`: 1, or -3 when there are none."""
    return _keep("naptrquery", key, of_naptr(_records("NAPTR", name)))


@ksr("ipops.ptr_query")
def ptr_query(address: str, key: str) -> int:
    """Keeps the name of an address for `$ptrquery(key=>hostname)`: 1, or -3 when there is none."""
    found = ipops.any_form(address)
    try:
        name = None if found is None else socket.gethostbyaddr(str(found))[0]
    except OSError as error:
        log.debug(f"KSR.ipops.ptr_query: {address}: {error}")
        name = None
    if name is None:
        return _keep("ptrquery", key, Answer())
    _answers("ptrquery").by_name[key] = Answer({}, {"ip": str(found), "hostname": name})
    return 1


@ksr("ipops.dns_sys_match_ip")
def dns_sys_match_ip(name: str, address: str) -> int:
    """Whether a name has an address, by the system's resolver: 1, -1, -3 for no address, -4 for an unknown name."""
    wanted = ipops.any_form(address)
    if wanted is None:
        return _NOT_AN_ADDRESS
    try:
        found = {info[4][0] for info in socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)}
    except OSError:
        return _UNKNOWN_NAME
    return _yes(str(wanted) in found)


@ksr("ipops.dns_int_match_ip")
def dns_int_match_ip(name: str, address: str) -> int:
    """Whether a name has an address, by the server's resolver: 1, -1, -3 for no address, -4 for an unknown name."""
    wanted = ipops.any_form(address)
    if wanted is None:
        return _NOT_AN_ADDRESS
    literal = ipops.any_form(name)
    found = [str(literal)] if literal is not None else _addresses(name)
    return _yes(str(wanted) in found) if found else _UNKNOWN_NAME


@ksr("ipops.dns_set_local_ttl")
def dns_set_local_ttl(seconds: int) -> int:
    """Without effect: answers hold as long as their records say: 1."""
    return 1


# ---- helpers -------------------------------------------------------------------------------------------------------


def _yes(value: bool) -> int:
    return 1 if value else -1


def _detailed(address: ipops.Address | None, variable: str) -> int:
    if address is None:
        return -1
    return 1 if _engine.pv_sets(variable, ipops.kind(address)) else -1


def _addresses(name: str) -> list[str]:
    return [] if _engine_of_host is None else addresses_of(_engine_of_host, name)


def _records(kind: str, name: str) -> list[str]:
    return [] if _engine_of_host is None else records(_engine_of_host, kind, name)


def _answers(kind: str) -> Answers:
    """The answers of this worker."""
    kept: dict[str, Answers] | None = getattr(_kept, "answers", None)
    if kept is None:
        kept = _kept.answers = {kind: Answers(None if kind == "dns" else Answer()) for kind in _KINDS}
    return kept[kind]


def _keep(kind: str, key: str, answer: Answer) -> int:
    _answers(kind).by_name[key] = answer
    return 1 if answer.count else _NO_RECORDS


def _host_name(inner: str) -> Value | None:
    """`$HN(part)`: n the name, f with its domain, d the domain, i its address."""
    name = socket.gethostname()
    if inner == "n":
        return name.partition(".")[0]
    full = socket.getfqdn() if "." not in name else name
    if inner == "f":
        return full if full.startswith(name) else name
    if inner == "d":
        return full.partition(".")[2] or None if full.startswith(name) else None
    if inner == "i":
        found = _addresses(name)
        return found[0] if found else None
    return None
