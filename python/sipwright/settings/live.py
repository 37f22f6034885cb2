"""Which settings a running server takes over when they are read again, and what differs between two readings."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import BaseModel

from sipwright.settings.model import Settings

# They come into force at once.
AT_ONCE: Final = frozenset(
    {
        "cfg.variables",
        "limits.drain_ms",
        "log.format",
        "log.level",
        "log.prefix",
        "log.prefix_mode",
        "record.enabled",
        "script.on_error",
        "script.slow_call_ms",
        "script.stall_after_ms",
        "script.strict",
    }
)
# The script is loaded anew with them.
WITH_SCRIPT: Final = frozenset(
    {
        "script.child_init",
        "script.isolation",
        "script.mod_init",
        "script.onsend_route",
        "script.path",
        "script.pre_routing",
        "script.received_route",
        "script.reply_route",
        "script.request_route",
    }
)
# Settings of TLS that `tls.reload` does not change.
_TLS_AT_START: Final = frozenset({"tls.threads_mode", "tls.threads", "tls.event_callback", "tls.watch_s"})
# Parts of names whose values nobody is shown.
SECRETS: Final = ("secret", "passw", "credential", "url", "token")


def is_live(name: str) -> bool:
    """Whether a running server takes over a setting."""
    return name in AT_ONCE or name in WITH_SCRIPT or (name.startswith("tls.") and name not in _TLS_AT_START)


def differences(old: Settings, new: Settings) -> list[str]:
    """The dotted names of the settings that differ, in the order of the model."""
    return [name for name, before, after in _pairs(old, new) if before != after]


def merged(old: Settings, new: Settings, names: Iterable[str]) -> Settings:
    """The old settings with those of these names from the new ones."""
    updates: dict[str, dict[str, Any]] = {}
    top: dict[str, Any] = {}
    for name in names:
        section, dot, field = name.partition(".")
        if dot:
            updates.setdefault(section, {})[field] = getattr(getattr(new, section), field)
        else:
            top[name] = getattr(new, name)
    for section, values in updates.items():
        top[section] = getattr(old, section).model_copy(update=values)
    return old.model_copy(update=top)


def change(name: str, old: Settings, new: Settings) -> str:
    """What a log line says of a setting that differs: `log.level: info -> debug`."""
    if any(part in name for part in SECRETS):
        return name
    before, after = (_shown(name, settings) for settings in (old, new))
    return f"{name}: {before} -> {after}" if len(before) + len(after) < 200 else name


def _shown(name: str, settings: Settings) -> str:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    shown = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return str(shown).replace("\n", "\\n") if shown not in ("", None, [], {}) else "none"


def _pairs(old: Settings, new: Settings) -> Iterator[tuple[str, Any, Any]]:
    for name in Settings.model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            for inner in type(before).model_fields:
                yield f"{name}.{inner}", getattr(before, inner), getattr(after, inner)
        else:
            yield name, before, after
