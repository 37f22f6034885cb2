# Written by `python -m sipwright.kemi.stubs`.
"""KSR.debugger: functions of Kamailio's module."""


def dbg_pv_dump() -> int:
    """Without effect; `sipwright ctl core.workers` and pdb show what a script does: 1."""

def dbg_pv_dump_ex(mask: int, level: int, /) -> int:
    """Without effect, as `dbg_pv_dump`: 1."""
