"""Which files and directories of a server a service has to reach."""

import os
import pwd
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sipwright.settings.model import Settings

_SQLITE: Final = re.compile(r"^sqlite:///+(?P<path>/[^?]+)")
# Read before the server becomes another user, but again when it reloads.
_READ: Final = (
    ("script", "path"),
    *(("tls", name) for name in ("config", "certificate", "private_key", "ca_list", "crl")),
)


def written_to(settings: Settings) -> list[Path]:
    """Directories beside its data directory that the server makes files in: databases, sockets, the PID file, key logs."""
    files = [
        settings.process.pid_file,
        settings.jsonrpcs.fifo_name,
        settings.tls.key_log,
        *(Path(address.host) for address in settings.ctl.binrpc if address.kind.startswith("unix")),
        *(Path(found["path"]) for text in _texts(settings.model_dump()) if (found := _SQLITE.match(text))),
    ]
    own = [settings.data_dir] if settings.data_dir else []
    return sorted({path.expanduser().absolute().parent for path in files if path is not None} | {*own})


def read_by(settings: Settings) -> list[Path]:
    """Files that it reads: the script, certificates and keys."""
    found = (getattr(getattr(settings, section), name, None) for section, name in _READ)
    return [Path(path).expanduser().absolute() for path in found if path]


def unreadable(paths: Iterable[Path], user: str, groups: Iterable[str] = ()) -> list[Path]:
    """Those that `user`, or for an empty one a user without rights of its own, cannot read, by their permissions."""
    numbers = {_group_number(name) for name in groups}
    number = None
    if user:
        account = pwd.getpwnam(user)
        number = account.pw_uid
        numbers |= set(os.getgrouplist(user, account.pw_gid))
    return [path for path in paths if number != 0 and not _reaches(path, number, numbers)]


def _group_number(name: str) -> int:
    import grp

    return grp.getgrnam(name).gr_gid


def _reaches(path: Path, user: int | None, groups: set[int]) -> bool:
    try:
        return _may(path, 4, user, groups) and all(_may(parent, 1, user, groups) for parent in path.parents)
    except OSError:
        return False


def _may(path: Path, right: int, user: int | None, groups: set[int]) -> bool:
    status = path.stat()
    if user is not None and status.st_uid == user:
        return bool(status.st_mode & (right << 6))
    if status.st_gid in groups:
        return bool(status.st_mode & (right << 3))
    return bool(status.st_mode & right)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
