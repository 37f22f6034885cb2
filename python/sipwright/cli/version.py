"""`sipwright version`."""

import platform

import click


@click.command("version")
def command() -> None:
    """Show the versions of Sipwright and Python."""
    from sipwright import _engine

    click.echo(f"sipwright {_engine.VERSION} (Python {platform.python_version()}, {platform.machine()})")
