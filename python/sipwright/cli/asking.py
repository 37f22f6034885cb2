"""Commands that ask a running server: where it is, by the control socket or HTTP, and how its answer is shown."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sipwright.cli.common import Failure, UsageFailure, server_data_dir
from sipwright.cli.shown import is_table, output_option, show
from sipwright.settings.effective import default_data_dir


@dataclass(frozen=True, slots=True)
class Asker:
    """A server to ask, and how to show what it says."""

    data_dir: Path | None
    url: str | None
    token_file: Path | None
    timeout: float
    output: str | None

    def call(self, method: str, *params: Any) -> Any:
        """The result of a control method; a Failure says why there is none."""
        from sipwright.control.client import ControlError, call, call_http

        try:
            if self.url is None:
                return call(self.data_dir or default_data_dir(), method, list(params), self.timeout)
            token = "" if self.token_file is None else self.token_file.read_text().split()[0]
            return call_http(self.url, token, method, list(params), self.timeout)
        except ControlError as error:
            raise Failure(str(error)) from error
        except (OSError, IndexError) as error:
            raise Failure(f"--token-file: {self.token_file}: {error}") from error

    @property
    def as_table(self) -> bool:
        """Whether results are shown as tables."""
        return is_table(self.output)

    def show(self, result: Any) -> None:
        """Shows a result."""
        show(result, self.output)


def asks(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that say where the server is; it is called with an Asker first."""

    @functools.wraps(command)
    def asking(
        *args: Any,
        data_dir: Path | None,
        url: str | None,
        token_file: Path | None,
        timeout: float,
        output: str | None,
        **options: Any,
    ) -> Any:
        if timeout <= 0:
            raise UsageFailure("--timeout: must be greater than 0")
        if url is not None and data_dir is not None and _given("data_dir"):
            raise UsageFailure("--url and --data-dir: only one of them")
        return command(Asker(data_dir, url, token_file, timeout, output), *args, **options)

    for option in reversed(_OPTIONS):
        option(asking)
    return output_option(asking)  # type: ignore[no-any-return]


def _given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


_OPTIONS = (
    server_data_dir,
    click.option(
        "--url", envvar="SIPWRIGHT_URL", help="HTTP address of the server instead, such as http://127.0.0.1:8480."
    ),
    click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        envvar="SIPWRIGHT_TOKEN_FILE",
        help="File whose first word is the token for --url.",
    ),
    click.option("--timeout", default=10.0, show_default=True, help="Seconds to wait for the answer."),
)
