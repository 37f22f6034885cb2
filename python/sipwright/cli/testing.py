"""`sipwright testing`: tests of routing scripts."""

from pathlib import Path

import click

from sipwright.cli.common import Failure


@click.group("testing")
def command() -> None:
    """Make tests of routing scripts; pytest runs them, with the fixtures `sip` and `sip_server`."""


@command.command("from-capture")
@click.argument("capture", type=click.Path(path_type=Path))
@click.option(
    "--script", type=click.Path(path_type=Path), help="The script under test, as the test file is to name it."
)
@click.option(
    "--server", "-s", "servers", multiple=True, metavar="[PROTO:]ADDRESS", help="The recorded server's address."
)
@click.option("--call-id", "call_ids", multiple=True, metavar="CALL-ID", help="Only this call. May be repeated.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The test file; without it standard output.")
def from_capture(
    capture: Path,
    script: Path | None,
    servers: tuple[str, ...],
    call_ids: tuple[str, ...],
    output: Path | None,
) -> None:
    """Write a test file from CAPTURE, a pcap or pcapng file of calls by way of a server.

    What the phones sent is sent again, what they received is expected: the test says that the script does today what
    it did when the calls were recorded.
    """
    from sipwright.cli.replay import read
    from sipwright.testing.recorded import write_test

    captured, places = read(capture, servers)
    wanted = [one for one in captured if not call_ids or one.message.call_id in call_ids]
    if not wanted:
        raise Failure(f"{capture}: there is no message of {', '.join(call_ids) or 'SIP'}")
    text = write_test(wanted, set(places), capture, script)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{output}: {error.strerror}") from error
    click.echo(f"{output}: written")
