"""`sipwright check`: what is wrong with a script or a kamailio.cfg, before a server runs it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click

from sipwright.cli.common import UsageFailure, reporting
from sipwright.cli.kamailio import Source
from sipwright.settings import Settings, SettingsError, load_settings

LOAD_LIMIT_S: Final = 30
_HEADINGS: Final = {
    "refused": "Refused: the server does not run with it",
    "unknown": "Unknown to Kamailio",
    "missing": "Missing: Kamailio does something by it that is not done here",
    "ignored": "Ignored: without meaning here",
    "honoured": "Honoured",
}
# A wider first column would leave no room for the rest.
_WIDEST: Final = 60


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--define", "-A", "defines", multiple=True, metavar="NAME[=VALUE]", help="A define for a kamailio.cfg.")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--no-load", is_flag=True, help="Do not run the script's top level and mod_init.")
@click.option(
    "--strict", is_flag=True, help="Follow arguments further, and find calls that do nothing in the routes they are in."
)
def command(file: Path, defines: tuple[str, ...], output: str, no_load: bool, strict: bool) -> None:
    """Check FILE, a KEMI Python script (*.py) or a kamailio.cfg.

    Of a script: its syntax, the KSR functions that it and its helpers use, and that it can be loaded. Of a
    kamailio.cfg: what is honoured, ignored and missing of it, with the reasons, and the script that it loads.

    Exits with 0 when it will run, for a script when nothing was found; with 1 otherwise.
    """
    if not file.is_file():
        raise UsageFailure(f"{file}: there is no such file")
    if file.suffix != ".py":
        check_kamailio_cfg(Source(file, defines), output, load=not no_load, strict=strict)
        return
    findings = script_findings(file, Settings(), load=not no_load, strict=strict)
    if output == "json":
        click.echo(json.dumps({"script": str(file), "findings": findings, "runs": not findings}, indent=2))
    else:
        click.echo("\n".join(findings) if findings else f"{file}: no problems found")
    if findings:
        raise SystemExit(1)


def check_kamailio_cfg(source: Source, output: str, *, load: bool, strict: bool = False) -> None:
    """Reports on a kamailio.cfg and its script; ends with status 1 when the server would not run with it."""
    with reporting():
        try:
            found = _examined(source, load, strict)
        except SettingsError as error:
            found = {
                "file": str(source.cfg),
                "entries": [],
                "problems": list(error.lines),
                "script": None,
                "findings": [],
            }
    refused = [entry for entry in found["entries"] if entry["status"] == "refused"]
    found["runs"] = not (refused or found["problems"] or found["findings"])
    click.echo(json.dumps(found, indent=2) if output == "json" else _text(found))
    if not found["runs"]:
        raise SystemExit(1)


def _examined(source: Source, load: bool, strict: bool) -> dict[str, Any]:
    translation = source.translation()
    found: dict[str, Any] = {
        "file": str(source.cfg),
        "included": [str(file) for file in translation.files[1:]],
        "entries": [entry.as_dict() for entry in translation.report],
        "problems": [],
        "script": None,
        "findings": [],
    }
    try:
        settings = load_settings(base=translation.given)
    except SettingsError as error:
        found["problems"] = list(error.lines)
        return found
    if settings.script.path is not None:
        found["script"] = str(settings.script.path)
        found["findings"] = script_findings(settings.script.path, settings, load=load, strict=strict)
    return found


def _text(found: dict[str, Any]) -> str:
    lines: list[str] = []
    for status, heading in _HEADINGS.items():
        entries = [entry for entry in found["entries"] if entry["status"] == status]
        if entries:
            lines += [f"{heading} ({len(entries)})", *_table(entries), ""]
    if found["problems"]:
        lines += [f"Problems ({len(found['problems'])})", *(f"  {line}" for line in found["problems"]), ""]
    if found["script"]:
        count = len(found["findings"])
        lines += [f"Script {found['script']}: {f'{count} problems' if count else 'no problems found'}"]
        lines += [f"  {line}" for line in found["findings"]]
        lines.append("")
    verdict = "runs" if found["runs"] else "does not run"
    return "\n".join([*lines, f"{found['file']}: {verdict}"])


def _table(entries: list[dict[str, Any]]) -> list[str]:
    rows = [
        (
            f"{entry['file']}:{entry['line']}",
            entry["name"] + (f" = {_short(entry['value'])}" if entry["value"] else ""),
            entry["note"],
        )
        for entry in entries
    ]
    widths = [min(max(len(row[column]) for row in rows), _WIDEST) for column in (0, 1)]
    return [f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip() for row in rows]


def _short(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= 40 else f"{shown[:37]}..."


def script_findings(script: Path, settings: Settings, *, load: bool, strict: bool = False) -> list[str]:
    """What is wrong with a script, a line each."""
    with reporting():
        from sipwright import _engine
        from sipwright.kemi import namespace
        from sipwright.script.lint import check_script

        sources = [namespace.builtins_of(_engine), namespace.python_functions()]
        functions = namespace.implemented(namespace.build(*namespace.visible(settings.modules, *sources)))
        hidden = namespace.hidden(settings.modules, *sources)
        findings = [str(finding) for finding in check_script(script, functions, hidden, strict=strict)]
    if load and not any("syntax error" in finding for finding in findings):
        findings += _load(script, settings)
    return findings


def _load(script: Path, settings: Settings) -> list[str]:
    """What the trial in a process of its own printed, when it failed."""
    try:
        trial = subprocess.run(
            [sys.executable, "-m", "sipwright.script.trial", str(script), "-"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            input=settings.model_dump_json(exclude={"listen", "tls"}),
            text=True,
            timeout=LOAD_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"{script}: loading it and mod_init() took longer than {LOAD_LIMIT_S} s"]
    if trial.returncode == 0:
        return []
    return trial.stdout.splitlines() or [f"{script}: loading it ended the process with status {trial.returncode}"]
