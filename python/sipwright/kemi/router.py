"""`Router.Logger`, `Router.Ranks` and `Router.Core`: modules that Kamailio had up to 5.8 and that scripts still import."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Final

from sipwright import log

LEVELS: Final = {
    "L_ALERT": -5,
    "L_BUG": -4,
    "L_CRIT2": -3,
    "L_CRIT": -2,
    "L_ERR": -1,
    "L_WARN": 0,
    "L_NOTICE": 1,
    "L_INFO": 2,
    "L_DBG": 3,
}
RANKS: Final = {
    "PROC_MAIN": 0,
    "PROC_TIMER": -1,
    "PROC_RPC": -2,
    "PROC_FIFO": -2,
    "PROC_TCP_MAIN": -4,
    "PROC_UNIXSOCK": -5,
    "PROC_ATTENDANT": -10,
    "PROC_INIT": -127,
    "PROC_NOCHLDINIT": -128,
    "PROC_SIPINIT": 1,
    "PROC_MIN": -128,
}
DEFAULT_FACILITY: Final = -1


def install() -> None:
    """Makes `import Router.Logger`, `Router.Ranks` and `Router.Core` work."""
    router = _module("Router", {})
    router.__path__ = []
    parts = {"Logger": _logger(), "Ranks": _module("Router.Ranks", dict(RANKS)), "Core": _module("Router.Core", {})}
    sys.modules["Router"] = router
    for name, part in parts.items():
        setattr(router, name, part)
        sys.modules[f"Router.{name}"] = part


def _logger() -> ModuleType:
    content: dict[str, object] = {**LEVELS, "DEFAULT_FACILITY": DEFAULT_FACILITY}
    for name, level in LEVELS.items():
        content["LM_" + name.removeprefix("L_")] = _writer(level)
    content["LM_GEN1"] = lambda level, text: log.write(level, text)
    content["LM_GEN2"] = lambda facility, level, text: log.write(level, text)
    return _module("Router.Logger", content)


def _writer(level: int) -> Callable[[str], None]:
    return lambda text: log.write(level, text)


def _module(name: str, content: dict[str, object]) -> ModuleType:
    module = ModuleType(name, "Kept for scripts written for Kamailio 5.")
    module.__dict__.update(content)
    return module
