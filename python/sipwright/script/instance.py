"""One loaded instance of the routing script: its modules, and the handler object whose methods are the routes.

The rules are those of Kamailio's app_python3: `mod_init()` returns the handler, `handler.child_init(rank)` is called
once in each worker and returns an int that is not negative. A script without `mod_init` that has a function
`ksr_request_route()` is taken as one for app_python3s: its routes are functions without `self` and `msg`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from sipwright.script.errors import ScriptError, failure_text
from sipwright.script.idle import does_nothing
from sipwright.script.modules import ModuleSet
from sipwright.settings.model import ScriptSettings

RANK_MAIN = 0
REQUEST_ROUTE = "ksr_request_route"
REPLY_ROUTE = "ksr_reply_route"
ONSEND_ROUTE = "ksr_onsend_route"


class FunctionHandler:
    """Makes the global functions of a script look like the methods of a handler object."""

    def __init__(self, module: ModuleType, renamed: Mapping[str, str]) -> None:
        self._module = module
        self._renamed = renamed

    def function(self, name: str) -> Any:
        """The script's function for a route or another method; None when there is none."""
        return getattr(self._module, self._renamed.get(name, name), None)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = self.function(name)
        if name.startswith("__") or not callable(function):
            raise AttributeError(name)

        def route(_message: object, *event: str) -> Any:
            return function(*event)

        self.__dict__[name] = route
        return route


class RenamedHandler:
    """A handler some of whose routes have other names than the usual ones; `renamed` maps these to theirs."""

    def __init__(self, handler: Any, renamed: dict[str, str]) -> None:
        self._handler = handler
        self._renamed = renamed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, self._renamed.get(name, name))


@dataclass(slots=True)
class Instance:
    """A script that was loaded and whose `mod_init` has run."""

    modules: ModuleSet
    module: ModuleType
    handler: Any
    settings: ScriptSettings
    ranks: set[int] = field(default_factory=set)

    @classmethod
    def load(cls, settings: ScriptSettings) -> "Instance":
        """Loads the script of the settings and runs `mod_init`; ScriptError says what failed, with file and line."""
        assert settings.path is not None
        modules = ModuleSet(settings.path)
        with _telling(f"{settings.path}: loading failed"):
            module = modules.load()
        with _telling(f"{settings.path}: {settings.mod_init}() failed"), fake_context():
            handler = _make_handler(module, settings)
        return cls(modules, module, handler, settings)

    def child_init(self, rank: int) -> None:
        """Calls `child_init(rank)`; ScriptError when it is missing, raises, or returns no int or a negative one."""
        where, name = self.settings.path, self.settings.child_init
        if isinstance(self.handler, FunctionHandler):
            method = getattr(self.module, name, None)
            if method is None:
                return
        else:
            method = getattr(self.handler, name, None)
        if not callable(method):
            raise ScriptError(f"{where}: the handler {type(self.handler).__name__} has no method {name}(rank)")
        with _telling(f"{where}: {name}({rank}) failed"), fake_context():
            result = method(rank)
        if not isinstance(result, int):
            raise ScriptError(f"{where}: {name}({rank}) must return an int, not {type(result).__name__}")
        if result < 0:
            raise ScriptError(f"{where}: {name}({rank}) returned {result}, which stops the start")
        self.ranks.add(rank)

    def check_routes(self) -> None:
        """ScriptError when the handler lacks what the server will call: the request route and `child_init`."""
        needed = [f"{REQUEST_ROUTE}(msg)"]
        if not isinstance(self.handler, FunctionHandler):
            needed.append(f"{self.settings.child_init}(rank)")
        for signature in needed:
            if not self.has_route(signature.partition("(")[0]):
                handler = type(self.handler).__name__
                shown = signature.replace(REQUEST_ROUTE, self.settings.request_route)
                raise ScriptError(f"{self.settings.path}: the handler {handler} has no method {shown}")

    def has_route(self, name: str) -> bool:
        """Whether the handler has a route of that name."""
        return callable(getattr(self.handler, name, None))

    def needs_route(self, name: str) -> bool:
        """Whether the handler has a route of that name that does something, and the settings do not leave it out."""
        if (name == REPLY_ROUTE and not self.settings.reply_route) or (
            name == ONSEND_ROUTE and not self.settings.onsend_route
        ):
            return False
        is_function = isinstance(self.handler, FunctionHandler)
        route = self.handler.function(name) if is_function else getattr(self.handler, name, None)
        return callable(route) and not does_nothing(route)


def _make_handler(module: ModuleType, settings: ScriptSettings) -> Any:
    init = getattr(module, settings.mod_init, None)
    renamed = _renamed(settings)
    if init is None and callable(getattr(module, settings.request_route, None)):
        return FunctionHandler(module, renamed)
    if not callable(init):
        raise ScriptError(f"{settings.path}: has no function {settings.mod_init}(), which makes the handler object")
    handler = init()
    if handler is None:
        line = getattr(getattr(init, "__code__", None), "co_firstlineno", 1)
        raise ScriptError(
            f"{settings.path}:{line}: {settings.mod_init}() returned None; it must return the handler object"
        )
    return RenamedHandler(handler, renamed) if renamed else handler


def _renamed(settings: ScriptSettings) -> dict[str, str]:
    """The routes to which the settings give other names, by the name that the engine calls."""
    given = {
        REQUEST_ROUTE: settings.request_route,
        REPLY_ROUTE: settings.reply_route,
        ONSEND_ROUTE: settings.onsend_route,
    }
    return {usual: name for usual, name in given.items() if name and name != usual}


@contextmanager
def fake_context() -> Iterator[None]:
    """Gives KSR functions a message to work on outside of any route, as Kamailio does."""
    try:
        from sipwright import _engine
    except ImportError:
        yield
        return
    begin, end = getattr(_engine, "begin_fake", None), getattr(_engine, "end_fake", None)
    if begin is None or end is None:
        yield
        return
    begin()
    try:
        yield
    finally:
        end()


@contextmanager
def _telling(what: str) -> Iterator[None]:
    try:
        yield
    except ScriptError:
        raise
    # SystemExit too: a script that calls exit() while it is loaded must not end the server without a word.
    except (Exception, SystemExit) as error:
        raise ScriptError(f"{what}: {failure_text(error)}") from error
