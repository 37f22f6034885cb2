"""What a running server takes over of a script and of settings that have changed, by command or when their files change.

What is in force stays in force until its successor is known to be good: a script that does not load, or settings with a
mistake, change nothing.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from sipwright import _engine, log
from sipwright.kemi import calls
from sipwright.script.errors import ScriptError, files_of
from sipwright.settings.effective import effective
from sipwright.settings.errors import SettingsError
from sipwright.settings.live import AT_ONCE, WITH_SCRIPT, change, differences, is_live, merged
from sipwright.settings.model import Settings
from sipwright.watching import Watch

if TYPE_CHECKING:
    from sipwright.server import Server

# Files are looked at so often; a change counts once the next look finds the same.
LOOK_S: Final = 0.25


class Reader(Protocol):
    """Reads the settings again; `files` are those that it read last, and that an error lies in."""

    @property
    def files(self) -> Iterable[Path]: ...

    def __call__(self) -> Settings: ...


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of settings that were read again: names of those that are in force now, of those that need a restart,
    and why others failed.
    """

    changed: list[str]
    restart: list[str]
    failed: list[str]


class Reloader:
    """Reloads the script and the settings of a server; one at a time, in the thread that calls."""

    def __init__(self, server: "Server", reader: Reader | None) -> None:
        self._server = server
        self._reader = reader
        self._lock = threading.RLock()
        self.counters = {
            "script_reloads": 0,
            "script_reload_failures": 0,
            "settings_reloads": 0,
            "settings_reload_failures": 0,
        }
        # Files that the last failed reload named beside those that are in use.
        self._blamed: set[Path] = set()
        self._watches: list[Watch] = []

    def script(self, settings: Settings | None = None) -> tuple[int, int]:
        """Loads the script anew; the old and the new version. Raises ScriptError, then nothing has changed."""
        with self._lock:
            try:
                versions = self._server.runtime.reload(None if settings is None else settings.script)
            except ScriptError as error:
                self._blamed |= files_of(error)
                self._know()
                self.counters["script_reload_failures"] += 1
                raise
            self.counters["script_reloads"] += 1
            self._blamed.clear()
            return versions

    def settings(self) -> Reloaded:
        """Reads the settings again and takes over what can change while the server runs.

        Raises SettingsError where they cannot be read; then nothing has changed. Otherwise certificates, script and the
        rest are taken over or stay as they were, each by itself.
        """
        with self._lock:
            try:
                reloaded = self._take_over()
            except SettingsError:
                self._know()
                self.counters["settings_reload_failures"] += 1
                raise
            self.counters["settings_reload_failures" if reloaded.failed else "settings_reloads"] += 1
            return reloaded

    def everything(self) -> None:
        """Reloads settings and script, as SIGHUP asks for; logs what fails."""
        if self._reader is not None and self._told_settings(""):
            # The script was loaded with them, if they are about it.
            return
        self._told_script("")

    def watch(self) -> Callable[[], None]:
        """What looks at the files and reloads what has changed; to be called every LOOK_S."""
        self._watches = script, settings = [Watch(self.script_files), Watch(self.settings_files)]

        def look() -> None:
            if changed := settings.changed():
                self._told_settings(f"{_names(changed)} changed: ")
            if changed := script.changed():
                self._told_script(f"{_names(changed)} changed: ")

        return look

    def script_files(self) -> set[Path]:
        """The files of the script: its own, the modules beside it, and those that an error lies in."""
        modules = self._server.runtime.main.modules.modules.values()
        files = {Path(file) for module in modules if (file := getattr(module, "__file__", None))}
        path = self._server.settings.script.path
        return files | self._blamed | ({path} if path is not None else set())

    def settings_files(self) -> set[Path]:
        """The files that settings come from, and the tls.cfg that they name."""
        config = self._server.tls.settings.tls.config
        found = set() if self._reader is None else set(self._reader.files)
        return found | ({config} if config is not None else set())

    def _know(self) -> None:
        for watch in self._watches:
            watch.know()

    def _told_script(self, why: str) -> None:
        try:
            self.script()
        except ScriptError as error:
            log.error(f"{why}reload failed, the previous script stays in use: {error}")

    def _told_settings(self, why: str) -> bool:
        """Whether the script was loaded on the way."""
        before = self.counters["script_reloads"]
        try:
            reloaded = self.settings()
        except SettingsError as error:
            log.error(f"{why}the settings stay as they were: {error}")
        else:
            if why and reloaded == Reloaded([], [], []):
                log.notice(f"{why}no setting is another one")
        return self.counters["script_reloads"] > before

    def _take_over(self) -> Reloaded:
        server = self._server
        if self._reader is None:
            return Reloaded([], [], [])
        old = server.settings.model_copy(update={"tls": server.tls.settings.tls})
        new = self._read()
        names = differences(old, new)
        settings, failed = old, []
        parts = [
            [name for name in names if is_live(name) and name.startswith("tls.")],
            [name for name in names if name in WITH_SCRIPT],
            [name for name in names if name in AT_ONCE],
        ]
        actions: list[Callable[[Settings], object]] = [server.tls.take_over, self.script, _take_prefix]
        for part, action in zip(parts, actions, strict=True):
            following = merged(settings, new, part)
            try:
                # Profiles of a tls.cfg may be others under the same name.
                if part or (part is parts[0] and following.tls.config is not None):
                    action(following)
            except (SettingsError, ScriptError, _engine.ConfigError, _engine.BindError, ValueError) as error:
                log.error(f"settings: {', '.join(part)} not taken over: {error}")
                failed.append(str(error))
                part.clear()
            else:
                settings = following
        server.take_over(settings)
        for name in (changed := [name for part in parts for name in part]):
            log.notice(f"settings: {change(name, old, new)}")
        for name in (restart := [name for name in names if not is_live(name)]):
            log.warning(f"settings: {change(name, old, new)} needs a restart")
        return Reloaded(changed, restart, failed)

    def _read(self) -> Settings:
        server, reader = self._server, self._reader
        assert reader is not None
        tls = server.settings.tls

        def certificates(directory: str, hosts: list[str]) -> tuple[str, str, str]:
            if tls.certificate is None or tls.private_key is None:
                return _engine.make_dev_certificates(directory, hosts)
            return "", str(tls.certificate), str(tls.private_key)

        read = reader()
        wanted = read.data_dir
        # No directory is made for a server that does not use it.
        filled = effective(read.model_copy(update={"data_dir": server.data_dir}), certificates)
        if wanted is not None:
            filled = filled.model_copy(update={"data_dir": wanted.expanduser().absolute()})
        return filled


def _take_prefix(settings: Settings) -> None:
    """The one of `AT_ONCE` that may be wrong: a variable of it that cannot be read is a ValueError."""
    _engine.set_log_prefix(settings.log.prefix, settings.log.prefix_mode == 1)


def apply(server: "Server", old: Settings, new: Settings) -> None:
    """Brings those of `AT_ONCE` into force that differ."""
    changed = AT_ONCE.intersection(differences(old, new))
    # What commands have changed since stays, unless the settings say something else than before.
    if "log.level" in changed:
        _engine.set_log_level(log.LEVELS[new.log.level])
    if "log.format" in changed:
        _engine.set_log_json(new.log.format == "json")
    if "record.enabled" in changed:
        server.engine.recording().switch(new.record.enabled)
    if "script.strict" in changed:
        _engine.set_strict(new.script.strict)
        calls.set_strict(new.script.strict)
    server.watchdog.set_limits(new.script.slow_call_ms, new.script.stall_after_ms)
    server.engine.recording().set_slow_ms(new.script.slow_call_ms)
    server.runtime.answers_errors = new.script.on_error == "500"


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(sorted(path.name for path in paths))
