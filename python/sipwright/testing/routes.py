"""What the script's routes did: which ran, for what, and what they raised."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sipwright import _engine
from sipwright.script.worker import call_for_event

if TYPE_CHECKING:
    from sipwright.testing.message import SipMessage

# A route with the name of an event gets two arguments.
_WITH_EVENT = 2


@dataclass(slots=True)
class RouteCall:
    """One call of a route by the engine. `method` is that of the request, or of the CSeq of a response.

    `values` are those of the variables that the test watches, as they were when the route ended.
    """

    name: str
    event: str | None
    method: str
    status: int
    call_id: str
    cseq: int
    time_s: float
    values: dict[str, str | int | None] = field(default_factory=dict)
    error: BaseException | None = None

    def is_of(self, request: "SipMessage") -> bool:
        """Whether it ran for a request, or for a response to it or a failure of it."""
        return self.method == request.method and self.cseq == request.cseq


class Routes:
    """The calls so far. `watched` are pseudo-variables to be read at the end of each."""

    def __init__(self, now_s: Callable[[], float], ran: Callable[[str], object]) -> None:
        self.calls: list[RouteCall] = []
        self.watched: list[str] = []
        self.errors: list[BaseException] = []
        self._now_s = now_s
        self._ran = ran

    def wrap(self, handler: Any) -> Any:
        """The handler with its routes noted as the engine calls them."""
        return _Watched(handler, self)

    def run(self, name: str, route: Callable[..., Any], *args: Any) -> Any:
        """Calls a route and notes it."""
        call = self._begin(name, *args)
        try:
            if call.event is not None:
                return call_for_event(route, args[0], call.event)
            return route(*args)
        except SystemExit:
            raise
        except BaseException as error:
            call.error = error
            self.errors.append(error)
            raise
        finally:
            call.values = {one: _engine.pv_get(one) for one in self.watched}

    def _begin(self, name: str, *args: Any) -> RouteCall:
        message = args[0] if args and isinstance(args[0], _engine.Message) else _engine.current()
        event = args[1] if len(args) == _WITH_EVENT and isinstance(args[1], str) else None
        is_reply = message.Type == "SIP_REPLY"
        method = str(_engine.pv_get("$rm") or "")
        status = int(message.Status) if is_reply else 0
        call = RouteCall(name, event, method, status, message.call_id, message.cseq, self._now_s())
        self.calls.append(call)
        self._ran(name)
        return call


class _Watched:
    """A handler whose methods are noted."""

    def __init__(self, handler: Any, routes: Routes) -> None:
        self.__dict__.update(_handler=handler, _routes=routes)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._handler, name)
        if not callable(found) or name.startswith("__"):
            return found
        return lambda *args: self._routes.run(name, found, *args)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._handler, name, value)
