"""`sipwright top`: live figures of a running server."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sipwright.cli.common import Failure, server_data_dir

if TYPE_CHECKING:
    from sipwright.views.sample import Ask


@click.command("top")
@click.option("--once", is_flag=True, help="Write one picture and end.")
@click.option("--interval", "-i", default=1.0, show_default=True, type=click.FloatRange(0.1, 60), help="Seconds.")
@server_data_dir
def command(once: bool, interval: float, data_dir: Path | None) -> None:
    """Show what a running server does: messages, routes, connections, workers, errors. `q` quits.

    Rates are those of the last interval. 80 columns and 24 lines are enough.
    """
    from sipwright.control.client import ControlError, call
    from sipwright.settings.effective import default_data_dir

    directory = data_dir or default_data_dir()
    ask: Ask = lambda method: call(directory, method)  # noqa: E731
    try:
        if once or not sys.stdout.isatty() or not sys.stdin.isatty():
            show_once(ask, interval)
        else:
            show_live(ask, interval)
    except ControlError as error:
        raise Failure(str(error)) from error
    except KeyboardInterrupt:
        pass


def show_once(ask: "Ask", interval: float) -> None:
    """Writes one picture of what happens within the interval."""
    from rich.console import Console

    from sipwright.views.sample import Change, sample
    from sipwright.views.top import HEIGHT, frame

    before = sample(ask)
    time.sleep(interval)
    console = Console(highlight=False)
    console.print(frame(Change(before, sample(ask)), HEIGHT, keys=False))


def show_live(ask: "Ask", interval: float) -> None:
    """Shows a picture for each interval until q is pressed."""
    from rich.console import Console
    from rich.live import Live

    from sipwright.views.sample import Change, sample
    from sipwright.views.top import frame

    console = Console(highlight=False)
    now = sample(ask)
    with keyboard() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        # At once, with what there is since the start.
        live.update(frame(Change(now, now), console.height), refresh=True)
        while not pressed(interval):
            before, now = now, sample(ask)
            live.update(frame(Change(before, now), console.height), refresh=True)


class _Keys:
    """Whether q, Q or the end of the input comes within so many seconds."""

    def __call__(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([0], [], [], left)[0] and os.read(0, 16)[:1] in (b"q", b"Q", b""):
                return True
        return False


@contextmanager
def keyboard() -> Iterator[_Keys]:
    """Has keys come at once and unseen while it lasts."""
    before = termios.tcgetattr(0)
    try:
        tty.setcbreak(0)
        yield _Keys()
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
