"""Which Python the servers run: both the same, where that can be had.

Kamailio embeds the distribution's shared libpython. A Python that somebody built by hand, without profile-guided
optimisation, makes the same script slower by a third; comparing the servers on two such Pythons would compare those.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from support.servers import ROOT, Sipwright

MODULES = Path("/usr/lib")


@cache
def embedded() -> Path | None:
    """The interpreter that belongs to the libpython of Kamailio's app_python3, if it is of our version."""
    module = next(MODULES.glob("*/kamailio/modules/app_python3.so"), None)
    if module is None:
        return None
    linked = subprocess.run(["ldd", module], capture_output=True, text=True, timeout=10).stdout
    version = re.search(r"libpython(\d+\.\d+)\S* => (\S+)", linked)
    if version is None or version[1] != f"{sys.version_info.major}.{sys.version_info.minor}":
        return None
    interpreter = Path("/usr/bin") / f"python{version[1]}"
    return interpreter if interpreter.exists() else None


@dataclass
class Peer(Sipwright):
    """Sipwright on the interpreter that the peer embeds, with the packages of the virtual environment."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if embedded() is not None:
            packages = sysconfig.get_path("purelib")
            self.env = {**self.env, "PYTHONPATH": f"{ROOT / 'python'}:{packages}"}

    def argv(self) -> list[str]:
        interpreter = embedded()
        argv = super().argv()
        return argv if interpreter is None else [str(interpreter), "-m", "sipwright", *argv[1:]]


def description() -> str:
    """Which Python each server runs, for the report."""
    interpreter = embedded()
    if interpreter is None:
        return f"Sipwright on {sys.executable} ({sys.version.split()[0]}), Kamailio on the one it embeds"
    return f"both servers on {interpreter}"
