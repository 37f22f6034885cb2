"""`sipwright ladder`: calls as ladder diagrams."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sipwright.cli.common import Failure, UsageFailure, server_data_dir

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from sipwright.record.entry import Call, Entry
    from sipwright.record.source import ServerSource, Source

POLL_S: Final = 0.2
# After the end of a call its last retransmissions and routes are still shown.
AFTERMATH_S: Final = 0.6
_SEARCHED: Final = 1_000


@click.command("ladder")
@click.argument("call", required=False)
@click.option("--file", "-f", type=click.Path(path_type=Path), help="A capture file: pcapng or pcap.")
@click.option("--follow", is_flag=True, help="Go on while there are new messages.")
@click.option("--limit", "-n", default=20, show_default=True, type=click.IntRange(1, 1000), help="Calls in the list.")
@click.option("--messages", "-m", is_flag=True, help="Show whole messages and tracebacks too.")
@click.option("--decisions/--no-decisions", default=True, help="Show what the script decided.", show_default=True)
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII alone.")
@click.option("--width", type=click.IntRange(40, 1000), help="Columns; those of the terminal by default.")
@server_data_dir
def command(
    call: str | None,
    file: Path | None,
    follow: bool,
    limit: int,
    messages: bool,
    decisions: bool,
    ascii_only: bool,
    width: int | None,
    data_dir: Path | None,
) -> None:
    """Show CALL of a running server, or of a capture file, as a ladder diagram.

    CALL is a Call-ID, the beginning of one, or a number of the list that comes without CALL: 1 is the latest. With
    --follow a call is shown until it ends; without CALL, every message of every call is.
    """
    from rich.console import Console

    from sipwright.record.source import FileSource, ServerSource
    from sipwright.settings.effective import default_data_dir

    if file is not None and follow:
        raise UsageFailure("--follow: a file does not go on")
    console = Console(width=width, highlight=False, soft_wrap=True)
    show = Show(console, messages, decisions, ascii_only or not can_draw())
    with _Reporting():
        server = ServerSource(data_dir or default_data_dir())
        source: Source = server if file is None else FileSource(file)
        if call is None and follow:
            follow_all(server, show)
        elif call is None:
            show.list(source.calls(limit))
        elif follow:
            follow_call(server, found(source, call), show)
        else:
            show.call(source, found(source, call))


def can_draw() -> bool:
    """Whether standard output takes lines and arrows."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


class _Reporting:
    """Ends the command with a line for what users cause, and quietly with Ctrl-C."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        from sipwright.control.client import ControlError

        if isinstance(error, KeyboardInterrupt):
            return True
        if isinstance(error, ControlError):
            raise Failure(str(error)) from error
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise Failure(f"{error.filename or 'capture'}: {error.strerror or error}") from error
        if type(error).__name__ == "CaptureError":
            raise Failure(str(error)) from error
        return False


def found(source: "Source", wanted: str) -> "Call":
    """The call of a number of the list, of a Call-ID or of its beginning."""
    calls = source.calls(_SEARCHED)
    exact = [call for call in calls if call.call_id == wanted]
    if exact:
        return exact[0]
    if wanted.isdigit() and 1 <= int(wanted) <= len(calls):
        return calls[int(wanted) - 1]
    close = [call for call in calls if call.call_id.startswith(wanted)]
    if len(close) == 1:
        return close[0]
    if close:
        raise Failure(f"{len(close)} calls begin with {wanted}; give more of the Call-ID")
    raise Failure(f"no call {wanted} among the {len(calls)} that are recorded; `sipwright ladder` lists them")


class Show:
    """How calls are written to the terminal."""

    def __init__(self, console: "Console", messages: bool, decisions: bool, ascii_only: bool) -> None:
        self._console = console
        self.messages = messages
        self._decisions = decisions
        self._ascii_only = ascii_only

    def wants(self, entry: "Entry") -> bool:
        """Whether an entry is shown at all."""
        return entry.is_message or self._decisions or entry.kind == "error"

    def line(self, text: "Text") -> None:
        """Writes a line as it is."""
        self._console.print(text, no_wrap=True, overflow="ignore", crop=False)

    def list(self, calls: "list[Call]") -> None:
        """Writes the list of calls."""
        from sipwright.views.ladder_text import call_table

        if not calls:
            self._console.print("No call is recorded.")
            return
        self._console.print(call_table(calls), soft_wrap=False)
        self._console.print("Show one of them: sipwright ladder NUMBER", style="dim")

    def title(self, call: "Call") -> None:
        """Writes what the call is."""
        from sipwright.views.ladder import printable
        from sipwright.views.ladder_text import lasted

        code = f" {call.status}" if call.status else ""
        words = f"{call.method} {call.from_uri} to {call.to_uri}: {call.state}{code}, {lasted(call)} s"
        self._console.print(printable(words), style="bold", markup=False)
        self._console.print(f"Call-ID {printable(call.call_id)}", style="dim", markup=False)

    def call(self, source: "Source", call: "Call") -> None:
        """Writes a call as it is now."""
        from sipwright.record.source import entries_of
        from sipwright.views.ladder import ladder_of
        from sipwright.views.ladder_text import Drawing, details, entry_line

        self.title(call)
        ladder = ladder_of(entry for entry in entries_of(source, call.call_id) if self.wants(entry))
        drawing = Drawing(ladder, self._console.width, self._ascii_only)
        if drawing.fits:
            for text in drawing.header():
                self.line(text)
        shown = drawing.rows() if drawing.fits else (entry_line(r.entry, r.seconds, call=False) for r in ladder.rows)
        for row, text in zip(ladder.rows, shown, strict=True):
            self.line(text)
            if self.messages:
                for detail in details(row.entry):
                    self.line(detail)

    def following(self) -> "Callable[[Entry], None]":
        """What writes the entries of one call as they come."""
        from sipwright.views.ladder import Ladder
        from sipwright.views.ladder_text import Drawing, details, entry_line

        ladder = Ladder()

        def show(entry: "Entry") -> None:
            grew = ladder.feed(entry)
            drawing = Drawing(ladder, self._console.width, self._ascii_only)
            if not drawing.fits:
                self.line(entry_line(entry, ladder.rows[-1].seconds, call=False))
            else:
                if grew or len(ladder.rows) == 1:
                    for text in drawing.header():
                        self.line(text)
                for text in drawing.rows(len(ladder.rows) - 1):
                    self.line(text)
            if self.messages:
                for detail in details(entry):
                    self.line(detail)

        return show


def follow_call(server: "ServerSource", call: "Call", show: Show) -> None:
    """Writes a call until it is over."""
    show.title(call)
    write = show.following()
    start, over_at = 0, None
    while over_at is None or time.monotonic() < over_at:
        entries, start, is_end = server.piece(start, call.call_id)
        for entry in entries:
            if show.wants(entry):
                write(entry)
        if entries:
            found = [found for found in server.calls(_SEARCHED) if found.call_id == call.call_id]
            over_at = time.monotonic() + AFTERMATH_S if not found or found[0].is_over else None
        if is_end:
            time.sleep(POLL_S)


def follow_all(server: "ServerSource", show: Show) -> None:
    """Writes what happens from now on, until it is interrupted."""
    from sipwright.views.ladder_text import details, entry_line

    start = server.end()
    began_ns: int | None = None
    while True:
        entries, start, is_end = server.piece(start)
        for entry in entries:
            if show.wants(entry):
                began_ns = entry.mono_ns if began_ns is None else began_ns
                show.line(entry_line(entry, (entry.mono_ns - began_ns) / 1e9))
                if show.messages:
                    for detail in details(entry):
                        show.line(detail)
        if is_end:
            time.sleep(POLL_S)
