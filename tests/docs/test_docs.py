"""The guides stay true: links lead somewhere, and commands name targets, options and settings that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sipwright.cli import main
from support.hosts import rpc_methods
from support.servers import ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.md"), *ROOT.glob("examples/**/*.md")]
)
# Where a command ends on a line of shell or prose, beside `--`, after which another one stands.
ENDS = ("#", "&&", "||", "|", ";", "&", ">", "[")


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        to = page.parent / target if target else page
        assert to.exists(), f"{ids(page)} links to {target}"
        if anchor:
            assert anchor in anchors(to), f"{ids(page)} links to {target}#{anchor}"


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)\)", index.read_text())}
    pages = {page.resolve() for page in ROOT.glob("docs/**/*.md")} - {index.resolve()}
    assert sorted(map(ids, pages - linked)) == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_make_targets(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^\s*|`)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets, named - targets


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_settings_and_options(page: Path) -> None:
    from sipwright.settings.model import Settings

    text = page.read_text()
    for name in re.findall(r"--set ([a-z_]+(?:\.[a-z_0-9]+)*)=", text):
        fields = Settings.model_fields
        *sections, last = name.split(".")
        for section in sections:
            kind = fields[section].annotation
            fields = kind.model_fields  # type: ignore[union-attr]
        assert last in fields, f"{ids(page)}: there is no setting {name}"


def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    for target in re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE):
        assert f"make {target}" in done.stdout


@pytest.mark.parametrize("target", ["bench", "fuzzers"])
def test_what_is_compiled_for_a_target_is_there(target: str) -> None:
    """No test compiles the programs of the bench."""
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


def command_lines(text: str) -> Iterator[list[str]]:
    """The words after `sipwright` of every call of it: in code blocks, at the start of a line or a code span."""
    joined = text.replace("\\\n", " ")
    for found in re.findall(r"(?:^[ \t$]*|`|=|&& )(?:\S*bin/)?sipwright ([a-z-][^`\n]*)", joined, re.MULTILINE):
        words: list[str] = []
        for word in shlex.split(found.replace("'", "\\'"), comments=False):
            if word == "--" or word.startswith(ENDS):
                break
            words.append(word)
        yield words


def mistake_in(words: list[str]) -> str | None:
    """What is wrong with a call of `sipwright`: a command, option or method that does not exist."""
    command: click.Command = main
    for word in words:
        if word.startswith("-"):
            options = {name for param in command.params for name in param.opts} | {"-h", "--help"}
            if word.partition("=")[0] not in options:
                return f"{command.name} has no option {word}"
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None:
                return f"{command.name} has no command {word}"
            command = found
        elif command.name == "ctl" and re.fullmatch(r"[a-z_0-9]+\.[a-z_.]+", word) and word not in rpc_methods():
            return f"the control socket has no method {word}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_of_the_cli(page: Path) -> None:
    for words in command_lines(page.read_text()):
        assert mistake_in(words) is None, f"{ids(page)}: sipwright {' '.join(words)}: {mistake_in(words)}"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("    .venv/bin/sipwright run route.py --listen udp:127.0.0.1:5070", None),
        ("```console\n$ sipwright ctl core.info\n```", None),
        ("Look at `sipwright ctl core.nothing`.", "the control socket has no method core.nothing"),
        ("    sipwright run my.py \\\n        --listening x", "run has no option --listening"),
        ("`sipwright cert host`", "cert has no command host"),
    ],
)
def test_mistakes_in_commands_are_found(text: str, mistake: str | None) -> None:
    assert [mistake_in(words) for words in command_lines(text)] == [mistake]
