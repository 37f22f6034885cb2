"""What happens around bindings: their sockets and connections, and events when they end."""

from typing import TYPE_CHECKING, Final

from sipwright import log
from sipwright._engine import Binding
from sipwright.modules import ulc
from sipwright.modules.usrloc import Location
from sipwright.settings.listen import socket_text

if TYPE_CHECKING:
    from sipwright._engine import Engine
    from sipwright.host import Host

EXPIRED: Final = "usrloc:contact-expired"
EXPIRED_PROFILE: Final = "exp"


class Sockets:
    """Our sockets by the name that bindings have them by, `proto:address:port`."""

    def __init__(self, engine: "Engine | None") -> None:
        self._engine = engine
        self._ids: dict[str, int] = {}

    def index(self, name: str) -> int | None:
        """The engine's number of a socket; None when it is none of ours."""
        if not self._ids and self._engine is not None:
            names = (socket_text(*socket) for socket in self._engine.sockets())
            self._ids = {name: index for index, name in enumerate(names)}
        return self._ids.get(name)


class Events:
    """What the sweep does about bindings that have ended, and about connections that are gone."""

    def __init__(self, host: "Host", sockets: Sockets) -> None:
        self._host = host
        self._sockets = sockets
        self._settings = host.settings.usrloc
        self._callback = host.settings.registrar.event_callback

    def ended(self, table: Location, binding: Binding) -> None:
        """A binding has ended: its connection and the script learn of it."""
        engine = self._host.engine
        if self._callback:
            profile = ulc.Profile(table.name, binding.aor, [binding])
            self._host.call(lambda: self._tell(profile))
        if binding.connection and self._settings.close_expired_tcp and engine is not None:
            engine.close_connection(binding.connection)

    def _tell(self, profile: ulc.Profile) -> None:
        ulc.keep(EXPIRED_PROFILE, profile)
        self._host.run_route(self._callback, EXPIRED)
        ulc.free(EXPIRED_PROFILE)

    def drop_lost_connections(self, table: Location) -> int:
        """With `handle_lost_tcp`: removes the bindings whose connection is gone; their number."""
        engine = self._host.engine
        if not self._settings.handle_lost_tcp or engine is None:
            return 0
        open_now = {row[0] for row in engine.connections()}
        dropped = 0
        for page in table.pages(connected=True):
            for binding in page:
                if binding.connection not in open_now and table.remove(binding):
                    dropped += 1
                    self.ended(table, binding)
        if dropped:
            log.info(f"usrloc: {dropped} bindings of {table.name} went with their connections")
        return dropped
