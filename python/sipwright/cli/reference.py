"""Writes `docs/reference/cli.md` from the commands themselves: `python -m sipwright.cli.reference [FILE]`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from sipwright.cli import main

DEFAULT_FILE: Final = Path("docs/reference/cli.md")
_HEAD: Final = """# Command line

Every command and option of `sipwright`. This page is generated from the commands by
`python -m sipwright.cli.reference`. `-h` or `--help` after a command shows the same.

## Exit status

| status | meaning |
|---|---|
| 0 | Done. For `run`: the server was stopped and nothing was left over. |
| 1 | The command failed; standard error says why. For `check`: the script has problems. For `doctor`: a rule is broken. For `run`: the server could not start, was told twice to stop, or a worker did not come back from the script. |
| 2 | A wrong command, option, argument or setting. |
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_section(path, command) for path, command in commands())])


def commands() -> Iterator[tuple[str, click.Command]]:
    """All commands with the words that call them, groups before what is in them."""
    yield from _walk("sipwright", main)


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _walk(f"{path} {name}", inner)


def _section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    lines = [f"## {path}", "", "```", usage, "```", ""]
    for paragraph in (command.help or "").split("\n\n"):
        lines += [" ".join(paragraph.split()), ""]
    options = [option for option in command.params if isinstance(option, click.Option)]
    if options:
        lines += ["| option | default | meaning |", "|---|---|---|", *map(_row, options), ""]
    if isinstance(command, click.Group):
        lines += ["| command | does |", "|---|---|"]
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            anchor = f"{path} {name}".replace(" ", "-")
            lines.append(f"| [`{path} {name}`](#{anchor}) | {inner.get_short_help_str(limit=200)} |")
        lines.append("")
    return "\n".join(lines)


def _row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len, reverse=True))
    if not option.is_flag:
        choices = option.type.choices if isinstance(option.type, click.Choice) else None
        value = "|".join(choices) if choices else option.metavar or option.type.name.upper()
        names += f" `{_cell(value)}`"
    given = isinstance(option.default, str | int | float) and not isinstance(option.default, bool)
    default = f"`{option.default}`" if given else "none"
    meaning = option.help or ""
    if isinstance(option.envvar, str):
        meaning += f" Also by the environment variable `{option.envvar}`."
    return f"| {names} | {default} | {_cell(meaning.strip())} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(reference(), encoding="utf-8")
