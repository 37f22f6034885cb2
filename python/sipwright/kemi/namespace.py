"""Builds the module `KSR` that routing scripts import.

`KSR` and its parts, such as `KSR.tm`, are real modules: `dir`, `hasattr`, `vars` and `import KSR.pv` work. Builtins
are those that the engine lists (its `tm_t_relay` is `KSR.tm.t_relay`, `core_info` is `KSR.info`); the functions that
are written in Python are those in `__all__` of the module of that name beside this file.
"""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, Final

from sipwright.kemi import known

# app_python3 of Kamailio has it, and scripts print it.
KEMI_VERSION: Final = 1003
PYTHON_MODULES: Final = (
    "acc",
    "alias_db",
    "app_python3",
    "async",
    "auth",
    "auth_db",
    "auth_ephemeral",
    "cfgutils",
    "corex",
    "counters",
    "debugger",
    "dialog",
    "dispatcher",
    "dmq",
    "domain",
    "exec",
    "group",
    "htable",
    "http_async_client",
    "http_client",
    "ipops",
    "jsonrpcs",
    "kex",
    "log_systemd",
    "mqueue",
    "nathelper",
    "permissions",
    "pike",
    "pipelimit",
    "pv",
    "ratelimit",
    "registrar",
    "rtimer",
    "rtpengine",
    "rtpproxy",
    "sdpops",
    "sipjson",
    "siptrace",
    "speeddial",
    "sqlops",
    "statistics",
    "uac",
    "uri_db",
    "usrloc",
    "websocket",
    "x",
)

Functions = dict[str, dict[str, Callable[..., Any]]]


# Parts of `KSR` that belong to Kamailio's core, and modules whose parts have other names than they have.
_CORE_PARTS: Final = frozenset({"", "hdr", "pv", "x"})
_PARTS: Final = {"kemix": ("kx",), "pv": ("pv", "pvx")}


def install(engine: ModuleType, modules: Iterable[str] | None = None) -> ModuleType:
    """Builds `KSR` over the builtins of `engine` and makes it importable, with its parts. Returns it.

    With `modules` it has the functions of the core and of these modules of Kamailio's only.
    """
    sources = [builtins_of(engine), python_functions()]
    module = build(*visible(modules, *sources), hidden=hidden(modules, *sources))
    for name in [name for name in sys.modules if name.startswith("KSR.")]:
        del sys.modules[name]
    sys.modules["KSR"] = module
    for name, part in vars(module).items():
        if isinstance(part, ModuleType):
            sys.modules[f"KSR.{name}"] = part
    return module


def visible(modules: Iterable[str] | None, *sources: Functions) -> list[Functions]:
    """The functions of the core and of these modules of Kamailio's; all of them for None."""
    if modules is None:
        return list(sources)
    parts = _CORE_PARTS.union(*(provided_by(module) for module in modules))
    return [{name: found for name, found in source.items() if name in parts} for source in sources]


def hidden(modules: Iterable[str] | None, *sources: Functions) -> dict[str, str]:
    """The parts of `KSR` that `visible` leaves out, each with the module that would bring it."""
    if modules is None:
        return {}
    shown = {name for source in visible(modules, *sources) for name in source}
    owners = {part: module for module, parts in _PARTS.items() for part in parts}
    return {name: owners.get(name, name) for source in sources for name in source if name not in shown}


def provided_by(module: str) -> tuple[str, ...]:
    """The parts of `KSR` that a module of Kamailio's brings: `("kx",)` for kemix."""
    return _PARTS.get(module, (module,))


def offered_modules() -> frozenset[str]:
    """The parts of `KSR` that there are: `tm`, `kx`, ..."""
    from sipwright import _engine

    return frozenset({module for module, *_ in _engine.ksr_functions()} | set(PYTHON_MODULES)) - {"core"}


def build(*sources: Functions, hidden: Mapping[str, str] = MappingProxyType({})) -> ModuleType:
    """`KSR` with all functions of the sources, which map a module's name ("" for the core) to its functions.

    `hidden` are the parts that are left out, for what an access to one says.
    """
    merged: Functions = {}
    for source in sources:
        for name, found in source.items():
            merged.setdefault(name, {}).update(found)
    names = [f"{module}.{name}".lstrip(".") for module, found in merged.items() for name in found]
    core = _module("KSR", "", merged.pop("", {}), names, hidden)
    core.__dict__["__version__"] = KEMI_VERSION
    core.__path__ = []
    for name, found in merged.items():
        core.__dict__[name] = _module(f"KSR.{name}", f"{name}.", found, names)
    return core


def builtins_of(engine: ModuleType) -> Functions:
    """The engine's KSR functions, by module ("" for the core) and name; `KSR.tm.t_relay` is its `tm_t_relay`."""
    found: Functions = {}
    for module, name, *_ in engine.ksr_functions():
        found.setdefault("" if module == "core" else module, {})[name] = getattr(engine, f"{module}_{name}")
    return found


def python_functions(modules: Iterable[str] = PYTHON_MODULES) -> Functions:
    """The KSR functions of the modules of this package, by module and name."""
    found: Functions = {}
    for name in modules:
        module = importlib.import_module(f"sipwright.kemi.{name}")
        if not module.__all__:
            # A module for the host alone: Kamailio's has no functions for scripts.
            continue
        found[name] = {function: getattr(module, function) for function in module.__all__}
    return found


def implemented(module: ModuleType) -> list[str]:
    """Dotted names of all functions of a built `KSR`."""
    names: list[str] = []
    for name in dir(module):
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            names += [f"{name}.{inner}" for inner in dir(value) if not inner.startswith("__")]
        elif not name.startswith("__"):
            names.append(name)
    return names


def _module(
    name: str,
    prefix: str,
    functions: dict[str, Callable[..., Any]],
    names: list[str],
    hidden: Mapping[str, str] = MappingProxyType({}),
) -> ModuleType:
    module = ModuleType(name, f"KSR functions of Kamailio's {prefix.rstrip('.') or 'core'}.")

    def missing(attribute: str) -> Any:
        # Python asks for dunder names of modules all the time; those are no KSR names.
        if attribute.startswith("__"):
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        raise AttributeError(known.why_missing(prefix + attribute, names, hidden), name=attribute, obj=module)

    def listing() -> list[str]:
        return sorted(key for key in module.__dict__ if key not in ("__getattr__", "__dir__"))

    # Functions in the module's dictionary (PEP 562), not a subclass: CPython looks attributes of plain modules up faster.
    module.__dict__.update(functions, __getattr__=missing, __dir__=listing)
    return module
