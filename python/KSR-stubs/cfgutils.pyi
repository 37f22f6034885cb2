# Written by `python -m sipwright.kemi.stubs`.
"""KSR.cfgutils: functions of Kamailio's module."""


def abort() -> int:
    """Ends the process at once, with a core dump if the system allows it."""

def check_route_exists(name: str, /) -> int:
    """Whether the handler has that method: 1 or -1."""

def core_hash(first: str, second: str, size: int, /) -> int:
    """Hash of two texts, from 1 to two to the power of `size`."""

def lock(key: str, /) -> int:
    """Locks a name for this worker; -1 when another one keeps it for 30 s."""

def lock_key2(first: str, second: str, /) -> int:
    """The same for two texts as one name."""

def pkg_status() -> int:
    """Without effect: the memory is the process's own: 1."""

def pkg_summary() -> int:
    """Without effect: the memory is the process's own: 1."""

def rand_event() -> int:
    """1 with the probability that was set, else -1."""

def rand_get_prob() -> int:
    """The probability of `rand_event`, in per cent."""

def rand_reset_prob() -> int:
    """Sets the probability back to `cfgutils.initial_probability`: 1."""

def rand_set_prob(percent: int, /) -> int:
    """Sets the probability of `rand_event`, in per cent: 1, or -1 when it is not between 0 and 100."""

def route_if_exists(name: str, /) -> int:
    """Calls that method of the handler with the message, if there is one: 1 or -1."""

def shm_status() -> int:
    """Without effect: the memory is the process's own: 1."""

def shm_summary() -> int:
    """Without effect: the memory is the process's own: 1."""

def sleep(seconds: int, /) -> int:
    """Waits in this worker: 1."""

def trylock(key: str, /) -> int:
    """Locks a name if no other worker has it: 1 or -1."""

def trylock_key2(first: str, second: str, /) -> int:
    """The same for two texts as one name."""

def unlock(key: str, /) -> int:
    """Gives a name free: 1, or -1 when this worker does not hold it."""

def unlock_key2(first: str, second: str, /) -> int:
    """The same for two texts as one name."""

def usleep(microseconds: int, /) -> int:
    """Waits in this worker: 1."""
