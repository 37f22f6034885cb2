"""Shared variables of the settings, and their control methods; the functions of KSR.pv are builtins."""

from typing import TYPE_CHECKING, Any

from sipwright import _engine
from sipwright.control.rpc import RpcError
from sipwright.settings.requests import initial

if TYPE_CHECKING:
    from sipwright.host import Host

__all__: list[str] = []

_UNKNOWN = 404
_WRONG = 500


def configure(host: "Host") -> None:
    """Gives shared variables the values of the settings; adds `pv.shvGet` and `pv.shvSet`."""
    _engine.clear_shared_vars()
    for line in host.settings.pv.shvset:
        _engine.set_shared_var(*initial(line))
    host.rpc.add("pv.shvGet", shv_get)
    host.rpc.add("pv.shvSet", shv_set)


def shv_get(name: str = "") -> Any:
    """pv.shvGet: one shared variable, or all."""
    shared = _engine.shared_vars()
    if name:
        return _row(name, shared[_known(name, shared)])
    return {"items": [{"shv": _row(key, value)} for key, value in shared.items()]}


def shv_set(name: str, kind: str, value: str | int) -> str:
    """pv.shvSet: sets a shared variable that there is; `kind` is int or str."""
    _known(name, _engine.shared_vars())
    if kind not in ("int", "str"):
        raise RpcError(_WRONG, "Unknown parameter type (Types: int or str)")
    try:
        _engine.set_shared_var(name, int(value) if kind == "int" else str(value))
    except ValueError:
        raise RpcError(_WRONG, f"{value!r} is no number") from None
    return "Ok. Variable set to new value."


def _known(name: str, shared: dict[str, str | int]) -> str:
    if name not in shared:
        raise RpcError(_UNKNOWN, "Variable not found")
    return name


def _row(name: str, value: str | int) -> dict[str, str | int]:
    return {"name": name, "type": "int" if isinstance(value, int) else "string", "value": value}
