"""Writes the KSR part of `_engine.pyi` from the functions that the extension has, and the package `KSR-stubs`.

`python -m sipwright.kemi.stubs` rewrites the files in place; a test fails when they are not current.
"""

from pathlib import Path

from sipwright import _engine

MARK = "# KSR functions; written by `python -m sipwright.kemi.stubs`.\n"
RESULTS = {
    "int": "int",
    "bool": "bool",
    "none": "int",
    "xval": "str | int | None",
    "data": "list[Any] | dict[str, Any] | None",
}
STUB = Path(_engine.__file__).with_name("_engine.pyi")


def render() -> str:
    """The stubs of all KSR functions, in the order of the extension's table."""
    lines = []
    for module, name, params, result, _ in _engine.ksr_functions():
        typed = [f"{param}: {kind}" for param, kind in params]
        signature = ", ".join([*typed, "/"]) if typed else ""
        lines.append(f"def {module}_{name}({signature}) -> {RESULTS[result]}: ...\n")
    return MARK + "".join(lines)


def current() -> str:
    """The KSR part of the stub file as it is."""
    text = STUB.read_text(encoding="utf-8")
    return text[text.index(MARK) :]


def main() -> None:
    """Replaces the KSR part of the stub file, and the package of stubs of `KSR`."""
    from sipwright.kemi import ksr_stubs

    text = STUB.read_text(encoding="utf-8")
    STUB.write_text(text[: text.index(MARK)] + render(), encoding="utf-8")
    ksr_stubs.write()


if __name__ == "__main__":
    main()
