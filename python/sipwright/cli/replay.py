"""`sipwright replay`: recorded traffic through a script."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sipwright.cli.common import Failure, UsageFailure, reporting

if TYPE_CHECKING:
    from sipwright.testing.capture import Address, Captured
    from sipwright.testing.server import VirtualServer


@click.command("replay")
@click.argument("capture", type=click.Path(path_type=Path))
@click.option("--script", type=click.Path(path_type=Path), help="The KEMI Python script.")
@click.option(
    "--config", "-c", type=click.Path(path_type=Path), help="A kamailio.cfg, which names the script, or sipwright.toml."
)
@click.option("--define", "-A", "defines", multiple=True, metavar="NAME[=VALUE]", help="A define for a kamailio.cfg.")
@click.option(
    "--server", "-s", "servers", multiple=True, metavar="[PROTO:]ADDRESS", help="The recorded server's address."
)
@click.option("--record", multiple=True, metavar="RECORD", help='A DNS record, such as "gw.example.com A 192.0.2.9".')
@click.option("--messages", "-m", is_flag=True, help="Show the messages that are sent.")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    capture: Path,
    script: Path | None,
    config: Path | None,
    defines: tuple[str, ...],
    servers: tuple[str, ...],
    record: tuple[str, ...],
    messages: bool,
    output: str,
) -> None:
    """Bring the traffic of CAPTURE, a pcap or pcapng file, to a script, and show what it would send.

    Nothing is sent: the server has no sockets, and time does not pass. Where the capture holds what the server sent,
    both are compared, line by line: `-` was sent then, `+` is sent now.

    Exits with 0 when the same messages went to the same places, or when there was nothing to compare; with 1 otherwise.
    """
    if script is None and config is None:
        raise UsageFailure("give the script (--script) or the kamailio.cfg that loads it (--config)")
    captured, places = read(capture, servers)

    def start() -> "VirtualServer":
        from sipwright.testing.server import VirtualServer

        listen = [listen_text(place) for place in places]
        return VirtualServer(
            script, config=config, defines=defines, settings={"listen": listen}, records=record, raise_errors=False
        )

    show(captured, start, places, messages, output)


def show(
    captured: "list[Captured]",
    start: "Callable[[], VirtualServer]",
    places: "list[tuple[str, Address]]",
    messages: bool,
    output: str,
) -> None:
    """Replays and prints what came of it."""
    from sipwright.testing.replay import replay

    with reporting():
        calls = replay(captured, start, set(places))
    if output == "json":
        click.echo(json.dumps([_as_dict(call) for call in calls], indent=2))
    else:
        for call in calls:
            click.echo(f"Call-ID {call.call_id}: {'as recorded' if call.is_same else 'differs'}")
            for line in call.differences() if call.recorded else [f"+ {one.line}" for one in call.sent]:
                click.echo(f"  {line}")
            if messages:
                click.echo("\n".join(f"\n{one.line}\n\n{one.message}" for one in call.sent))
    if not all(call.is_same for call in calls):
        raise SystemExit(1)


def read(capture: Path, servers: tuple[str, ...]) -> "tuple[list[Captured], list[tuple[str, Address]]]":
    """The messages of a capture, and the addresses of its server."""
    from sipwright.testing.capture import CaptureError, read_capture
    from sipwright.testing.replay import ReplayError, find_servers

    try:
        captured = read_capture(capture)
        return captured, [place_of(text) for text in servers] or find_servers(captured)
    except (CaptureError, ReplayError) as error:
        raise Failure(str(error)) from error


def listen_text(place: "tuple[str, Address]") -> str:
    """An address as the setting `listen` takes it."""
    from sipwright.settings.listen import join_host_port

    return f"{place[0]}:{join_host_port(*place[1])}"


def place_of(text: str) -> "tuple[str, Address]":
    """An address on the command line. Raises UsageFailure."""
    from sipwright.settings.listen import Listen

    try:
        proto, host, port = Listen.parse(text).sockets()[0]
    except ValueError as error:
        raise UsageFailure(f"--server {text}: {error}") from None
    return proto, (host, port)


def _as_dict(call: Any) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "same": call.is_same,
        "recorded": call.lines(call.recorded),
        "sent": call.lines(call.sent),
        "left_out": call.left_out,
    }
