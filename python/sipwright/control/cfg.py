"""Control methods of Kamailio's module cfg_rpc: settings, by section and name.

Names are those of our settings; Kamailio's parameter names are understood too. What can be changed here is the log level
(`core`, `debug`), until it is reset; everything else is shown, and a change is refused with the reason.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sipwright import _engine, log
from sipwright.control.core import debug
from sipwright.control.rpc import Rpc, RpcError
from sipwright.settings.live import SECRETS, is_live
from sipwright.settings.model import Settings

if TYPE_CHECKING:
    from sipwright.server import Server

_CORE: Final = "core"
_DEBUG: Final = "debug"
_UNITS: Final = ("", "_s", "_ms", "_bytes")
# That of a URL.
_PASSWORD: Final = re.compile(r"://[^\s/@:]*:[^\s/@]+@")


def register(rpc: Rpc, server: "Server") -> None:
    """Adds the methods."""
    rpc.add("cfg.list", partial(names, server))
    rpc.add("cfg.get", partial(get, server))
    rpc.add("cfg.help", partial(describe, server))
    for name in ("set", "seti", "sets", "set_now_int", "set_now_string"):
        rpc.add(f"cfg.{name}", partial(change, server))
    rpc.add("cfg.reset", partial(reset, server))


def names(server: "Server", group: str = "") -> list[str]:
    """The settings, `section: name`, of one section or of all; those of no section are `core`."""
    level = [f"{_CORE}: {_DEBUG}"] if group in ("", _CORE) else []
    return level + [f"{section}: {name}" for section, name, _, _ in _all(server) if group in ("", section)]


def get(server: "Server", group: str, name: str = "") -> Any:
    """The value of a setting, or of all of a section; secret ones are not shown."""
    if not name:
        return _group(server, group)
    if (group, name) == (_CORE, _DEBUG):
        return _engine.core_get_debug()
    _, field_name, _, value = _found(server, group, name, "Failed to get the variable")
    if _is_secret(field_name, value):
        raise RpcError(400, "Variable exists, but it is not readable via RPC interface")
    return value


def describe(server: "Server", group: str, name: str) -> list[str]:
    """What a setting means, and its type."""
    if (group, name) == (_CORE, _DEBUG):
        return ["Log level, from -5 (alert) to 3 (debug).", "(parameter type is integer)"]
    _, _, field, _ = _found(server, group, name, "Failed to get the variable description")
    kind = "integer" if field.annotation in (int, bool) else "string"
    return [field.description or "", f"(parameter type is {kind})"]


def change(server: "Server", group: str, name: str, value: str) -> None:
    """Changes a setting that can change while the server runs: `core` `debug`."""
    if (group, name) == (_CORE, _DEBUG):
        try:
            debug(int(value))
        except ValueError:
            raise RpcError(400, "Failed to set the variable") from None
        return
    section, field_name, _, _ = _found(server, group, name, "Failed to set the variable")
    full = field_name if section == _CORE else f"{section}.{field_name}"
    how = "call settings.reload" if is_live(full) else "start the server anew"
    raise RpcError(400, f"{full} is read from the settings: set it there and {how}")


def reset(server: "Server", group: str, *_name: str) -> None:
    """Sets the settings of a section that were changed here back to what was read."""
    if group == _CORE:
        _engine.set_log_level(log.LEVELS[server.settings.log.level])
    elif group not in {section for section, _, _, _ in _all(server)}:
        raise RpcError(400, f"there are no settings {group}")


def _group(server: "Server", group: str) -> dict[str, Any]:
    level = {_DEBUG: _engine.core_get_debug()} if group == _CORE else {}
    rows = [(name, value) for section, name, _, value in _all(server) if section == group]
    if not rows:
        raise RpcError(400, f"there are no settings {group}")
    return level | {name: value for name, value in rows if not _is_secret(name, value)}


def _is_secret(name: str, value: Any) -> bool:
    return bool(value) and (any(part in name for part in SECRETS) or _PASSWORD.search(str(value)) is not None)


def _found(server: "Server", group: str, name: str, otherwise: str) -> tuple[str, str, FieldInfo, Any]:
    wanted = {name + unit for unit in _UNITS}
    for row in _all(server):
        section, field_name, field, _ = row
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        if section == group and (field_name in wanted or extra.get("modparam") == name):
            return row
    raise RpcError(400, otherwise)


def _all(server: "Server") -> Iterator[tuple[str, str, FieldInfo, Any]]:
    """Section, name, field and value of every setting; a section in a section has its name before that of its settings."""
    settings = server.settings
    shown = settings.model_dump(mode="json")
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            for inner, inner_field in type(value).model_fields.items():
                yield name, inner, inner_field, shown[name][inner]
        else:
            yield _CORE, name, field, shown[name]
