"""`sipwright record`: the recording of calls of a running server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from sipwright.cli.common import Failure, reporting, server_data_dir


@click.group("record")
def command() -> None:
    """The recording of calls of a running server: its state, and as a capture file."""


@command.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--call-id", help="Only the messages with this Call-ID.")
@click.option("--unmasked", is_flag=True, help="Leave digest responses, passwords and media keys as they were.")
@server_data_dir
def export(file: Path, call_id: str | None, unmasked: bool, data_dir: Path | None) -> None:
    """Write the recorded messages to FILE, a pcapng file for Wireshark, tshark and sngrep.

    Each message is a UDP datagram in it, whatever it came by: what TLS carried can be read. Credentials are masked.
    """
    from contextlib import nullcontext

    from sipwright import _engine
    from sipwright.control.client import ControlError
    from sipwright.record import pcapng
    from sipwright.record.source import ServerSource, entries_of, unmasking
    from sipwright.settings.effective import default_data_dir

    directory = data_dir or default_data_dir()
    try:
        with reporting(), unmasking(directory) if unmasked else nullcontext("") as key, _whole(file) as out:
            entries = entries_of(ServerSource(directory, key), call_id)
            count = pcapng.write(out, entries, f"Sipwright {_engine.VERSION}")
            if not count:
                raise Failure(f"no message with Call-ID {call_id} is recorded" if call_id else "no message is recorded")
    except ControlError as error:
        raise Failure(str(error)) from error
    click.echo(f"{count} messages in {file}")


@contextmanager
def _whole(file: Path) -> Iterator[BinaryIO]:
    """Writes a file that nobody but us may read; on any error, a full disk too, what was there before stays. OSError."""
    part = file.with_name(f"{file.name}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
            yield out
            out.flush()
            # Some file systems find out only now that there is no room.
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        # A write does not know the name.
        raise OSError(error.errno, error.strerror, str(error.filename or file)) from error
    finally:
        part.unlink(missing_ok=True)


@command.command("status")
@server_data_dir
def status(data_dir: Path | None) -> None:
    """Show whether the server records, and how full the recording is."""
    from sipwright.control.client import ControlError, call
    from sipwright.settings.effective import default_data_dir

    try:
        found = call(data_dir or default_data_dir(), "record.status")
    except ControlError as error:
        raise Failure(str(error)) from error
    click.echo("recording" if found["enabled"] else "not recording")
    for name in ("entries", "bytes"):
        share = 100 * found[name] / found[f"max_{name}"]
        click.echo(f"  {name:<8} {found[name]:>12,} of {found[f'max_{name}']:>13,}  {share:5.1f} %")
