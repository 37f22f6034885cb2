"""`sipwright demo`: a server, two phones and a call over TLS."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from sipwright.cli.common import Failure

HOST: Final = "127.0.0.1"
START_S: Final = 30.0
RINGING_S: Final = 0.2
TALK_S: Final = 0.3


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the server running until Ctrl-C, to look at it.")
@click.option(
    "--width", type=click.IntRange(40, 1000), help="Columns of the diagram; those of the terminal by default."
)
def command(keep: bool, width: int | None) -> None:
    """Start a server, have two phones call each other over TLS, and show the call as a ladder diagram.

    Nothing is left behind: the server listens on loopback, on a free port, with its data in a temporary directory.
    """
    with tempfile.TemporaryDirectory(prefix="sipwright-demo-") as directory:
        data, web = Path(directory), f"{HOST}:{free_port()}"
        with server(data, web) as info:
            sockets = ", ".join(info["sockets"])
            click.echo(f"A server listens on {sockets} and runs {Path(info['script']).name}.")
            call_id = one_call(data, info)
            show(data, call_id, width)
            if keep:
                wait(data, web)
    click.echo("It works.")


@contextmanager
def server(data: Path, web: str) -> Iterator[dict[str, Any]]:
    """A server with the default script on a free port and its page at `web`; what `core.info` says of it."""
    log = data / "log"
    argv = [sys.executable, "-m", "sipwright", "run", "--data-dir", str(data), "--listen", f"tls:{HOST}:{free_port()}"]
    argv += ["--set", "record.enabled=true", "--set", f"http.listen={web}"]
    with log.open("wb") as out:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=data)
    try:
        yield _ready(child, data, log)
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _ready(child: "subprocess.Popen[bytes]", data: Path, log: Path) -> dict[str, Any]:
    from sipwright.control.client import ControlError, call

    deadline = time.monotonic() + START_S
    while child.poll() is None and time.monotonic() < deadline:
        try:
            info: dict[str, Any] = call(data, "core.info")
            return info
        except ControlError:
            time.sleep(0.05)
    raise Failure(f"the server does not start:\n{log.read_text(errors='replace')}")


def free_port() -> int:
    """A port of loopback that nobody has."""
    import socket

    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def one_call(data: Path, info: dict[str, Any]) -> str:
    """Two phones register; alice calls bob, and hangs up. The Call-ID."""
    from sipwright.control.client import call
    from sipwright.demo.phone import Phone, PhoneError

    certificate = call(data, "tls.options")["certificate"]
    address = HOST, int(info["sockets"][0].rpartition(":")[2])
    try:
        with Phone("alice", address, certificate) as alice, Phone("bob", address, certificate) as bob:
            for phone in (alice, bob):
                phone.register()
                click.echo(f"{phone.address_of_record} is registered, over {phone.tls}.")
            alice.call(bob.address_of_record)
            invite = bob.ring()
            time.sleep(RINGING_S)
            bob_answers(alice, bob, invite)
            time.sleep(TALK_S)
            hangs_up(alice, bob)
            return invite.one("Call-ID")
    except (PhoneError, OSError) as error:
        raise Failure(f"the call failed: {error}") from error


def bob_answers(alice: Any, bob: Any, invite: Any) -> None:
    """Bob answers while alice waits for that: each reads its own connection."""
    _both(lambda: bob.answer(invite), alice.confirm)


def hangs_up(alice: Any, bob: Any) -> None:
    """Alice hangs up, and bob confirms it."""
    _both(bob.hung_up, alice.hang_up)


def _both(one: Any, other: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(one)
        other()
        beside.result()


def show(data: Path, call_id: str, width: int | None) -> None:
    """Writes the ladder diagram of the call."""
    from rich.console import Console

    from sipwright.cli.ladder import Show, can_draw, found
    from sipwright.record.source import ServerSource

    click.echo("")
    source = ServerSource(data)
    console = Console(width=width, highlight=False, soft_wrap=True)
    Show(console, messages=False, decisions=True, ascii_only=not can_draw()).call(source, found(source, call_id))
    click.echo("")


def wait(data: Path, web: str) -> None:
    """Says what to look at, and waits for Ctrl-C."""
    click.echo(f"Look at it: http://{web}, sipwright top -d {data}, sipwright ladder -d {data}. Ctrl-C ends it.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        click.echo("")
