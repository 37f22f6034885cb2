"""Control methods of Kamailio's module cfgutils that tell whether a file was changed since the start."""

import hashlib
from pathlib import Path

from sipwright.control.rpc import Rpc, RpcError


class ConfigHash:
    """A file, and the MD5 sum that it had; no file is checked without one."""

    def __init__(self, path: Path | None) -> None:
        """Raises OSError when it cannot be read."""
        self._path = path
        self._sum = "" if path is None else _sum_of(path)

    def register(self, rpc: Rpc) -> None:
        """Adds the methods."""
        rpc.add("cfgutils.get_config_hash", self.get)
        rpc.add("cfgutils.check_config_hash", self.check, blocking=True)

    def get(self) -> str:
        """The MD5 sum that the file `cfgutils.hash_file` had at the start; empty without one."""
        return self._sum

    def check(self) -> str:
        """Whether it still has it."""
        if self._path is None:
            raise RpcError(500, "No hash file")
        try:
            now = _sum_of(self._path)
        except OSError:
            raise RpcError(500, "Failed to hash the file") from None
        return "Identical hash" if now == self._sum else "Different hash"


def _sum_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
