"""The profile of the script, by the control socket."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sipwright.control.rpc import FAILED, Rpc, RpcError
from sipwright.kemi.calls import called
from sipwright.script.profile_rows import rows
from sipwright.script.profiler import ksr_builtins

if TYPE_CHECKING:
    from sipwright.server import Server

LONGEST_S: Final = 3_600.0
MOST_STACKS: Final = 5_000


def register(rpc: Rpc, server: "Server") -> None:
    """Adds the methods of the profile."""
    rpc.add("script.profile_start", partial(start, server), blocking=True)
    rpc.add("script.profile_stop", partial(stop, server))
    rpc.add("script.profile_get", partial(get, server), blocking=True)


def start(server: "Server", seconds: float = 60.0) -> dict[str, Any]:
    """Begins a profile of the script, which ends by itself after so many seconds."""
    if not 0 < seconds <= LONGEST_S:
        raise RpcError(FAILED, f"seconds must be greater than 0 and at most {LONGEST_S:g}")
    if server.profiler.is_on:
        raise RpcError(FAILED, "a profile is being made; script.profile_stop ends it")
    server.profiler.start(seconds, ksr_builtins(), called)
    return {"on": True, "seconds": seconds}


def stop(server: "Server") -> dict[str, Any]:
    """Ends the profile, which can still be read."""
    server.profiler.stop()
    return {"on": False, "seconds": round(server.profiler.seconds, 3)}


def get(server: "Server", stacks: int = 1_000) -> dict[str, Any]:
    """The profile that is being made, or the last one, with at most so many stacks."""
    if not 0 <= stacks <= MOST_STACKS:
        raise RpcError(FAILED, f"stacks must be between 0 and {MOST_STACKS}")
    return rows(server.profiler, stacks)
