"""Addresses of this machine: names of interfaces and hosts, and whether IPv6 loopback is there."""

import array
import fcntl
import ipaddress
import socket
import struct

_SIOCGIFADDR = 0x8915
_SIOCGIFCONF = 0x8912
# struct ifreq on 64-bit Linux: a name of 16 bytes and a union of 24.
_IFREQ_BYTES = 40


def resolve(host: str) -> str:
    """The address of `host`: an address as it is, an interface's IPv4 address, or a host name's first one.

    Raises OSError whose text names what was not found.
    """
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    if host in {name for _, name in socket.if_nameindex()}:
        return _interface_address(host)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except socket.gaierror:
        raise OSError(f"{host!r} is neither an address, nor an interface, nor a host name that resolves") from None
    return str(found[0][4][0])


def interface_addresses() -> dict[str, list[str]]:
    """The IPv4 addresses of each network interface that is up."""
    size = 4096
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        while True:
            room = array.array("B", bytes(size))
            answer = fcntl.ioctl(probe, _SIOCGIFCONF, struct.pack("iL", size, room.buffer_info()[0]))
            used = struct.unpack("iL", answer)[0]
            if used + _IFREQ_BYTES <= size:
                break
            size *= 2
    found: dict[str, list[str]] = {}
    for start in range(0, used, _IFREQ_BYTES):
        record = room[start : start + _IFREQ_BYTES].tobytes()
        # The name of an alias, `eth0:1`, is its interface's.
        name = record[:16].partition(b"\0")[0].decode().partition(":")[0]
        found.setdefault(name, []).append(socket.inet_ntoa(record[20:24]))
    return found


def names_of(address: str) -> list[str]:
    """The names that reverse DNS (or the hosts file) has for an address; none for the wildcard."""
    if ipaddress.ip_address(address).is_unspecified:
        return []
    try:
        name, aliases, _ = socket.gethostbyaddr(address)
    except OSError:
        return []
    return [name, *aliases]


def has_ipv6_loopback() -> bool:
    """Whether a socket can be bound to `::1`."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def name_server(text: str) -> str:
    """`address:port` (IPv6 in brackets) of a name server given with or without its port; ValueError if it is none."""
    try:
        address = ipaddress.ip_address(text.strip("[]"))
        port = "53"
    except ValueError:
        host, _, port = text.rpartition(":")
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            raise ValueError(f"{text!r} is no address of a name server; an example: 192.0.2.53:53") from None
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ValueError(f"{text!r} has no port from 1 to 65535") from None
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _interface_address(name: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            packed = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        except OSError:
            raise OSError(f"interface {name!r} has no IPv4 address") from None
    return socket.inet_ntoa(packed[20:24])
