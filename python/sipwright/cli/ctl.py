"""`sipwright ctl`: calls a running server's control socket."""

import json
from pathlib import Path
from typing import Any

import click

from sipwright.cli.common import Failure, UsageFailure
from sipwright.control.client import ControlError, call
from sipwright.settings.effective import default_data_dir


@click.command("ctl")
@click.argument("method", default="rpc.list")
@click.argument("params", nargs=-1)
@click.option("--data-dir", "-d", type=click.Path(path_type=Path), envvar="SIPWRIGHT_DATA_DIR", help="Of the server.")
@click.option("--timeout", default=10.0, show_default=True, help="Seconds to wait for the answer.")
def command(method: str, params: tuple[str, ...], data_dir: Path | None, timeout: float) -> None:
    """Call METHOD of the running server; without it, list the methods. PARAMS are JSON values or texts."""
    if timeout <= 0:
        raise UsageFailure("--timeout: must be greater than 0")
    try:
        result = call(data_dir or default_data_dir(), method, [_value(param) for param in params], timeout)
    except ControlError as error:
        raise Failure(str(error)) from error
    click.echo(result if isinstance(result, str) else json.dumps(result, indent=2))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
