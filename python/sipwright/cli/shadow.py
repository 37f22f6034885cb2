"""`sipwright shadow`: a candidate script on copies of a running server's messages."""

import datetime
import json
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sipwright.cli.common import Failure, UsageFailure, reporting

if TYPE_CHECKING:
    from sipwright.record.entry import Entry
    from sipwright.shadow.compare import Exchange
    from sipwright.shadow.runner import Shadow
    from sipwright.testing.capture import Address

_POLL_S = 0.2
Place = tuple[str, "Address"]


@click.command("shadow")
@click.argument("script", type=click.Path(path_type=Path))
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    help="The server's kamailio.cfg or sipwright.toml, for its settings.",
)
@click.option("--define", "-A", "defines", multiple=True, metavar="NAME[=VALUE]", help="A define for a kamailio.cfg.")
@click.option(
    "--from", "capture", type=click.Path(path_type=Path), help="A pcap or pcapng file instead of a running server."
)
@click.option(
    "--server",
    "-s",
    "servers",
    multiple=True,
    metavar="[PROTO:]ADDRESS",
    help="The server's address, where it listens on all.",
)
@click.option("--seconds", type=click.FloatRange(0.1), help="End after so long; otherwise Ctrl-C does.")
@click.option(
    "--record", "records", multiple=True, metavar="RECORD", help='A DNS record, such as "gw.example.com A 192.0.2.9".'
)
@click.option("--allow-connections", is_flag=True, help="Let the script's own code connect to others and send.")
@click.option(
    "--output",
    "-o",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="`json` is a line each.",
)
@click.option(
    "--data-dir", "-d", type=click.Path(path_type=Path), envvar="SIPWRIGHT_DATA_DIR", help="Of the running server."
)
def command(**options: Any) -> None:
    """Feed SCRIPT with copies of what a running server receives, and report where it decides otherwise.

    Nothing that SCRIPT does is carried out: it runs in this process, on a server without sockets, in a time of its own.
    Databases are copies in memory; HTTP clients, media relays and programs are not asked, and its own code can neither connect
    nor write files. What the server sent and what SCRIPT would have sent are compared when a call is over: replies,
    destinations, branches, headers. Lines begin with - for what only the server sent, + for what only SCRIPT
    would send, ~ for an edit.

    Exits with 1 if anything differed or SCRIPT raised.
    """
    with ExitStack() as stack:
        run = _of_capture if options["capture"] is not None else _of_server
        shadow = run(stack, options)
    click.echo(
        f"{shadow.compared:,} requests compared, {shadow.different:,} decided otherwise, {shadow.raised:,} exceptions",
        err=True,
    )
    if shadow.different or shadow.raised:
        raise SystemExit(1)


def _of_capture(stack: ExitStack, options: dict[str, Any]) -> "Shadow":
    from sipwright.cli.replay import read

    captured, places = read(options["capture"], options["servers"])
    begin = captured[0].time_s if captured else 0.0
    shadow = _started(stack, options, places, begin, data_dir=None, ask=None)
    _show(shadow, [*shadow.feed(captured), *shadow.finish()], options["output"])
    return shadow


def _of_server(stack: ExitStack, options: dict[str, Any]) -> "Shadow":
    from sipwright.control.client import ControlError, call
    from sipwright.record.source import unmasking
    from sipwright.settings.effective import default_data_dir

    data_dir = options["data_dir"] or default_data_dir()

    def ask(method: str, *params: Any) -> Any:
        return call(data_dir, method, list(params), timeout_s=60.0)

    try:
        places = _places(ask("core.info")["sockets"], options["servers"])
        with reporting():
            # Digest responses are checked by the candidate too.
            key = stack.enter_context(unmasking(data_dir))
        stack.enter_context(_recording(ask))
        begin = ask("record.status")["next"]
        shadow = _started(stack, options, [place for _, place in places.items()], time.time(), data_dir, ask)
        for exchanges in _followed(shadow, ask, key, begin, places, options["seconds"]):
            _show(shadow, exchanges, options["output"])
        _show(shadow, shadow.finish(), options["output"])
    except ControlError as error:
        raise Failure(str(error)) from error
    return shadow


@contextmanager
def _recording(ask: Callable[..., Any]) -> Iterator[None]:
    """Has the server record while it lasts."""
    was_on = ask("record.status")["enabled"]
    ask("record.enable", 1)
    try:
        yield
    finally:
        if not was_on:
            ask("record.enable", 0)


def _followed(
    shadow: "Shadow",
    ask: Callable[..., Any],
    key: str,
    begin: int,
    places: dict[Place, Place],
    seconds: float | None,
) -> Iterator[Iterable["Exchange"]]:
    """What differs, as it becomes known, until the time is over or Ctrl-C; all that was recorded until then."""
    from sipwright.record.entry import Entry

    click.echo("following the server; Ctrl-C ends it", err=True)
    deadline = None if seconds is None else time.monotonic() + seconds
    at = begin
    stopped = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        while True:
            is_last = stopped.is_set() or (deadline is not None and time.monotonic() >= deadline)
            answer = ask("record.read", at, 500, None, key)
            at = answer["next"]
            if answer["missed"]:
                click.echo(f"{answer['missed']:,} entries were overwritten before they were read", err=True)
            yield shadow.feed(_moved(Entry.from_json(row), places) for row in answer["entries"])
            if answer["end"]:
                if is_last:
                    return
                stopped.wait(_POLL_S)
    finally:
        signal.signal(signal.SIGINT, before)


def _places(sockets: list[str], servers: tuple[str, ...]) -> dict[Place, Place]:
    """The server's sockets, each with the address that the candidate's has: another one where the server listens on all."""
    from sipwright.cli.replay import place_of

    named = [place_of(text) for text in servers]
    found = {}
    for text in sockets:
        proto, (host, port) = place_of(text)
        real = (proto, (host, port))
        if host in ("0.0.0.0", "::"):
            wanted = [place for place in named if (place[0], place[1][1]) == (proto, port)]
            if not wanted:
                raise UsageFailure(f"the server listens on {text}: name its address, --server {proto}:ADDRESS:{port}")
            real = wanted[0]
        found[proto, (host, port)] = real
    return found


def _moved(entry: "Entry", places: dict[Place, Place]) -> "Entry":
    from dataclasses import replace

    place = places.get((entry.proto, entry.local))
    return entry if place is None else replace(entry, local=place[1])


def _started(
    stack: ExitStack,
    options: dict[str, Any],
    places: "list[Place]",
    begin_s: float,
    data_dir: Path | None,
    ask: Callable[..., Any] | None,
) -> "Shadow":
    """The candidate's server, with what the running one knows."""
    import tempfile

    from sipwright.cli.replay import listen_text
    from sipwright.host import DATABASE_FILE
    from sipwright.shadow.outside import Copies, Guard, Results, accept_nonces
    from sipwright.shadow.runner import Shadow
    from sipwright.shadow.state import take_over
    from sipwright.testing.server import VirtualServer

    own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipwright-shadow-")))
    guard, results = Guard(own, options["allow_connections"]), Results()
    default = data_dir / DATABASE_FILE if data_dir is not None else None
    copies = Copies(f"sqlite://{default.absolute()}" if default is not None and default.exists() else "", guard)
    with reporting(), guard.watching():
        server = stack.enter_context(
            VirtualServer(
                options["script"],
                config=options["config"],
                defines=options["defines"],
                settings={"listen": [listen_text(place) for place in places]},
                records=options["records"],
                at=datetime.datetime.fromtimestamp(begin_s, datetime.UTC),
                data_dir=own,
                raise_errors=False,
                fill=copies.fill,
            )
        )
    results.stub(server)
    accept_nonces(stack)
    contacts, items = take_over(ask, server) if ask is not None else (0, 0)
    click.echo(f"the candidate begins with {contacts:,} contacts and {items:,} items of hash tables", err=True)
    for problem in copies.problems:
        click.echo(problem, err=True)
    return Shadow(server, set(places), guard, results)


def _show(shadow: "Shadow", exchanges: "Iterable[Exchange]", output: str) -> None:
    from sipwright.shadow.compare import decision

    for one in exchanges:
        if output == "json":
            row = {
                "time": one.time_s,
                "call_id": one.call_id,
                "method": one.method,
                "cseq": one.cseq,
                "uri": one.uri,
                "live": [decision(sent) for sent in one.live],
                "shadow": [decision(sent) for sent in one.shadow],
                "differences": one.differences(),
            }
            click.echo(json.dumps(row))
        else:
            stamp = time.strftime("%H:%M:%S", time.localtime(one.time_s))
            click.echo(f"{stamp} {one.method} {one.uri}  Call-ID {one.call_id}")
            click.echo("".join(f"  {line}\n" for line in one.differences()), nl=False)
    for error in shadow.new_errors():
        click.echo(error, err=True)
