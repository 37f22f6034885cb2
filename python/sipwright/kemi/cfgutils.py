"""KSR.cfgutils: chance, locks, pauses, shared variables, with Kamailio's return codes."""

import os
import random
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.control.rpc import RpcError
from sipwright.kemi.calls import ksr
from sipwright.modules.config_hash import ConfigHash
from sipwright.modules.dispatcher_select import hash_of
from sipwright.script.worker import current_handler
from sipwright.settings.errors import SettingsError

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = [
    "abort",
    "check_route_exists",
    "core_hash",
    "lock",
    "lock_key2",
    "pkg_status",
    "pkg_summary",
    "rand_event",
    "rand_get_prob",
    "rand_reset_prob",
    "rand_set_prob",
    "route_if_exists",
    "shm_status",
    "shm_summary",
    "sleep",
    "trylock",
    "trylock_key2",
    "unlock",
    "unlock_key2",
    "usleep",
]

_DEFAULT_LOCKS: Final = 6
_LOCK_WAIT_S: Final = 30.0
Value = str | int

_probability = 10
_initial_probability = 10
_locks: list[Any] = []


def configure(host: "Host") -> None:
    """Sets what the settings begin with; registers `$RANDOM`."""
    global _probability, _initial_probability
    settings = host.settings.cfgutils
    _probability = _initial_probability = settings.initial_probability
    _locks[:] = [threading.RLock() for _ in range(1 << (settings.lock_set_size or _DEFAULT_LOCKS))]
    host.variable("RANDOM", lambda inner, _: random.randint(0, 2**31 - 1))
    try:
        ConfigHash(settings.hash_file).register(host.rpc)
    except OSError as error:
        raise SettingsError(f"cfgutils.hash_file: {settings.hash_file}: {error.strerror}") from error
    host.rpc.add("cfgutils.rand_set_prob", _set_probability)
    host.rpc.add("cfgutils.rand_reset_prob", _reset_probability)
    host.rpc.add("cfgutils.rand_get_prob", _show_probability)


@ksr("cfgutils.rand_set_prob")
def rand_set_prob(percent: int) -> int:
    """Sets the probability of `rand_event`, in per cent: 1, or -1 when it is not between 0 and 100."""
    global _probability
    if not 0 <= percent <= 100:
        log.error(f"KSR.cfgutils.rand_set_prob: {percent} is not between 0 and 100")
        return -1
    _probability = percent
    return 1


@ksr("cfgutils.rand_reset_prob")
def rand_reset_prob() -> int:
    """Sets the probability back to `cfgutils.initial_probability`: 1."""
    return rand_set_prob(_initial_probability)  # type: ignore[no-any-return]


@ksr("cfgutils.rand_get_prob")
def rand_get_prob() -> int:
    """The probability of `rand_event`, in per cent."""
    return _probability


@ksr("cfgutils.rand_event")
def rand_event() -> int:
    """1 with the probability that was set, else -1."""
    return 1 if random.random() * 100 < _probability else -1


@ksr("cfgutils.core_hash")
def core_hash(first: str, second: str, size: int) -> int:
    """Hash of two texts, from 1 to two to the power of `size`."""
    value = hash_of(first, second) if first or second else 0
    return (value & ((1 << size if size > 0 else 2) - 1)) + 1


@ksr("cfgutils.lock")
def lock(key: str) -> int:
    """Locks a name for this worker; -1 when another one keeps it for 30 s."""
    return _lock(key, _LOCK_WAIT_S)


@ksr("cfgutils.lock_key2")
def lock_key2(first: str, second: str) -> int:
    """The same for two texts as one name."""
    return _lock(f"{first}:{second}", _LOCK_WAIT_S)


@ksr("cfgutils.trylock")
def trylock(key: str) -> int:
    """Locks a name if no other worker has it: 1 or -1."""
    return _lock(key, 0)


@ksr("cfgutils.trylock_key2")
def trylock_key2(first: str, second: str) -> int:
    """The same for two texts as one name."""
    return _lock(f"{first}:{second}", 0)


@ksr("cfgutils.unlock")
def unlock(key: str) -> int:
    """Gives a name free: 1, or -1 when this worker does not hold it."""
    try:
        _lock_of(key).release()
    except RuntimeError:
        return -1
    return 1


@ksr("cfgutils.unlock_key2")
def unlock_key2(first: str, second: str) -> int:
    """The same for two texts as one name."""
    return unlock(f"{first}:{second}")  # type: ignore[no-any-return]


@ksr("cfgutils.sleep")
def sleep(seconds: int) -> int:
    """Waits in this worker: 1."""
    time.sleep(max(seconds, 0))
    return 1


@ksr("cfgutils.usleep")
def usleep(microseconds: int) -> int:
    """Waits in this worker: 1."""
    time.sleep(max(microseconds, 0) / 1_000_000)
    return 1


@ksr("cfgutils.abort")
def abort() -> int:
    """Ends the process at once, with a core dump if the system allows it."""
    os.abort()


@ksr("cfgutils.check_route_exists")
def check_route_exists(name: str) -> int:
    """Whether the handler has that method: 1 or -1."""
    return 1 if callable(getattr(current_handler(), name, None)) else -1


@ksr("cfgutils.route_if_exists")
def route_if_exists(name: str) -> int:
    """Calls that method of the handler with the message, if there is one: 1 or -1."""
    method = getattr(current_handler(), name, None)
    if not callable(method):
        return -1
    message: Message = _engine.current()
    method(message)
    return 1


@ksr("cfgutils.shm_status")
def shm_status() -> int:
    """Without effect: the memory is the process's own: 1."""
    return 1


@ksr("cfgutils.shm_summary")
def shm_summary() -> int:
    """Without effect: the memory is the process's own: 1."""
    return 1


@ksr("cfgutils.pkg_status")
def pkg_status() -> int:
    """Without effect: the memory is the process's own: 1."""
    return 1


@ksr("cfgutils.pkg_summary")
def pkg_summary() -> int:
    """Without effect: the memory is the process's own: 1."""
    return 1


# ---- control methods -----------------------------------------------------------------------------------------------


def _set_probability(percent: int) -> None:
    """Sets the probability of `KSR.cfgutils.rand_event`, in per cent."""
    if rand_set_prob(percent) != 1:
        raise RpcError(500, "Invalid Percent")


def _reset_probability() -> None:
    """Sets it back to `cfgutils.initial_probability`."""
    rand_reset_prob()


def _show_probability() -> str:
    """The probability of `KSR.cfgutils.rand_event`."""
    return f"actual probability: {_probability} percent"


# ---- helpers -------------------------------------------------------------------------------------------------------


def _lock_of(key: str) -> Any:
    return _locks[hash_of(key) % len(_locks)]


def _lock(key: str, wait_s: float) -> int:
    if _lock_of(key).acquire(timeout=wait_s) if wait_s else _lock_of(key).acquire(blocking=False):
        return 1
    if wait_s:
        log.error(f"KSR.cfgutils.lock: another worker keeps {key!r}")
    return -1
