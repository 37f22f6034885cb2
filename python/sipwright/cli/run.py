"""`sipwright run`: the server itself."""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sipwright.cli.common import Failure, SettingsReader, reporting, settings_options, settings_reader

if TYPE_CHECKING:
    from sipwright.reloading import Reader
    from sipwright.server import Server


class _Run(click.Command):
    """With `-f FILE` it is the command of `kamailio.py`, whose options are Kamailio's."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if any(argument.startswith("-f") for argument in args):
            from sipwright.cli.kamailio import command as kamailio

            return kamailio.make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("run", cls=_Run)
@click.argument("script", required=False, type=click.Path(path_type=Path))
@settings_options
@click.option(
    "--listen", "-l", multiple=True, metavar="ADDRESS", help='For example "udp:0.0.0.0:5060". May be repeated.'
)
@click.option("--workers", "-w", metavar="N", help="Script worker threads.")
@click.option("--tls-mode", metavar="0|1|2", help="Who does the TLS work: tls.threads_mode.")
@click.option(
    "-f",
    metavar="FILE",
    expose_value=False,
    help="A kamailio.cfg to run with. The options are those of `sipwright kamailio` then.",
)
@click.option("--reload", is_flag=True, help="Reload the script and the settings when their files change.")
@click.option("--data-dir", "-d", type=click.Path(path_type=Path), help="Where state lives.")
@click.option("--user", "-u", metavar="USER", help="User to become once the sockets are bound: process.user.")
@click.option("--group", "-g", metavar="GROUP", help="Group to become: process.group.")
def command(**options: Any) -> None:
    """Run the server with SCRIPT, a KEMI Python script; without it, with a registrar and proxy.

    With -f FILE it runs a kamailio.cfg and the script that this loads.
    """
    run_server(_reader(options), watches=options["reload"])


def reader_of(arguments: Sequence[str]) -> SettingsReader:
    """What reads the settings that `sipwright run` with these arguments runs with. Raises click.UsageError."""
    context = command.make_context("sipwright run", list(arguments))
    if context.command is command:
        return _reader(context.params)
    from sipwright.cli.kamailio import reader_of_options

    return reader_of_options(context.params)


def _reader(options: dict[str, Any]) -> SettingsReader:
    tls_mode = options["tls_mode"]
    return settings_reader(
        options["config"],
        options["assignments"],
        script__path=options["script"],
        listen=list(options["listen"]),
        script__workers=options["workers"],
        tls__threads_mode=int(tls_mode) if tls_mode and tls_mode.isdigit() else tls_mode,
        data_dir=options["data_dir"],
        process__user=options["user"],
        process__group=options["group"],
    )


def run_server(read: "Reader", warn: Callable[[], None] = lambda: None, *, watches: bool = False) -> NoReturn:
    """Runs a server with these settings until it is stopped, and ends the process. `warn` logs what was not honoured,
    `watches` says that files that change are reloaded.
    """
    from sipwright.ending import Ending

    ending = Ending()
    try:
        with reporting():
            status = serve(read, warn, watches=watches)
    except Failure as failure:
        failure.show()
        status = failure.exit_code
    ending.end_process(status)


def serve(read: "Reader", warn: Callable[[], None] = lambda: None, *, watches: bool = False) -> int:
    """Runs a server with these settings until it is stopped; its exit status."""
    settings = read()
    warn()
    from sipwright import _engine
    from sipwright.server import Server
    from sipwright.settings.effective import effective

    return Server(effective(settings, _engine.make_dev_certificates), read, watches).run(announce)


def announce(server: "Server") -> None:
    """Says where the server can be reached, where its data is, and what to try next."""
    from sipwright import _engine, log
    from sipwright.settings.listen import is_loopback, join_host_port, socket_text

    settings = server.settings
    lines = [f"Sipwright {_engine.VERSION} is ready."]
    lines += [f"  listening on  {socket_text(*socket)}" for socket in server.engine.sockets()]
    lines += [
        f"  script        {settings.script.path} ({settings.script.workers} workers, {settings.script.isolation})",
        f"  TLS           threads mode {settings.tls.threads_mode}, certificate {settings.tls.certificate or 'none'}",
        f"  data          {server.data_dir}",
    ]
    if settings.script.path is not None and settings.script.path.name == "default_script.py":
        _, host, port = server.engine.sockets()[0]
        domain = join_host_port(host, port)
        lines += [
            f"Try it: register two phones as sip:alice@{domain} and sip:bob@{domain} (any password), call one from",
            "the other, and look at `sipwright ctl ul.dump`. Then copy the script and make it yours:",
            f"  cp {settings.script.path} my.py && sipwright run my.py",
        ]
        if not all(is_loopback(host) for _, host, _ in server.engine.sockets()):
            log.warning("the built-in script asks for no passwords: whoever reaches it can register under any name")
    lines.append(
        "Stop with Ctrl-C; reload the script with `sipwright ctl app_python.reload`, the settings too with SIGHUP."
    )
    _say("\n".join(lines) + "\n")


def _say(text: str) -> None:
    """Writes to standard output, without a buffer that would have to be written at the end: a disk that is full, or a
    pipe that nobody reads, is no reason to stop a server.
    """
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), text.encode(sys.stdout.encoding, "replace"))
