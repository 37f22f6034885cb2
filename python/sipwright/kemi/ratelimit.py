"""KSR.ratelimit: limits by method or by number, with Kamailio's return codes."""

from typing import TYPE_CHECKING, Any

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.kemi.pipelimit import checked_algorithm, checked_load, pid_text, set_pid
from sipwright.modules.limits import Pipes
from sipwright.modules.load import CpuLoad, waiting_bytes

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["rl_check", "rl_check_pipe"]

_pipes = Pipes(1)
_queues: list[tuple[str, str]] = []
_cpu = CpuLoad()
_seconds = 10


def configure(host: "Host") -> None:
    """Makes pipes and queues of the settings; timer and control methods."""
    global _pipes, _seconds
    settings = host.settings.ratelimit
    _seconds = settings.timer_interval_s
    _pipes = Pipes(max(len(settings.pipe), 1))
    for line in settings.pipe:
        number, algorithm, limit = line.split(":")
        _set(number, algorithm.upper(), int(limit))
    _queues[:] = [(queue.partition(":")[0], queue.partition(":")[2].upper()) for queue in settings.queue]
    host.every(_seconds, _turn)
    host.rpc.add("rl.stats", stats)
    host.rpc.add("rl.get_pipes", get_pipes)
    host.rpc.add("rl.set_pipe", set_pipe)
    host.rpc.add("rl.get_queues", get_queues)
    host.rpc.add("rl.set_queue", set_queue)
    host.rpc.add("rl.get_pid", lambda: pid_text(_pipes.pid))
    host.rpc.add("rl.set_pid", lambda ki, kp, kd: set_pid(_pipes.pid, ki, kp, kd))
    host.rpc.add("rl.push_load", push_load)


@ksr("ratelimit.rl_check")
def rl_check() -> int:
    """Counts the request in the pipe of its method: 1 or 2 when it passes, -1 when the limit is reached or no queue fits."""
    method = str(_engine.pv_get("$rm"))
    for number, wanted in _queues:
        if wanted in ("*", method):
            return rl_check_pipe(int(number))  # type: ignore[no-any-return]
    log.error(f"KSR.ratelimit.rl_check: no queue is for {method}")
    return -1


@ksr("ratelimit.rl_check_pipe")
def rl_check_pipe(pipe: int) -> int:
    """Counts the request in a pipe: 1 or 2 when it passes, -1 when the limit is reached or there is no such pipe."""
    result = _pipes.check(str(pipe))
    if result is None:
        log.error(f"KSR.ratelimit: there is no pipe {pipe}")
        return -1
    return result


# ---- control methods -----------------------------------------------------------------------------------------------


def stats() -> list[str]:
    """rl.stats."""
    return [
        f"PIPE[{number}]: {pipe.last_counter}/{pipe.limit // _seconds} (drop rate: {pipe.load})"
        for number, pipe in _pipes.by_name.items()
    ]


def get_pipes() -> list[str]:
    """rl.get_pipes."""
    return [
        f"PIPE[{number}]: {pipe.algorithm} {pipe.last_counter}/{pipe.limit // _seconds} (drop rate: {pipe.load}) "
        f"[{pipe.counter}]"
        for number, pipe in _pipes.by_name.items()
    ]


def set_pipe(pipe: int, algorithm: str, limit: int) -> dict[str, Any]:
    """rl.set_pipe: makes or changes a pipe."""
    _set(str(pipe), checked_algorithm(algorithm), limit)
    return {}


def get_queues() -> list[str]:
    """rl.get_queues."""
    return [f"QUEUE[{position}]: {number}:{method}" for position, (number, method) in enumerate(_queues)]


def set_queue(queue: int, method: str, pipe: int) -> dict[str, Any]:
    """rl.set_queue: changes a queue, or adds one behind the last."""
    if 0 <= queue < len(_queues):
        _queues[queue] = (str(pipe), method.upper())
    else:
        _queues.append((str(pipe), method.upper()))
    return {}


def push_load(load: float) -> dict[str, Any]:
    """rl.push_load: sets the load, 0 to 1, until it is read next."""
    _pipes.load = checked_load(load)
    _pipes.pid.take(_pipes.load)
    return {}


# ---- helpers -------------------------------------------------------------------------------------------------------


def _set(number: str, algorithm: str, limit: int) -> None:
    # Requests are limited for each second and counted for each interval.
    scaled = limit * _seconds if algorithm in ("TAILDROP", "RED") else limit
    _pipes.set(number, algorithm, scaled)


def _turn() -> None:
    _pipes.load = _cpu.read()
    _pipes.waiting_bytes = waiting_bytes()
    _pipes.turn(0)
