"""Dependencies have reasons, licences that fit, and come from where they may: `docs/explain/dependencies.md`, `deny.toml`."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from support.servers import ROOT
from support.tools import tool

PAGE = ROOT / "docs" / "explain" / "dependencies.md"
DENY: dict[str, Any] = tomllib.loads((ROOT / "deny.toml").read_text())


def listed(part: str) -> set[str]:
    """Names in the tables under headings that begin so."""
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    return {name for text in sections if text.startswith(part) for name in re.findall(r"^\| `([^`]+)` \|", text, re.M)}


def manifests() -> Iterator[dict[str, Any]]:
    for path in [*ROOT.glob("crates/*/Cargo.toml"), ROOT / "fuzz" / "Cargo.toml"]:
        yield tomllib.loads(path.read_text())


def test_every_crate_has_its_reason() -> None:
    direct = set()
    for manifest in manifests():
        for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
            for name, entry in manifest.get(kind, {}).items():
                direct.add(entry.get("package", name) if isinstance(entry, dict) else name)
    ours = {manifest["package"]["name"] for manifest in manifests()}
    assert direct - ours == listed("Rust")


def test_every_python_package_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    lines = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(x for all_ in extras for x in all_),
    ]
    assert {re.split(r"[\[<>=;~! ]", line)[0] for line in lines} == listed("Python")


def test_python_packages_are_pinned_by_their_check_sums() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^([a-z0-9][\w.-]*)==\S+.*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(pins) == len(blocks) > 20
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@dataclass(frozen=True)
class Package:
    """A crate that is built: `source` is where it comes from if that is not the registry."""

    name: str
    licence: str
    source: str


@cache
def packages() -> list[Package]:
    """What cargo builds with all features, for the server and its tests."""
    command = [tool("cargo"), "tree", "--locked", "--workspace", "--all-features", "--prefix", "none"]
    for target in DENY["graph"]["targets"]:
        command += ["--target", target]
    done = subprocess.run([*command, "--format", "{p}|{l}"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = re.findall(r"^([\w-]+) v\S+(?: \(proc-macro\))?(?: \((?!\*)(.*)\))?\|(.*?)(?: \(\*\))?$", done.stdout, re.M)
    return [Package(name, licence, source) for name, source, licence in set(found)]


def fits(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression can be met by the licences that are allowed; `/` is an old form of OR."""
    text = expression.replace("/", " OR ")
    for name in sorted(allowed, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w.-]| WITH)", "True", text)
    text = re.sub(r"[\w.-]+ WITH [\w.-]+", "False", text)
    words = re.findall(r"\(|\)|[^\s()]+", text)
    plain = {"OR": "or", "AND": "and", "True": "True", "(": "(", ")": ")"}
    return bool(eval(" ".join(plain.get(word, "False") for word in words)))


@pytest.mark.parametrize(
    ("expression", "fit"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT/Apache-2.0", True),
        ("GPL-2.0 OR MIT", True),
        ("GPL-2.0 AND MIT", False),
        ("(MIT OR GPL-2.0) AND ISC", True),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", True),
        ("MIT WITH Other-exception", False),
        ("MIT-Modern-Variant", False),
    ],
)
def test_licence_expressions(expression: str, fit: bool) -> None:
    assert fits(expression, {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"}) is fit


def test_licences_of_crates() -> None:
    allowed = set(DENY["licenses"]["allow"])
    assert {one.name: one.licence for one in packages() if not fits(one.licence or "none", allowed)} == {}


def test_crates_that_may_not_come_in() -> None:
    names = {one.name for one in packages()}
    assert {one["crate"] for one in DENY["bans"]["deny"]} & names == set()
    assert "rustls" in names


def test_where_crates_come_from() -> None:
    """All but our own from the registry that cargo knows by itself."""
    elsewhere = {one.name: one.source for one in packages() if one.source}
    assert set(elsewhere) == {manifest["package"]["name"] for manifest in manifests()}
    assert all(source.startswith(str(ROOT)) for source in elsewhere.values())
