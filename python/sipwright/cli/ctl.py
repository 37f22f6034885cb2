"""`sipwright ctl`: calls a running server's control methods."""

import contextlib
import json
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from sipwright.cli.asking import Asker, asks
from sipwright.settings.effective import default_data_dir

# Pressing TAB waits no longer than that for a server.
_TAB_S = 1.0


def _methods(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The methods of the running server, for shell completion; none where there is no server."""
    from sipwright.control.client import ControlError, call

    data_dir = ctx.params.get("data_dir")
    with contextlib.suppress(ControlError):
        names = call(Path(data_dir) if data_dir else default_data_dir(), "rpc.list", timeout_s=_TAB_S)
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return []


@click.command("ctl")
@click.argument("method", default="rpc.list", shell_complete=_methods)
@click.argument("params", nargs=-1)
@asks
def command(server: Asker, method: str, params: tuple[str, ...]) -> None:
    """Call METHOD of the running server; without it, list the methods. PARAMS are JSON values or texts."""
    server.show(server.call(method, *map(_value, params)))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
