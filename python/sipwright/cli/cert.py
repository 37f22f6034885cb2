"""`sipwright cert`: development certificates."""

from pathlib import Path

import click

from sipwright.cli.common import Failure, reporting
from sipwright.settings.effective import default_data_dir

_directory = click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Where they are kept; without it, the data directory."
)


@click.group("cert")
def command() -> None:
    """Make and show development certificates."""


@command.command("ca")
@_directory
def ca(directory: Path | None) -> None:
    """Make the development authority, if it is not there yet, and show its file, for phones to trust."""
    authority, _, _ = _make(directory, ("localhost", "127.0.0.1", "::1"))
    click.echo(authority)


@command.command("server")
@click.argument("hosts", nargs=-1)
@_directory
def server(hosts: tuple[str, ...], directory: Path | None) -> None:
    """Make a certificate for HOSTS (names or addresses; by default localhost), signed by the authority."""
    authority, certificate, key = _make(directory, hosts or ("localhost", "127.0.0.1", "::1"))
    click.echo(f"authority    {authority}\ncertificate  {certificate}\nprivate key  {key}")


@command.command("show")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@_directory
def show(file: Path | None, directory: Path | None) -> None:
    """Show whom a certificate FILE is for and until when; without it, those in the data directory."""
    if file is not None:
        files = [file]
    else:
        folder = _folder(directory)
        files = sorted(path for path in folder.glob("*.pem") if "key" not in path.name)
        if not files:
            raise Failure(f"there are no certificates in {folder}; `sipwright cert server` makes one")
    for path in files:
        click.echo(_describe(path))


def _make(directory: Path | None, hosts: tuple[str, ...]) -> tuple[str, str, str]:
    folder = _folder(directory)
    with reporting():
        from sipwright import _engine

        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _engine.make_dev_certificates(str(folder), list(hosts))


def _folder(directory: Path | None) -> Path:
    return directory if directory is not None else default_data_dir() / "tls"


def _describe(path: Path) -> str:
    from sipwright.views.certificate import CertificateError, read

    try:
        found = read(path)
    except CertificateError as error:
        raise Failure(str(error)) from None
    lines = [str(path), f"  subject  {found.subject}", f"  issuer   {found.issuer}"]
    lines.append(f"  names    {', '.join(found.names) or '-'}")
    return "\n".join([*lines, f"  valid    {found.not_before} to {found.not_after}"])
