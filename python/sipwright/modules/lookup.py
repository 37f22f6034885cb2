"""From an address-of-record to the destinations of a request (RFC 3261 section 16.5)."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from sipwright import _engine
from sipwright._engine import Binding
from sipwright.decimal import decimal
from sipwright.modules.usrloc import NO_Q, is_live
from sipwright.settings.registrar import RegistrarSettings

FILTER_FLAGS: Final = 1
FILTER_CONNECTION: Final = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which bindings a look-up takes.

    `methods` are the bits one of which a contact must allow, 0 for any; `instance` that of a public GRUU (RFC 5627),
    `ruid` that of a temporary one; `flags` the branch flags one of which must be set, 0 for any.
    """

    methods: int = 0
    instance: str = ""
    ruid: str = ""
    flags: int = 0
    is_connected: Callable[[int], bool] | None = None

    def choose(self, bindings: list[Binding], settings: RegistrarSettings, now: int) -> tuple[list[Binding], bool]:
        """The bindings to use, and whether there were others but for their methods."""
        found = [one for one in bindings if settings.use_expired_contacts or is_live(one, now)]
        if self.instance:
            found = [one for one in found if one.instance.strip("<>").lower() == self.instance.lower()]
        if self.ruid:
            found = [one for one in found if one.ruid == self.ruid]
        if self.flags:
            found = [one for one in found if one.cflags & self.flags]
        if self.is_connected is not None:
            found = [one for one in found if not one.connection or self.is_connected(one.connection)]
        if not self.methods:
            return found, False
        allowed = [one for one in found if one.methods & self.methods]
        return allowed, bool(found)


class Destinations:
    """Makes bindings destinations of the request in work.

    `way` is request-URI and next hop of a contact that another server has to be asked for, else None.
    """

    def __init__(
        self,
        settings: RegistrarSettings,
        socket_index: Callable[[str], int | None],
        way: Callable[[Binding], tuple[str, str] | None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._socket_index = socket_index
        self._way = way

    def set_main(self, binding: Binding) -> None:
        """The main destination: request-URI, next hop, Route, branch flags, socket, q."""
        _engine.set_destination(*self._target(binding))
        _engine.set_binding(True, binding.ruid, binding.user_agent, binding.instance, binding.reg_id)

    def append(self, binding: Binding) -> None:
        """One more destination."""
        _engine.append_branch(*self._target(binding))
        _engine.set_binding(False, binding.ruid, binding.user_agent, binding.instance, binding.reg_id)

    def _target(self, binding: Binding) -> tuple[str, str | None, str | None, int, int | None, int | None]:
        q = None if binding.q == NO_Q else binding.q
        way = self._way(binding)
        if way is not None:
            return way[0], way[1], None, binding.cflags, None, q
        path = self._path(binding.path) if binding.path else ""
        # The first proxy of the path, or the NAT that the contact is behind.
        next_hop = path.partition("<")[2].partition(">")[0] if path else binding.received
        socket = self._socket_index(binding.socket)
        return binding.uri, next_hop or None, path or None, binding.cflags, socket, q

    def _path(self, path: str) -> str:
        """With `path_check_local` without a first hop that is this server itself."""
        if not self._settings.path_check_local:
            return path
        first, _, rest = path.partition(">")
        return rest.lstrip(" ,") if _engine.core_is_myself(first.partition("<")[2]) else path


def where(uri: str) -> tuple[str, str, int]:
    """Transport, host and port of a URI that is an address."""
    rest = uri.partition(":")[2].partition("?")[0]
    address, _, params = rest.rpartition("@")[2].partition(";")
    found = {name.lower(): value.lower() for name, _, value in (p.partition("=") for p in params.split(";"))}
    proto = found.get("transport", "udp")
    host, colon, port = address.rpartition(":") if not address.endswith("]") else (address, "", "")
    number = decimal(port, 65_535) if colon else None
    if number is None:
        return proto, host or address, 5061 if proto == "tls" else 5060
    return proto, host, number


def is_same_host(one: str, other: str) -> bool:
    """Whether both are the same address; IPv6 may be in brackets."""
    try:
        return ip_address(one.strip("[]")) == ip_address(other.strip("[]"))
    except ValueError:
        return False
