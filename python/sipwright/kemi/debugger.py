"""KSR.debugger: what Kamailio writes of its variables; here scripts have pdb and tracebacks instead."""

from sipwright.kemi.calls import ksr

__all__ = ["dbg_pv_dump", "dbg_pv_dump_ex"]


@ksr("debugger.dbg_pv_dump")
def dbg_pv_dump() -> int:
    """Without effect; `sipwright ctl core.workers` and pdb show what a script does: 1."""
    return 1


@ksr("debugger.dbg_pv_dump_ex")
def dbg_pv_dump_ex(mask: int, level: int) -> int:
    """Without effect, as `dbg_pv_dump`: 1."""
    return 1
