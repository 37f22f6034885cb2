"""The `sipwright` command. Each command is in a file of its own, which is imported when it is used."""

import gc
import importlib
from typing import Final

import click

# The command's name and the file of this package that has it.
COMMANDS: Final = {
    "run": "run",
    "kamailio": "kamailio",
    "check": "check",
    "doctor": "doctor",
    "cert": "cert",
    "ctl": "ctl",
    "replay": "replay",
    "testing": "testing",
    "shadow": "shadow",
    "ul": "ul",
    "tls": "tls",
    "dispatcher": "dispatcher",
    "demo": "demo",
    "db": "db",
    "ladder": "ladder",
    "record": "record",
    "profile": "profile",
    "top": "top",
    "user": "user",
    "service": "service",
    "completion": "completion",
    "version": "version",
}


class _Commands(click.Group):
    """Imports a command's file when it is first used, so that `--help` and `version` are quick."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As Kamailio is called, without a command: `sipwright -f kamailio.cfg -DD -E`."""
        if args and args[0].startswith("-") and any(argument.startswith("-f") for argument in args):
            args = ["kamailio", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # Imports make many objects and hardly any garbage: to look for it takes a tenth of a server's start.
        gc.disable()
        try:
            command = importlib.import_module(f"sipwright.cli.{COMMANDS[cmd_name]}").command
        finally:
            gc.enable()
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A SIP server whose routing is Python: it runs Kamailio KEMI scripts unchanged."""
