"""The stubs of `KSR` are current, complete, and of use to a type checker."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from sipwright import _engine
from sipwright.kemi import ksr_stubs, namespace


def test_they_are_current() -> None:
    """`python -m sipwright.kemi.stubs` writes them."""
    found = {path.name: path.read_text() for path in ksr_stubs.DIRECTORY.glob("*.pyi")}
    assert found == ksr_stubs.render()


def test_every_function_is_there_with_a_docstring() -> None:
    functions = namespace.implemented(namespace.build(namespace.builtins_of(_engine), namespace.python_functions()))
    found = set()
    for name, text in ksr_stubs.render().items():
        part = name.removesuffix(".pyi").replace("__init__", "")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                assert ast.get_docstring(node), f"{part}.{node.name}"
                found.add(f"{part}.{node.name}".lstrip("."))
    # `async` is no name that can be imported.
    assert found == {name for name in functions if not name.startswith("async.")}


@pytest.mark.timeout(180)
def test_mypy_finds_them(tmp_path: Path) -> None:
    script = tmp_path / "route.py"
    script.write_text(
        "import KSR\n\n\ndef route() -> None:\n    KSR.sl.send_reply(404, 'Not Found')\n"
        "    KSR.sl.send_reply('404', 'Not Found')\n    KSR.tm.t_rely()\n    KSR.info(KSR.pv.get('$ru'))\n"
    )
    argv = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file",
        "/dev/null",
        "--cache-dir",
        str(tmp_path),
        "route.py",
    ]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=170, check=False)
    lines = [line for line in done.stdout.splitlines() if "error:" in line]
    assert [line.split(":")[1] for line in lines] == ["6", "7", "8"], done.stdout
