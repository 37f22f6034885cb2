"""Whether the server is well, for `/health`, `/ready` and whoever asks: what is wrong in words."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipwright.server import Server


def unhealthy(server: "Server") -> list[str]:
    """Why the server should be looked at, or started anew: script workers or the interpreter that do not go on."""
    problems = []
    if server.watchdog.is_stalled:
        problems.append(f"a script call takes longer than {server.settings.script.stall_after_ms} ms")
    dead = [worker.rank for worker in server.runtime.workers if not worker.is_alive()]
    if dead and not server.is_draining:
        problems.append(f"script workers have ended: {', '.join(map(str, dead))}")
    return problems


def unready(server: "Server") -> list[str]:
    """Why no new work should be sent here: it stops, or what it stores goes nowhere. Its sockets are bound and its script
    is loaded before anybody can ask.
    """
    problems = []
    if server.is_draining:
        problems.append("the server is stopping")
    return [*problems, *server.host.database_problems()]
