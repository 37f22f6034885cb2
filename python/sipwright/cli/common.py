"""What the commands share: options for settings, and how errors end them."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from sipwright.settings import Settings, SettingsError, load_settings
from sipwright.settings.sources import DEFAULT_FILE, Given

USAGE_ERROR: Final = 2
RUNTIME_ERROR: Final = 1

Command = TypeVar("Command", bound=Callable[..., Any])


class Failure(click.ClickException):
    """An error that ends the command with one line for each problem and exit status 1."""

    exit_code = RUNTIME_ERROR

    def show(self, file: Any = None) -> None:
        """Writes the error to standard error."""
        for line in self.message.splitlines() or [""]:
            click.echo(f"sipwright: {line}" if not line.startswith(" ") else line, err=True)


server_data_dir = click.option(
    "--data-dir", "-d", type=click.Path(path_type=Path), envvar="SIPWRIGHT_DATA_DIR", help="Of the server."
)
"""`--data-dir` of the commands that ask a running server."""


def settings_options(command: Command) -> Command:
    """Adds `--config` with `-c`, and `--set`, which `read_settings` takes."""
    return _settings_options(command, "--config", "-c")


def long_settings_options(command: Command) -> Command:
    """The same, without a short name."""
    return _settings_options(command, "--config")


def _settings_options(command: Command, *names: str) -> Command:
    command = click.option(
        "--set",
        "assignments",
        metavar="KEY=VALUE",
        multiple=True,
        help="Set any setting, for example --set script.workers=4. May be repeated.",
    )(command)
    return click.option(
        *names,
        type=click.Path(path_type=Path),
        envvar="SIPWRIGHT_CONFIG",
        help=f"Settings file; without it {DEFAULT_FILE} of the current directory, if there is one.",
    )(command)


def read_settings(config: Path | None, assignments: tuple[str, ...], **overrides: Any) -> Settings:
    """The settings of all layers; `overrides` are values by dotted key, those that are None or empty are left out."""
    with reporting():
        return settings_reader(config, assignments, **overrides)()


class SettingsReader:
    """Reads the settings of all layers, now or when the server reloads; calling it raises SettingsError.

    `files` are those that it read last, and further ones that the last error lies in.
    """

    def __init__(
        self,
        file: Path | None,
        assignments: tuple[str, ...],
        overrides: dict[str, Any],
        base: Callable[[], Iterable[Given]],
        base_files: Collection[Path],
    ) -> None:
        self._file = file
        self._assignments = assignments
        self._overrides = overrides
        self._base = base
        self._base_files = base_files
        # The server may change its directory.
        self._directory = Path.cwd()

    @property
    def files(self) -> list[Path]:
        """Where settings come from."""
        found = [*self._base_files, *([] if self._file is None else [self._file])]
        return [self._directory / path for path in found]

    def __call__(self) -> Settings:
        file = self._file
        if file is not None and Path.cwd() != self._directory:
            file = self._directory / file
        return load_settings(file, self._assignments, overrides=self._overrides, base=self._base())


def settings_reader(
    config: Path | None,
    assignments: tuple[str, ...],
    base: Callable[[], Iterable[Given]] = tuple,
    base_files: Collection[Path] = (),
    **overrides: Any,
) -> SettingsReader:
    """What reads those settings.

    `base` gives the values under all layers, those of a kamailio.cfg; `base_files` are its files.
    """
    file = config
    if file is None and Path(DEFAULT_FILE).is_file():
        file = Path(DEFAULT_FILE)
    given = {key.replace("__", "."): value for key, value in overrides.items() if value not in (None, (), [])}
    for key, value in given.items():
        if isinstance(value, Path):
            given[key] = value.expanduser().absolute()
    return SettingsReader(file, assignments, given, base, base_files)


class UsageFailure(Failure):
    """The same for what the user asked or set wrongly: exit status 2."""

    exit_code = USAGE_ERROR


@contextmanager
def reporting() -> Iterator[None]:
    """Turns the errors that users cause into lines on standard error and an exit status."""
    from sipwright.control.lock import DataDirInUse
    from sipwright.script.errors import ScriptError
    from sipwright.storage.errors import DatabaseError

    engine_error, config_error = _engine_errors()
    try:
        yield
    except SettingsError as error:
        raise UsageFailure(str(error)) from error
    except config_error as error:
        raise UsageFailure(str(error)) from error
    except (DataDirInUse, DatabaseError, ScriptError, engine_error) as error:
        raise Failure(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise Failure(f"{where}{error.strerror or error}") from error


def _engine_errors() -> tuple[type[Exception], type[Exception]]:
    try:
        from sipwright._engine import ConfigError, EngineError
    except ImportError as error:
        raise Failure(f"the engine cannot be loaded: {error}; was it built for this Python?") from None
    return EngineError, ConfigError
