"""What `sipwright check --strict` finds beyond certain mistakes: values that may be None or are of another type than a
KSR function takes, and calls that can do nothing in the routes that they are reached from.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType, NoneType
from typing import Final

from sipwright.kemi import known

REQUEST: Final = "request"
REPLY: Final = "reply"
ON_REPLY: Final = "t_on_reply"
FAILURE: Final = "failure"
BRANCH: Final = "branch"
BRANCH_FAILURE: Final = "branch failure"
ONSEND: Final = "onsend"
# The routes that are called by their own names, and functions whose first argument names one.
_ROOTS: Final = {"ksr_request_route": REQUEST, "ksr_reply_route": REPLY, "ksr_onsend_route": ONSEND}
_NAMING: Final = {
    "t_on_failure": FAILURE,
    "t_on_reply": ON_REPLY,
    "t_on_branch": BRANCH,
    "t_on_branch_failure": BRANCH_FAILURE,
}
_NO_REQUEST: Final = "there is no request to answer"
_NO_FORWARDING: Final = "responses go where their Via says"
# Functions and the kinds of routes in which they fail, with the reason; tests call each of them there.
WITHOUT_EFFECT: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "sl.send_reply": dict.fromkeys((REPLY, BRANCH, ONSEND), _NO_REQUEST),
        "sl.sl_send_reply": dict.fromkeys((REPLY, ON_REPLY), _NO_REQUEST),
        "sl.sl_reply_error": dict.fromkeys((REPLY, BRANCH, ONSEND), _NO_REQUEST),
        "tm.t_reply": dict.fromkeys((BRANCH, ONSEND), "the transaction is being forwarded"),
        "tm.t_relay": dict.fromkeys((REPLY, ON_REPLY), _NO_FORWARDING),
        "forward": dict.fromkeys((REPLY, ON_REPLY), _NO_FORWARDING),
        "tm.t_replicate": dict.fromkeys((REPLY, ON_REPLY), _NO_FORWARDING),
        "tm.t_newtran": {REPLY: "a response makes no transaction"},
        "tmx.t_suspend": dict.fromkeys((REPLY, BRANCH, ONSEND), "only requests and t_on_reply routes can wait"),
        "registrar.lookup": dict.fromkeys((REPLY, ON_REPLY), "a response has no Request-URI to look up"),
        "auth.auth_challenge": dict.fromkeys((REPLY, BRANCH, ONSEND), _NO_REQUEST),
    }
)
# They give an empty text or `<null>` instead.
_NEVER_NONE: Final = frozenset({"pv.gete", "pv.getw", "pv.getvs", "pv.getvn"})
# Functions of Python whose result has one type.
_BUILTINS: Final = {"str": str, "int": int, "len": int, "repr": str, "float": float, "list": list, "dict": dict}
_RESULTS: Final[dict[str, type]] = {"int": int, "bool": bool}


def type_of(node: ast.expr, dotted: Callable[[ast.expr], str | None]) -> type | None:
    """The type of an expression's value, as far as it shows; NoneType for a KSR function whose value may be None.

    `dotted` gives the name of a KSR function that is called.
    """
    if isinstance(node, ast.Constant):
        return type(node.value)
    if isinstance(node, ast.JoinedStr):
        return str
    if isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Set):
        return {ast.List: list, ast.Tuple: tuple, ast.Dict: dict, ast.Set: set}[type(node)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        left = type_of(node.left, dotted)
        return str if left is str else None
    if not isinstance(node, ast.Call):
        return None
    name = dotted(node.func)
    if name is not None:
        signature = known.functions().get(name)
        if signature is None:
            return None
        return NoneType if signature.returns == "xval" and name not in _NEVER_NONE else _RESULTS.get(signature.returns)
    return _BUILTINS.get(node.func.id) if isinstance(node.func, ast.Name) else None


def route_kinds(trees: Iterable[ast.Module]) -> dict[str, set[str]]:
    """The kinds of routes that each function of a script is reached from, by the functions' names."""
    calls: dict[str, set[str]] = {}
    kinds: dict[str, set[str]] = {name: {kind} for name, kind in _ROOTS.items()}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                calls.setdefault(node.name, set()).update(_called(node))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                kind, first = _NAMING.get(node.func.attr), node.args[0]
                if kind and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    kinds.setdefault(first.value, set()).add(kind)
    waiting = list(kinds)
    while waiting:
        name = waiting.pop()
        for called in calls.get(name, ()):
            if called in calls and not kinds[name] <= kinds.setdefault(called, set()):
                kinds[called] |= kinds[name]
                waiting.append(called)
    return {name: found for name, found in kinds.items() if name in calls}


def _called(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id
            elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                yield node.func.attr


def useless(dotted: str, kinds: set[str]) -> str | None:
    """Why a function does nothing in any of these kinds of routes; None if it does something in one, or nobody calls it."""
    refused = WITHOUT_EFFECT.get(dotted)
    if refused is None or not kinds or not all(kind in refused for kind in kinds):
        return None
    kind = sorted(kinds)[0]
    return f"KSR.{dotted} does nothing in a {kind} route: {refused[kind]}"
