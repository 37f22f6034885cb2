"""`sipwright check`: what is wrong with a script, before a server runs it."""

import subprocess
import sys
from pathlib import Path

import click

from sipwright.cli.common import UsageFailure, reporting

LOAD_LIMIT_S = 30


@click.command("check")
@click.argument("script", type=click.Path(path_type=Path))
@click.option("--no-load", is_flag=True, help="Do not run the script's top level and mod_init.")
def command(script: Path, no_load: bool) -> None:
    """Check SCRIPT: its syntax, the KSR functions that it and its helpers use, and that it can be loaded.

    Exits with 0 when nothing was found, with 1 otherwise.
    """
    if not script.is_file():
        raise UsageFailure(f"{script}: there is no such file")
    with reporting():
        from sipwright import _engine
        from sipwright.kemi import namespace
        from sipwright.script.lint import check_script

        functions = namespace.implemented(namespace.build(namespace.builtins_of(_engine), namespace.python_functions()))
        findings = [str(finding) for finding in check_script(script, functions)]
    if not no_load and not any("syntax error" in finding for finding in findings):
        findings += _load(script)
    for finding in findings:
        click.echo(finding)
    if findings:
        raise SystemExit(1)
    click.echo(f"{script}: no problems found")


def _load(script: Path) -> list[str]:
    """What the trial in a process of its own printed, when it failed."""
    try:
        trial = subprocess.run(
            [sys.executable, "-m", "sipwright.script.trial", str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=LOAD_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"{script}: loading it and mod_init() took longer than {LOAD_LIMIT_S} s"]
    if trial.returncode == 0:
        return []
    return trial.stdout.splitlines() or [f"{script}: loading it ended the process with status {trial.returncode}"]
