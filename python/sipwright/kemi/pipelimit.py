"""KSR.pipelimit: limits by name, with Kamailio's return codes."""

import random
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.control.rpc import FAILED, RpcError
from sipwright.kemi.calls import ksr
from sipwright.modules.limits import PASSES, Pid, Pipes
from sipwright.modules.load import CpuLoad, waiting_bytes
from sipwright.settings.errors import SettingsError
from sipwright.settings.pike import ALGORITHMS, PipelimitSettings

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["pl_active", "pl_check", "pl_check_limit", "pl_drop", "pl_drop_range", "pl_drop_retry"]

_NO_PIPE: Final = -2

_pipes = Pipes(1)
_settings = PipelimitSettings()
_cpu = CpuLoad()


def configure(host: "Host") -> None:
    """Loads the pipes of the database, if there is one; timer, control methods, counters. Raises SettingsError."""
    global _pipes, _settings
    _settings = host.settings.pipelimit
    _pipes = Pipes(_settings.max_pipes)
    if _settings.db_url:
        _load(host)
    host.every(_settings.timer_interval_s, _turn)
    host.rpc.add("pl.list", show)
    host.rpc.add("pl.stats", stats)
    host.rpc.add("pl.get_pipes", get_pipes)
    host.rpc.add("pl.set_pipe", set_pipe)
    host.rpc.add("pl.get_pid", lambda: pid_text(_pipes.pid))
    host.rpc.add("pl.set_pid", lambda ki, kp, kd: set_pid(_pipes.pid, ki, kp, kd))
    host.rpc.add("pl.push_load", push_load)
    host.count(lambda: {"pipelimit_pipes": len(_pipes.by_name)})


@ksr("pipelimit.pl_check")
def pl_check(name: str) -> int:
    """Counts a request in a pipe: 1 when it passes, -1 when the limit is reached, 2 without a limit, -2 without the pipe."""
    result = _pipes.check(name)
    return _NO_PIPE if result is None else result


@ksr("pipelimit.pl_check_limit")
def pl_check_limit(name: str, algorithm: str, limit: int) -> int:
    """As `pl_check`; makes the pipe if it is not there (TAILDROP, RED, FEEDBACK, NETWORK), else sets its limit if above 0."""
    if algorithm not in ALGORITHMS and algorithm.upper() not in ALGORITHMS:
        log.error(f"KSR.pipelimit.pl_check: algorithm {algorithm!r} is none of {', '.join(ALGORITHMS)}")
        return _NO_PIPE
    if not _pipes.make(name, algorithm.upper(), limit):
        log.warning(f"KSR.pipelimit: there are {_settings.max_pipes} pipes; {name!r} is not limited")
        return PASSES
    return pl_check(name)  # type: ignore[no-any-return]


@ksr("pipelimit.pl_active")
def pl_active(name: str) -> int:
    """Whether there is a pipe of that name: 1 or -1."""
    return 1 if name in _pipes.by_name else -1


@ksr("pipelimit.pl_drop")
def pl_drop() -> int:
    """Answers with `pipelimit.reply_code`, 503 by default: 1 or -1."""
    return _drop(0)


@ksr("pipelimit.pl_drop_retry")
def pl_drop_retry(after: int) -> int:
    """The same with Retry-After, in seconds: 1 or -1."""
    return _drop(after)


@ksr("pipelimit.pl_drop_range")
def pl_drop_range(low: int, high: int) -> int:
    """The same with a Retry-After between two numbers of seconds: 1 or -1."""
    return _drop(random.randint(min(low, high), max(low, high)))


# ---- control methods -----------------------------------------------------------------------------------------------


def show(name: str = "") -> list[dict[str, Any]]:
    """pl.list: all pipes, or one."""
    pipes = _pipes.by_name
    if name and name not in pipes:
        raise RpcError(FAILED, f"Unknown pipe id {name}")
    return [
        {
            "name": key,
            "algorithm": pipe.algorithm,
            "limit": pipe.limit,
            "counter": pipe.counter,
            "last_counter": pipe.last_counter,
            "unused_intervals": pipe.unused_intervals,
        }
        for key, pipe in list(pipes.items())
        if name in ("", key)
    ]


def stats() -> list[str]:
    """pl.stats."""
    return [
        f"PIPE: id={name} load={pipe.load} counter={pipe.last_counter}" for name, pipe in list(_pipes.by_name.items())
    ]


def get_pipes() -> list[str]:
    """pl.get_pipes."""
    return [
        f"PIPE: id={name} algorithm={pipe.algorithm} limit={pipe.limit} counter={pipe.counter}"
        for name, pipe in list(_pipes.by_name.items())
    ]


def set_pipe(name: str, algorithm: str, limit: int) -> dict[str, Any]:
    """pl.set_pipe: changes a pipe that is there."""
    if name not in _pipes.by_name:
        raise RpcError(FAILED, f"Unknown pipe id {name}")
    _pipes.set(name, checked_algorithm(algorithm), limit)
    return {}


def push_load(load: float) -> dict[str, Any]:
    """pl.push_load: sets the load, 0 to 1, until it is read next."""
    _pipes.load = checked_load(load)
    _pipes.pid.take(_pipes.load)
    return {}


def checked_algorithm(algorithm: str) -> str:
    """An algorithm by its name in any case; RpcError for others."""
    if algorithm.upper() not in ALGORITHMS:
        raise RpcError(FAILED, f"Unknown algorithm {algorithm}")
    return algorithm.upper()


def checked_load(load: float) -> float:
    """A load between 0 and 1; RpcError for others."""
    if not 0 <= load <= 1:
        raise RpcError(FAILED, "The load is between 0 and 1")
    return float(load)


def pid_text(pid: Pid) -> str:
    """As Kamailio writes the coefficients."""
    return f"ki[{pid.ki:f}] kp[{pid.kp:f}] kd[{pid.kd:f}] "


def set_pid(pid: Pid, ki: float, kp: float, kd: float) -> dict[str, Any]:
    """Sets the coefficients."""
    pid.ki, pid.kp, pid.kd = float(ki), float(kp), float(kd)
    return {}


# ---- helpers -------------------------------------------------------------------------------------------------------


def _drop(after_s: int) -> int:
    if after_s > 0:
        _engine.append_reply_header(f"Retry-After: {after_s}\r\n")
    return _engine.sl_send_reply(_settings.reply_code, _settings.reply_reason)


def _turn() -> None:
    if _settings.load_fetch:
        _pipes.load = _cpu.read()
        _pipes.waiting_bytes = waiting_bytes()
    _pipes.turn(_settings.clean_unused)


def _load(host: "Host") -> None:
    from sqlalchemy import ColumnClause, column, select, table

    from sipwright.storage.errors import DatabaseError

    columns: list[ColumnClause[Any]] = [
        column(name)
        for name in (_settings.plp_pipeid_column, _settings.plp_algorithm_column, _settings.plp_limit_column)
    ]
    statement = select(*columns).select_from(table(_settings.plp_table_name, *columns))
    try:
        rows = host.database(_settings.db_url).query(statement)
    except DatabaseError as error:
        raise SettingsError(f"pipelimit.db_url: {error}") from error
    for name, algorithm, limit in map(tuple, rows):
        if str(algorithm).upper() not in ALGORITHMS:
            raise SettingsError(
                f"{_settings.plp_table_name}: pipe {name!r} has no algorithm of {', '.join(ALGORITHMS)}"
            )
        _pipes.set(str(name), str(algorithm).upper(), int(limit))
