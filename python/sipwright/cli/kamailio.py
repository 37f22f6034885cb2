"""`sipwright run -f kamailio.cfg`: the server with a kamailio.cfg, by the options that Kamailio has.

It is a command of its own because the same letters mean other things without `-f`. `sipwright -f FILE ...` does the same,
so that a service file needs no more than another program name.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from sipwright.cli.common import SettingsReader, UsageFailure, long_settings_options, settings_reader
from sipwright.settings import SettingsError
from sipwright.settings.kamailio.tokens import CfgError
from sipwright.settings.listen import Listen

_ON_OFF: Final = {"yes": True, "on": True, "no": False, "off": False}
# Options that Kamailio has and that mean nothing here: letters with a value, letters without, long ones.
_IGNORED_WITH_VALUE: Final = ("-L", "-m", "-M", "-x", "-X", "-N", "-O", "-Q", "-W", "-G", "--atexit", "--log-engine")
_IGNORED_FLAGS: Final = ("-e", "-D", "-S", "-K", "-r", "-R")


def ignored_options(command: Any) -> Any:
    """Adds the options that are taken without effect."""
    for name in _IGNORED_FLAGS:
        command = click.option(name, count=True, expose_value=False, help="Of Kamailio; without effect.")(command)
    for name in _IGNORED_WITH_VALUE:
        command = click.option(
            name, metavar="X", multiple=True, expose_value=False, help="Of Kamailio; without effect."
        )(command)
    return command


@click.command("kamailio")
@click.option(
    "-f",
    "cfg",
    type=click.Path(path_type=Path),
    default=Path("/etc/kamailio/kamailio.cfg"),
    show_default=True,
    help="The kamailio.cfg.",
)
@click.option("-c", "only_check", is_flag=True, help="Check it and the script, as `sipwright check`, and end.")
@click.option("-A", "defines", multiple=True, metavar="NAME[=VALUE]", help="A define. May be repeated.")
@click.option("-l", "listen", multiple=True, metavar="ADDRESS", help="A further address. May be repeated.")
@click.option("--alias", "aliases", multiple=True, metavar="NAME", help="A further alias. May be repeated.")
@click.option("-a", "auto_aliases", type=click.Choice(list(_ON_OFF)), help="auto_aliases.")
@click.option("-n", "workers", metavar="N", help="Script worker threads (children).")
@click.option("-T", "no_tcp", is_flag=True, help="No TCP and no TLS (disable_tcp).")
@click.option("-b", "receive_buffer", metavar="BYTES", help="Receive buffer of UDP sockets (maxbuffer).")
@click.option("-d", "louder", count=True, help="Log level 1, 2 (-dd), 3 (-ddd), as the parameter debug.")
@click.option("--debug", metavar="LEVEL", type=int, help="The log level, as the parameter debug.")
@click.option("-E", "to_stderr", is_flag=True, help="Log to standard error, whatever the file says.")
@click.option("-Y", "run_dir", metavar="DIR", type=click.Path(path_type=Path), help="Data directory (rundir).")
@click.option("-P", "pid_file", metavar="FILE", type=click.Path(path_type=Path), help="PID file.")
@click.option("-w", "workdir", metavar="DIR", type=click.Path(path_type=Path), help="Working directory.")
@click.option("-u", "user", metavar="USER", help="User to become once the sockets are bound.")
@click.option("-g", "group", metavar="GROUP", help="Group to become.")
@click.option("-t", "chroot", metavar="DIR", help="Refused: let systemd or a container confine the server.")
@click.option("--subst", "substs", multiple=True, metavar="EXP", help="A directive #!subst. May be repeated.")
@click.option("--substdef", "substdefs", multiple=True, metavar="EXP", help="A directive #!substdef.")
@click.option("--substdefs", "substdefss", multiple=True, metavar="EXP", help="A directive #!substdefs.")
@click.option("--loadmodule", "modules", multiple=True, metavar="NAME", help="A further module. May be repeated.")
@click.option(
    "--modparam", "modparams", multiple=True, metavar="MODULE:NAME:s|i:VALUE", help="A further module parameter."
)
@click.option("--reload", is_flag=True, help="Reload the script and the settings when their files change.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where state lives.")
@click.option("-v", "-V", "--version", "version", is_flag=True, help="Show the version.")
@ignored_options
@long_settings_options
def command(**options: Any) -> None:
    """Run the server with a kamailio.cfg and the Python script that it loads.

    `sipwright run -f FILE` is this command too, and so is `-f FILE` without a command.
    """
    if options["version"]:
        from sipwright.cli.version import command as version

        click.get_current_context().invoke(version)
        return
    if options["chroot"]:
        raise UsageFailure("-t: let systemd (RootDirectory) or a container confine the server")
    source = source_of(options)
    if options["only_check"]:
        from sipwright.cli.check import check_kamailio_cfg

        check_kamailio_cfg(source, output="text", load=False)
        return
    from sipwright.cli.run import run_server

    run_server(_reader(source, options), source.warn, watches=options["reload"])


def reader_of_options(options: dict[str, Any]) -> SettingsReader:
    """What reads the settings that the command runs with when it is given these options. Raises UsageFailure."""
    return _reader(source_of(options), options)


def _reader(source: "Source", options: dict[str, Any]) -> SettingsReader:
    return source.reader(options["config"], options["assignments"], overrides(options))


@dataclass(frozen=True, slots=True)
class Source:
    """A kamailio.cfg with what the command line adds to it."""

    cfg: Path
    defines: tuple[str, ...] = ()
    listen: tuple[Listen, ...] = ()
    statements: tuple[str, ...] = ()

    def translation(self) -> Any:
        """The file, read and translated. Raises SettingsError."""
        from sipwright.settings.kamailio import read_kamailio_cfg

        return read_kamailio_cfg(self.cfg, self.defines, listen=self.listen, statements=self.statements)

    def reader(self, config: Path | None, assignments: tuple[str, ...], given: dict[str, Any]) -> SettingsReader:
        """What reads the file and the layers over it, now or when the server reloads; it raises SettingsError."""
        files = {self.cfg}

        def base() -> Any:
            try:
                translation = self.translation()
            except CfgError as error:
                files.update(error.files)
                raise
            files.clear()
            files.update(translation.files)
            if translation.refusals:
                raise SettingsError(*map(str, translation.refusals), f"`sipwright check {self.cfg}` says more.")
            return translation.given

        return settings_reader(config, assignments, base, files, **given)

    def warn(self) -> None:
        """Logs what the server does not do although the file asks for it."""
        from sipwright import log

        for entry in self.translation().warnings:
            log.warning(str(entry))


def source_of(options: dict[str, Any]) -> Source:
    """What the options say about the file. Raises UsageFailure."""
    statements = [
        *(f'loadmodule "{name}"' for name in options["modules"]),
        *(f'#!{name} "{text}"' for name in ("subst", "substdef") for text in options[f"{name}s"]),
        *(f'#!substdefs "{text}"' for text in options["substdefss"]),
        *map(_modparam, options["modparams"]),
        *(f"alias={name};" for name in options["aliases"]),
        *(["disable_tcp=yes"] if options["no_tcp"] else []),
    ]
    return Source(
        # The server may change its directory, and reads the file again for `tls.reload`.
        options["cfg"].absolute(),
        options["defines"],
        tuple(_address(text) for text in options["listen"]),
        tuple(statements),
    )


def overrides(options: dict[str, Any]) -> dict[str, Any]:
    """The settings that options give, in the form of `settings_reader`."""
    from sipwright.settings.kamailio.globals import log_level

    debug = options["debug"] if options["debug"] is not None else options["louder"] or None
    return {
        "auto_aliases": None if options["auto_aliases"] is None else _ON_OFF[options["auto_aliases"]],
        "data_dir": options["data_dir"] or options["run_dir"],
        "log__level": None if debug is None else log_level(debug),
        "log__output": "stderr" if options["to_stderr"] else None,
        "process__group": options["group"],
        "process__pid_file": options["pid_file"],
        "process__user": options["user"],
        "process__workdir": options["workdir"],
        "script__workers": options["workers"],
        "udp__receive_buffer_bytes": options["receive_buffer"],
    }


def _address(text: str) -> Listen:
    address, slash, advertise = text.partition("/")
    try:
        return Listen.parse(f"{address} advertise {advertise}" if slash else address)
    except ValueError as error:
        raise UsageFailure(f"-l {text}: {error}") from None


def _modparam(text: str) -> str:
    parts = text.split(":", 3)
    if len(parts) != 4 or parts[2] not in ("s", "i"):
        raise UsageFailure(f"--modparam={text}: must be MODULE:NAME:s:TEXT or MODULE:NAME:i:NUMBER")
    module, name, kind, value = parts
    shown = value if kind == "i" else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f'modparam("{module}", "{name}", {shown})'
