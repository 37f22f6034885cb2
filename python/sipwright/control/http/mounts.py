"""What the modules add to the HTTP service."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from sipwright.host import Host


@dataclass(frozen=True, slots=True)
class HttpContext:
    """What a route gets to work with, in the thread of HTTP.

    `call(method, params)` runs a control method as the control socket does, beside or in the control loop, and returns its
    result; it raises RpcError. `is_closed()` says whether the service ends: what streams has a second to end too.
    """

    host: "Host"
    call: Callable[[str, Any], Awaitable[Any]]
    is_closed: Callable[[], bool]


MakeRoutes = Callable[[HttpContext], "Iterable[BaseRoute]"]


class Mounts:
    """Who has routes to add, in the order in which they are tried."""

    def __init__(self) -> None:
        self._makers: list[MakeRoutes] = []

    def mount(self, make: MakeRoutes) -> None:
        """Has `make(context)` called once, in the thread of HTTP, when the first connection comes; it returns starlette's
        routes, WebSocket routes and mounts. It should import starlette only then.

        The guard is in front of all of them: their handlers run for those who may control the server.
        """
        self._makers.append(make)

    def routes(self, context: HttpContext) -> "list[BaseRoute]":
        """All of them."""
        return [route for make in self._makers for route in make(context)]
