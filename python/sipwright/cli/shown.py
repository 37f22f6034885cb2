"""Results on the terminal: as a table, JSON or YAML."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

FORMATS: Final = ("table", "json", "yaml")


def output_option(command: Any) -> Any:
    """Adds `--output`, whose value `show` takes."""
    return click.option(
        "--output",
        "-o",
        type=click.Choice(FORMATS),
        help="How the result is shown: without it a table on a terminal, else JSON.",
    )(command)


def is_table(output: str | None) -> bool:
    """Whether `show` makes tables of results."""
    return (output or ("table" if sys.stdout.isatty() else "json")) == "table"


def show(result: Any, output: str | None) -> None:
    """Shows a result; a text alone is shown as it is."""
    output = output or ("table" if sys.stdout.isatty() else "json")
    if output == "yaml":
        click.echo(yaml(result))
    elif output == "json" and not isinstance(result, str):
        click.echo(json.dumps(result, indent=2))
    elif isinstance(result, dict | list):
        _table(result)
    elif result is not None or output == "json":
        click.echo(result)


def yaml(value: Any, indent: int = 0) -> str:
    """JSON's values as YAML 1.2: texts are in double quotes where they could be taken for something else."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        return "\n".join(f"{pad}{_key(name)}:{_inner(inner, indent)}" for name, inner in value.items())
    if isinstance(value, list) and value:
        return "\n".join(f"{pad}-{_item(inner, indent)}" for inner in value)
    return pad + _scalar(value)


def _key(name: object) -> str:
    return _scalar(str(name))


def _inner(value: Any, indent: int) -> str:
    if isinstance(value, dict | list) and value:
        return "\n" + yaml(value, indent + 1)
    return f" {_scalar(value)}"


def _item(value: Any, indent: int) -> str:
    if isinstance(value, dict | list) and value:
        return " " + yaml(value, indent + 1).lstrip()
    return f" {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        plain = value.replace("_", "").replace(".", "").replace("-", "")
        is_word = plain.isascii() and plain.isalnum() and value[0].isalpha()
        return value if is_word and value.lower() not in _WORDS else json.dumps(value)
    return json.dumps(value)


# Texts that YAML, or readers of older versions, take for something else.
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"})


def _table(result: dict[str, Any] | list[Any]) -> None:
    # Kept out of the start of every other command.
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=isinstance(result, list), header_style="bold")
    rows = _rows(result)
    if isinstance(result, dict):
        table.add_column()
        table.add_column()
        cells: Iterable[list[Any]] = ([name, value] for name, value in result.items())
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        for name in names:
            numbers = all(isinstance(row.get(name, 0), int | float) for row in rows)
            table.add_column(name, justify="right" if numbers else "left", overflow="fold")
        cells = ([row.get(name, "") for name in names] for row in rows)
    for row in cells:
        table.add_row(*map(_cell, row))
    # Cut to no width where nobody's terminal is.
    Console(width=None if sys.stdout.isatty() else 1000, highlight=False, markup=False, soft_wrap=False).print(table)


def _rows(result: Any) -> list[Mapping[str, Any]]:
    """Lists as rows: of structures, of members `{name: {...}}`, or of single values."""
    rows: list[Mapping[str, Any]] = []
    for item in result if isinstance(result, list) else []:
        if isinstance(item, dict) and len(item) == 1 and isinstance(next(iter(item.values())), dict):
            item = next(iter(item.values()))
        rows.append(item if isinstance(item, dict) else {"value": item})
    return rows


def _cell(value: Any) -> Any:
    from rich.text import Text

    if isinstance(value, dict | list):
        value = json.dumps(value)
    return Text("" if value is None else str(value))
