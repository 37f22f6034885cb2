"""What the recording of calls shows of scripts: KSR functions written in Python, and exceptions.

Builtins are recorded by the engine (crates/py/src/ksr/effects.rs).
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

try:
    from sipwright import _engine
except ImportError:  # the extension is not built: unit tests of pure Python
    _engine = None  # type: ignore[assignment]

LONGEST_ARGUMENT: Final = 80
_TO_HOST: Final = re.compile(r'[^\s<>"@]*@')
# Modules whose functions act, all but those that begin with one of these words.
_ACTING: Final = frozenset(
    {"acc", "async", "dispatcher", "exec", "http_async_client", "http_client", "jsonrpcs", "registrar", "rtpengine"}
    | {"rtpproxy", "siptrace", "speeddial", "alias_db", "uac", "auth", "auth_db", "auth_ephemeral", "dialog", "mqueue"}
    | {"permissions", "pike", "pipelimit", "ratelimit", "nathelper", "domain", "group", "uri_db"}
)
_LOOKING: Final = ("get", "var_", "ulc_", "mqk_", "mqv_", "mq_size", "mq_pv", "has_", "dlg_get", "dlg_isflag")
# Arguments that are secrets, by their place from 0.
_SECRETS: Final = {
    "auth.pv_www_authenticate": (1,),
    "auth.pv_www_authenticate_method": (1,),
    "auth.pv_proxy_authenticate": (1,),
    "auth.pv_auth_check": (1,),
    "http_client.query_post_hdrs": (2,),
    "http_client.query_request": (2,),
}


def is_recorded(name: str) -> bool:
    """Whether calls of a KSR function that is written in Python are recorded."""
    module, _, function = name.partition(".")
    return module in _ACTING and not function.startswith(_LOOKING)


def recorded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, recorded under that name while the engine records."""
    secrets = _SECRETS.get(name, ())
    shown = f"KSR.{name}"

    def call(*args: Any) -> Any:
        began = _engine.record_begin()
        if began is None:
            return function(*args)
        result: object = _RAISED
        try:
            result = function(*args)
        finally:
            _engine.record_call(began, shown, arguments(args, secrets), _text(result))
        return result

    return call


def arguments(args: Iterable[object], secrets: tuple[int, ...] = ()) -> str:
    """Arguments as a script writes them, shortened, secrets left out."""
    return ", ".join("***" if index in secrets else _text(value) for index, value in enumerate(args))


def error(place: str, text: str) -> None:
    """Records an exception of the script with its traceback."""
    if _engine is not None:
        _engine.record_error(place, text)


class _Raised:
    def __repr__(self) -> str:
        return "raised"


_RAISED: Final = _Raised()


def _text(value: object) -> str:
    if isinstance(value, str):
        return f'"{_shortened(value)}"'
    return _shortened(repr(value))


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_ARGUMENT:
        return text
    # The engine masks a password by the "@" behind it, which is kept for that.
    host = _TO_HOST.match(text, LONGEST_ARGUMENT)
    return f"{text[: host.end() if host else LONGEST_ARGUMENT]}..."
