"""Reads settings: built-in defaults, then kamailio.cfg or another base, then sipwright.toml, then
SIPWRIGHT_* of the environment, then the command line.

Each layer replaces single values of the one before. Every value remembers where it came from, so that an error can
name the file and line, the variable or the option.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_origin

from pydantic import BaseModel, ValidationError

from sipwright.settings.errors import Origin, SettingsError, dotted, explain, unknown
from sipwright.settings.model import Settings

ENV_PREFIX: Final = "SIPWRIGHT_"
DEFAULT_FILE: Final = "sipwright.toml"
_RESERVED_ENV: Final = {"SIPWRIGHT_CONFIG"}


@dataclass(frozen=True, slots=True)
class Given:
    """A value for the setting at `path`, and where it was given."""

    path: tuple[str, ...]
    value: Any
    origin: Origin


def load_settings(
    file: Path | None = None,
    assignments: Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    base: Iterable[Given] = (),
) -> Settings:
    """Reads all layers and returns the settings.

    `base` are the values of a kamailio.cfg; `file` is a TOML file; `assignments` are `key=value` texts of `--set`; `overrides` are values by dotted key that
    other command line options gave. Raises SettingsError with a line for each problem.
    """
    layers = _Layers()
    for given in base:
        layers.add(given.path, given.value, given.origin)
    if file is not None:
        layers.add_file(file)
    for name, text in sorted((os.environ if environ is None else environ).items()):
        if name.startswith(ENV_PREFIX) and name not in _RESERVED_ENV:
            path = tuple(part.lower() for part in name.removeprefix(ENV_PREFIX).split("__"))
            layers.add_text(path, text, Origin(f"environment variable {name}"))
    for key, value in (overrides or {}).items():
        layers.add(tuple(key.split(".")), value, Origin("command line"))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise SettingsError(f"--set {assignment}: must be KEY=VALUE, for example --set script.workers=4")
        layers.add_text(tuple(key.strip().split(".")), text.strip(), Origin(f"--set {assignment}"))
    return layers.validate()


class _Layers:
    """Nested values with the origin of each."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.origins: dict[tuple[str | int, ...], Origin] = {}

    def add_file(self, file: Path) -> None:
        try:
            text = file.read_text(encoding="utf-8")
            tree = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(_toml_error(file, error)) from None
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            raise SettingsError(f"{file}: {reason}") from None
        lines = key_lines(text)
        for path, value in _leaves(tree):
            line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 1)
            self.add(path, _with_paths(path[-1], value, file.parent), Origin(f"{file}:{line}"))

    def add_text(self, path: tuple[str, ...], text: str, origin: Origin) -> None:
        """Adds a value given as text: its setting's type decides how it is read."""
        annotation = annotation_of(Settings, path)
        if annotation is None:
            raise SettingsError(f"{origin}: {unknown(Settings, dotted(path))}")
        self.add(path, _typed(text, annotation), origin)

    def add(self, path: tuple[str, ...], value: Any, origin: Origin) -> None:
        table = self.values
        for part in path[:-1]:
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                raise SettingsError(f"{origin}: {unknown(Settings, dotted(path))}")
            table = inner
        table[path[-1]] = value
        self.origins[path] = origin

    def validate(self) -> Settings:
        try:
            return Settings.model_validate(self.values)
        except ValidationError as error:
            raise explain(Settings, error, self.origins) from None


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """The line, from 1, of each table header and `key =` of a TOML text that is known to be valid."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\[?\s*([^\[\]]+?)\s*\]", line):
            table = _key(header[1])
            lines.setdefault(table, number)
        elif entry := re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""", line):
            lines.setdefault((*table, *_key(entry[1])), number)
    return lines


def _key(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", text))


def _leaves(tree: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


# Settings whose relative value counts from the directory of the file.
_PATHS: Final = {
    *("path", "data_dir", "workdir", "pid_file", "config", "certificate", "private_key", "passphrase_file"),
    *("ca_list", "ca_path", "crl", "ocsp_response", "key_log"),
}


def _with_paths(key: str, value: Any, base: Path) -> Any:
    """The value with paths in it made absolute, also those in lists of tables."""
    if isinstance(value, list):
        return [_with_paths(key, item, base) for item in value]
    if isinstance(value, dict):
        return {name: _with_paths(name, item, base) for name, item in value.items()}
    if key in _PATHS and isinstance(value, str):
        return str(base / Path(value).expanduser())
    return value


def _toml_error(file: Path, error: tomllib.TOMLDecodeError) -> str:
    text = str(error)
    if place := re.search(r"\(at line (\d+), column (\d+)\)", text):
        return f"{file}:{place[1]}:{place[2]}: {text[: place.start()].strip()}"
    return f"{file}: {text}"


def annotation_of(model: type[BaseModel], path: tuple[str, ...]) -> Any:
    """The declared type of the setting at `path`; None when there is no such setting."""
    field = model.model_fields.get(path[0])
    if field is None:
        return None
    inner: Any = field.annotation
    if len(path) == 1:
        return inner
    if get_origin(inner) is dict:
        item = inner.__args__[1]
        return item if len(path) == 2 else annotation_of(item, path[2:])
    return annotation_of(inner, path[1:]) if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _typed(text: str, annotation: Any) -> Any:
    """`text` as the type needs it: lists may be separated by commas, tables are TOML; the model reads the rest."""
    is_table = get_origin(annotation) is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel))
    if get_origin(annotation) is list and not text.startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    if get_origin(annotation) is list or is_table:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    if get_origin(annotation) is Literal and text.isdigit() and int(text) in annotation.__args__:
        return int(text)
    return text
