"""The stubs of the module `KSR`, by which editors and type checkers know what scripts import.

They are the package `KSR-stubs` (PEP 561) beside this one; `python -m sipwright.kemi.stubs` writes it.
"""

import keyword
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sipwright import _engine
from sipwright.kemi import namespace
from sipwright.kemi.stubs import RESULTS

DIRECTORY: Final = Path(_engine.__file__).parent.with_name("KSR-stubs")
_HEAD: Final = "# Written by `python -m sipwright.kemi.stubs`.\n"
# They give a text where there is no value.
_NEVER_NONE: Final = frozenset({"gete", "getw", "getvs", "getvn"})
_DOC: Final = {"": "The functions of Kamailio's core, and the modules as attributes."}


def render() -> dict[str, str]:
    """The files of the package, by name."""
    functions: dict[str, dict[str, str]] = {}
    for module, name, params, result, doc in _engine.ksr_functions():
        part = "" if module == "core" else module
        # As by Kamailio's own functions, arguments have no names.
        signature = ", ".join([*(f"{param}: {kind}" for param, kind in params), "/"]) if params else ""
        shown = "str | int" if part == "pv" and name in _NEVER_NONE else RESULTS[result]
        functions.setdefault(part, {})[name] = _function(name, signature, shown, doc)
    for module, found in namespace.python_functions().items():
        for name, function in found.items():
            functions.setdefault(module, {})[name] = _of_python(name, function)
    parts = sorted(part for part in functions if part and not keyword.iskeyword(part))
    files = {f"{part}.pyi": _file(part, found) for part, found in functions.items() if part in parts}
    imports = "".join(f"from . import {part} as {part}\n" for part in parts)
    files["__init__.pyi"] = _file("", functions[""], imports)
    return files


def write() -> None:
    """Writes the package."""
    files = render()
    DIRECTORY.mkdir(exist_ok=True)
    for old in DIRECTORY.glob("*.pyi"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")


def _file(part: str, functions: dict[str, str], imports: str = "") -> str:
    doc = _DOC.get(part, f"KSR.{part}: functions of Kamailio's module.")
    body = "\n".join(functions[name] for name in sorted(functions))
    typing = "from typing import Any\n" if "Any" in body else ""
    return f'{_HEAD}"""{doc}"""\n\n{typing}{imports}\n{body}'


def _function(name: str, signature: str, result: str, doc: str) -> str:
    text = " ".join(doc.split()).replace("\\", "\\\\").replace('"""', "'''")
    text = f"{text} " if text.endswith('"') else text
    return f'def {name}({signature}) -> {result}:\n    """{text}"""\n'


def _of_python(name: str, function: Callable[..., Any]) -> str:
    annotations = dict(function.__annotations__)
    result = _text(annotations.pop("return"))
    if name == "modf":
        return _function(name, "name: str, /, *args: Any", result, function.__doc__ or "")
    words = [f"{param}: {_text(kind)}" for param, kind in annotations.items()]
    return _function(name, ", ".join([*words, "/"]) if words else "", result, function.__doc__ or "")


def _text(annotation: Any) -> str:
    if isinstance(annotation, types.UnionType):
        return str(annotation)
    return "Any" if annotation is Any else str(annotation.__name__)
