"""Configurations in which the two servers are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

# In a profile, the directory of the script.
HERE = "@HERE@"


@dataclass(frozen=True)
class Profile:
    """One configuration, in the words of either server."""

    kamailio: str = ""
    sipwright: Mapping[str, object] = field(default_factory=dict)
    # Files beside the script, by name.
    files: Mapping[str, str] = field(default_factory=dict)
    # Called with that directory, before the server starts.
    prepare: Callable[[Path], None] | None = None
    # Modules that Kamailio has to load before all others.
    loads_first: tuple[str, ...] = ()
    # What runs beside each server.
    around: Callable[[], AbstractContextManager[None]] = nullcontext
