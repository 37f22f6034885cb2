"""JSON-RPC 2.0 over the methods that other files register; no I/O."""

import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any, Final

from sipwright import log
from sipwright.control.background import in_thread
from sipwright.nearest import nearest

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
FAILED: Final = -32000

_NO_REQUEST: Final = 'the request must be an object with "jsonrpc", "method" and "id", a text or a number'

Method = Callable[..., Any]


class RpcError(Exception):
    """An error that the caller is told: its code and text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Rpc:
    """The methods by name, and the dispatch of a request to one of them."""

    def __init__(self) -> None:
        self._methods: dict[str, tuple[Method, bool]] = {}

    def add(self, name: str, method: Method, *, blocking: bool = False) -> None:
        """Registers a method; a `blocking` one runs in a thread of its own, beside the control loop."""
        self._methods[name] = method, blocking

    def names(self) -> list[str]:
        """All method names."""
        return sorted(self._methods)

    def help(self, name: str) -> str | None:
        """What a method does: the first paragraph of its docstring, empty without one; None for no method."""
        if name not in self._methods:
            return None
        method = self._methods[name][0]
        text = inspect.getdoc(getattr(method, "func", method)) or ""
        return " ".join(text.partition("\n\n")[0].split())

    async def handle(self, text: bytes | str) -> str | None:
        """Answers one request, or an array of them; None when they were notifications."""
        try:
            request = json.loads(text)
        except (ValueError, RecursionError):
            return json.dumps(_error(None, PARSE_ERROR, "the request is not JSON"))
        if isinstance(request, list) and request:
            answers = [answer for item in request if (answer := await self._one(item)) is not None]
            return f"[{', '.join(map(_written, answers))}]" if answers else None
        answer = await self._one(request)
        return None if answer is None else _written(answer)

    async def call(self, name: str, params: Any = ()) -> Any:
        """The result of one method. Raises RpcError."""
        return await self._call(name, list(params) if isinstance(params, tuple) else params)

    def call_here(self, request: Any) -> dict[str, Any]:
        """Carries out one request in the thread that calls, and answers it even without an `id`. What is no request is
        answered with an error.
        """
        if not _is_request(request):
            return _error(None, INVALID_REQUEST, _NO_REQUEST)
        identity = {"id": request["id"]} if "id" in request else {}
        try:
            found, arguments, named = self._found(request["method"], request.get("params", []))
            with _told(request["method"]):
                return {"jsonrpc": "2.0", "result": found[0](*arguments, **named), **identity}
        except RpcError as error:
            answer = _error(None, error.code, str(error))
            del answer["id"]
            return {**answer, **identity}

    async def _one(self, request: Any) -> dict[str, Any] | None:
        if not _is_request(request):
            return _error(None, INVALID_REQUEST, _NO_REQUEST)
        identity = request.get("id")
        try:
            result = await self._call(request["method"], request.get("params", []))
        except RpcError as error:
            answer = _error(identity, error.code, str(error))
        else:
            answer = {"jsonrpc": "2.0", "result": result, "id": identity}
        return answer if "id" in request else None

    async def _call(self, name: str, params: Any) -> Any:
        (method, blocking), arguments, named = self._found(name, params)
        with _told(name):
            if blocking:
                return await in_thread(method, *arguments, **named)
            return method(*arguments, **named)

    def _found(self, name: str, params: Any) -> tuple[tuple[Method, bool], list[Any], dict[str, Any]]:
        found = self._methods.get(name)
        if found is None:
            near = nearest(name, self.names())
            hint = f"did you mean {' or '.join(near)}?" if near else "rpc.list tells what there is"
            raise RpcError(METHOD_NOT_FOUND, f"there is no method {name}; {hint}")
        if not isinstance(params, list | dict):
            raise RpcError(INVALID_PARAMS, "params must be an array or an object")
        arguments, named = (params, {}) if isinstance(params, list) else ([], params)
        return found, *fitted(found[0], arguments, named)


def _is_request(request: Any) -> bool:
    """Whether it is an object with a method, and an id that an answer can repeat: a text, a number or null."""
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return False
    identity = request.get("id")
    return identity is None or isinstance(identity, str | int) or (isinstance(identity, float) and isfinite(identity))


def _written(answer: dict[str, Any]) -> str:
    """An answer as JSON; where a result cannot be written (infinity, an object), an error that says so."""
    try:
        return json.dumps(answer, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return json.dumps(_error(answer.get("id"), INTERNAL_ERROR, f"the result is no JSON: {error}"))


def fitted(method: Method, arguments: list[Any], named: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments as the types that the method's parameters are annotated with: clients such as kamcmd and shells do
    not know whether `1001` is a number or the name of a user. Raises RpcError for arguments that do not fit.
    """
    try:
        signature = inspect.signature(method)
    except ValueError:  # a function of the extension
        return arguments, named
    try:
        bound = signature.bind(*arguments, **named)
    except TypeError as error:
        raise RpcError(INVALID_PARAMS, str(error)) from None
    for name, value in bound.arguments.items():
        place = signature.parameters[name]
        if place.kind not in (place.VAR_POSITIONAL, place.VAR_KEYWORD):
            bound.arguments[name] = _typed(value, place)
    return list(bound.args), bound.kwargs


def _typed(value: Any, place: inspect.Parameter) -> Any:
    wanted = place.annotation
    if wanted is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    kind = next((kind for kind in (int, float) if wanted in (kind, kind | None)), None)
    if kind is None or not isinstance(value, str):
        return value
    try:
        return kind(value)
    except ValueError:
        raise RpcError(INVALID_PARAMS, f"{place.name} must be a number") from None


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What a method raises, as an error that the caller is told."""
    try:
        yield
    except RpcError:
        raise
    except TypeError as error:
        raise RpcError(INVALID_PARAMS, str(error)) from error
    except Exception as error:
        log.error(f"control: {name} failed: {type(error).__name__}: {error}")
        raise RpcError(INTERNAL_ERROR, f"{type(error).__name__}: {error}") from error


def _error(identity: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": identity}
