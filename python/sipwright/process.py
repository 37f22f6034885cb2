"""The process of a server: its working directory, PID file, limits, and the user that it becomes."""

import contextlib
import grp
import os
import pwd
import resource
from pathlib import Path

from sipwright import log
from sipwright.settings.errors import SettingsError
from sipwright.settings.process import ProcessSettings


def check(settings: ProcessSettings) -> None:
    """SettingsError when the user or group is not there, or the process may not become it."""
    _identity(settings)


def prepare(settings: ProcessSettings) -> None:
    """Raises the limit of open files, changes the directory and writes the PID file. Raises OSError."""
    if settings.open_files_limit:
        _raise_limit(settings.open_files_limit)
    if settings.workdir is not None:
        os.chdir(settings.workdir)
    if settings.pid_file is not None:
        settings.pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")


def drop_privileges(settings: ProcessSettings, data_dir: Path) -> None:
    """Becomes the user and group of the settings, and gives them the data directory and the PID file."""
    user, group = _identity(settings)
    if user is None and group is None:
        return
    if os.geteuid() == 0:
        owned = [data_dir, *data_dir.rglob("*"), *([settings.pid_file] if settings.pid_file else [])]
        for path in owned:
            os.chown(path, -1 if user is None else user, -1 if group is None else group, follow_symlinks=False)
    if group is not None and group != os.getegid():
        os.setgroups(_groups_of(user, group))
        os.setgid(group)
    if user is not None and user != os.geteuid():
        os.setuid(user)


def remove_pid_file(settings: ProcessSettings) -> None:
    """Removes the PID file, if it is this process's; its directory may belong to another user by now."""
    if settings.pid_file is not None:
        with contextlib.suppress(OSError, ValueError):
            if int(settings.pid_file.read_text(encoding="ascii")) == os.getpid():
                settings.pid_file.unlink()


def _raise_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wanted <= soft:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
        log.warning(f"process.open_files_limit: the system allows {hard} instead of {wanted} open files")


def _identity(settings: ProcessSettings) -> tuple[int | None, int | None]:
    """User and group by number. Raises SettingsError."""
    user, group = None, None
    if settings.user:
        account = _account(settings.user)
        user, group = account.pw_uid, account.pw_gid
    if settings.group:
        group = _group(settings.group)
    others = [(user, os.geteuid(), "user", settings.user), (group, os.getegid(), "group", settings.group)]
    for wanted, current, kind, name in others:
        if wanted is not None and wanted != current and os.geteuid() != 0:
            raise SettingsError(f"process.{kind}: only root can become {name or wanted}")
    return user, group


def _account(text: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(text)) if text.isdigit() else pwd.getpwnam(text)
    except KeyError:
        raise SettingsError(f"process.user: there is no user {text}") from None


def _group(text: str) -> int:
    if text.isdigit():
        return int(text)
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        raise SettingsError(f"process.group: there is no group {text}") from None


def _groups_of(user: int | None, group: int) -> list[int]:
    if user is None:
        return [group]
    return os.getgrouplist(pwd.getpwuid(user).pw_name, group)
