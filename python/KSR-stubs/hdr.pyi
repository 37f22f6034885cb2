# Written by `python -m sipwright.kemi.stubs`.
"""KSR.hdr: functions of Kamailio's module."""


def append(line: str, /) -> int:
    """Adds header lines after the last header field."""

def append_after(line: str, name: str, /) -> int:
    """Adds header lines after the first header field of that name, or after the last of all."""

def append_to_reply(line: str, /) -> int:
    """Adds header lines to responses that this server makes."""

def get(name: str, /) -> str | int | None:
    """Value of the first header field of that name."""

def get_idx(name: str, index: int, /) -> str | int | None:
    """Value of the header field at `index`; negative counts from the end."""

def gete(name: str, /) -> str | int | None:
    """As `get`, but an empty str when there is none."""

def gete_idx(name: str, index: int, /) -> str | int | None:
    """As `get_idx`, but an empty str when there is none."""

def getw(name: str, /) -> str | int | None:
    """As `get`, but `<null>` when there is none."""

def getw_idx(name: str, index: int, /) -> str | int | None:
    """As `get_idx`, but `<null>` when there is none."""

def insert(line: str, /) -> int:
    """Adds header lines before the first header field."""

def insert_before(line: str, name: str, /) -> int:
    """Adds header lines before the first header field of that name, or before the first of all."""

def is_present(name: str, /) -> int:
    """Whether there is a header field of that name: 1 or -1."""

def match_content(name: str, op: str, text: str, mode: str, /) -> bool:
    """Whether the value compares to `text`. `op`: `eq` equal, `ne` not equal, `sw` starts with, `in` contains. `mode`: `f` first, `l` last, `a` all header fields of that name."""

def remove(name: str, /) -> int:
    """Removes all header fields of that name; no error when there is none."""

def rmappend(name: str, line: str, /) -> int:
    """Removes all header fields of that name, then adds header lines after the last one."""

def rminsert(name: str, line: str, /) -> int:
    """Removes all header fields of that name, then adds header lines before the first one."""
