"""The guides stay true: links lead somewhere, and commands name targets, options and settings that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from support.servers import ROOT, SIPWRIGHT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.md")])


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{ids(page)} links to {target}"


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


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_of_the_cli(page: Path) -> None:
    named = set(re.findall(r"(?:^\s*|`|bin/)sipwright ([a-z]+)\b", page.read_text(), re.MULTILINE))
    for command in named:
        done = subprocess.run(
            [str(SIPWRIGHT), command, "--help"], capture_output=True, text=True, timeout=20, check=False
        )
        assert done.returncode == 0, f"{ids(page)}: sipwright {command}: {done.stderr}"
