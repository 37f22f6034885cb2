"""Writes `docs/reference/settings.md` from the settings model: `python -m sipwright.settings.reference [FILE]`.

Without FILE it writes `docs/reference/kamailio-cfg.md` too.
"""

import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sipwright.settings.kamailio import reference as kamailio
from sipwright.settings.live import is_live
from sipwright.settings.model import Settings

DEFAULT_FILE = Path("docs/reference/settings.md")
_HEAD = """# Settings

Every setting, its type, its default and its meaning. This page is generated from `python/sipwright/settings/model.py`
by `python -m sipwright.settings.reference`.

Settings are read from `sipwright.toml` (or the file that `--config` names), then from the environment, then from the
command line; each replaces single values of the one before. `script.workers`, for example, is

- in the file: `workers = 4` in the table `[script]`,
- in the environment: `SIPWRIGHT_SCRIPT__WORKERS=4`,
- on the command line: `--set script.workers=4`.

Lists are TOML arrays; in the environment and on the command line they may be separated by commas. A relative path in
the file counts from the file's directory.

Those marked ↻ come into force [while the server runs](../howto/reload.md#settings); all others need a restart.
"""


def reference() -> str:
    """The whole page."""
    parts = [_HEAD, _section(Settings, "", "Top level", Settings.__doc__)]
    for name, field in Settings.model_fields.items():
        model = _model(field.annotation)
        if model is not None and get_origin(field.annotation) is None:
            parts.append(_section(model, f"{name}.", f"[{name}]", model.__doc__))
    return "\n".join(parts)


def _section(model: type[BaseModel], prefix: str, title: str, text: str | None) -> str:
    lines = [f"## {title}", "", (text or "").strip(), "", "| setting | type | default | meaning |", "|---|---|---|---|"]
    inner: list[str] = []
    for name, field in model.model_fields.items():
        items = _model(field.annotation)
        if items is not None and get_origin(field.annotation) is None:
            continue
        mark = " ↻" if is_live(prefix + name) else ""
        lines.append(
            f"| `{prefix}{name}`{mark} | {_type(field)} | {_default(field)} | {_cell(field.description or '')} |"
        )
        if items is not None:
            heading = f"[{prefix}{name}.NAME]" if get_origin(field.annotation) is dict else f"[[{prefix}{name}]]"
            inner.append(_section(items, f"{prefix}{name}[].", heading, items.__doc__))
    return "\n".join([*lines, "", *inner])


def _model(annotation: Any) -> type[BaseModel] | None:
    """The section that a field is, or has items of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for item in get_args(annotation) if (model := _model(item))), None)


def _type(field: FieldInfo) -> str:
    bounds = {
        name: value
        for item in field.metadata
        for name in ("ge", "le")
        if (value := getattr(item, name, None)) is not None
    }
    limits = {"ge": "at least", "le": "at most"}
    suffix = ", ".join(f"{limits[name]} {value:,}" for name, value in bounds.items())
    return _type_name(field.annotation) + (f", {suffix}" if suffix else "")


def _type_name(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin in (Union, UnionType):
        return " or ".join(_type_name(item) for item in args if item is not NoneType)
    if origin is list:
        return f"list of {'tables' if _model(args[0]) else _type_name(args[0])}"
    if origin is dict:
        return "tables by name" if _model(args[1]) else f"{_type_name(args[1])} by name"
    if origin is not None and args:
        return _type_name(args[0])
    names = {"int": "integer", "str": "text", "bool": "true or false", "Path": "path", "Listen": "address"}
    return names.get(getattr(annotation, "__name__", ""), str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    shown = str(value).replace("\r", "\\r").replace("\n", "\\n")
    return f"`{shown}`" if value != "" else '`""`'


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(reference(), encoding="utf-8")
    if len(sys.argv) == 1:
        # Its tables name settings.
        kamailio.DEFAULT_FILE.write_text(kamailio.reference(), encoding="utf-8")
