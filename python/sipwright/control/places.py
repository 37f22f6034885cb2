"""Files in the file system by which a server is asked: making way for them, and whose they are."""

import contextlib
import errno
import grp
import os
import pwd
import socket
from collections.abc import Callable
from pathlib import Path


def make_way(path: Path, is_ours: Callable[[int], bool]) -> None:
    """Removes what an earlier run left; OSError for anything else that is there."""
    with contextlib.suppress(FileNotFoundError):
        if not is_ours(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "something else is there", str(path))
        path.unlink()


def is_served(path: Path) -> bool:
    """Whether a process listens on a Unix stream socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.setblocking(False)
        try:
            asked.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


def bound_unix(path: Path, kind: socket.SocketKind) -> socket.socket:
    """A Unix socket that only the user of the process may use until `own` says otherwise. OSError."""
    made = socket.socket(socket.AF_UNIX, kind)
    mask = os.umask(0o177)
    try:
        made.bind(str(path))
    except OSError as error:
        made.close()
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.umask(mask)
    return made


def own(path: Path, mode: int, user: str, group: str) -> None:
    """Sets permissions and owner. OSError, or KeyError for names that do not exist."""
    uid = -1 if not user else int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    gid = -1 if not group else int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    os.chown(path, uid, gid)
    path.chmod(mode)
