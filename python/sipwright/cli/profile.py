"""`sipwright profile`: where the time of a running server's script goes."""

import json
import time
from pathlib import Path

import click

from sipwright.cli.common import Failure, server_data_dir


@click.command("profile")
@click.option(
    "--seconds", "-s", default=10.0, show_default=True, type=click.FloatRange(0.1, 3600), help="How long to measure."
)
@click.option(
    "--output",
    "-o",
    type=click.Choice(["text", "json", "folded"]),
    default="text",
    show_default=True,
    help="`folded` is for speedscope and flamegraph.pl.",
)
@click.option("--rows", default=20, show_default=True, type=click.IntRange(1), help="Functions that the text lists.")
@server_data_dir
def command(seconds: float, output: str, rows: int, data_dir: Path | None) -> None:
    """Measure which routes, KSR functions and functions of the script a running server spends its time in.

    Some messages, chosen at random, are followed through the script; calls and totals are estimates for all. As many are
    followed as cost about half a percent of the server's CPU time. Ctrl-C ends it early.
    """
    from sipwright.control.client import ControlError, call
    from sipwright.settings.effective import default_data_dir

    directory = data_dir or default_data_dir()
    try:
        call(directory, "script.profile_start", [seconds + 5])
        try:
            click.echo(f"measuring for {seconds:g} s", err=True)
            time.sleep(seconds)
        except KeyboardInterrupt:
            pass
        finally:
            call(directory, "script.profile_stop")
        profile = call(directory, "script.profile_get", [5_000], timeout_s=60.0)
    except ControlError as error:
        raise Failure(str(error)) from error
    if output == "json":
        click.echo(json.dumps(profile, indent=2))
        return
    from sipwright.views.profile import folded, shown

    if output == "folded":
        click.echo(folded(profile), nl=False)
        return
    from rich.console import Console

    Console(highlight=False).print(shown(profile, rows))
