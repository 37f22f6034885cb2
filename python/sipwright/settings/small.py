"""Settings of small modules; names as in Kamailio's modules of those names."""

import re
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from sipwright.settings.section import Count, Positive, Section

CFGUTILS_IGNORED_MODPARAMS: Final = {
    "initial_gflags": "there are no global flags",
}
_NAMED: Final = re.compile(r"\s*(\w+)\s*=\s*([^;]*)\s*")


def _lines(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def named_values(line: str) -> dict[str, str]:
    """`name=value;name=value`, as Kamailio writes it; ValueError for anything else."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in line.split(";"))):
        match = _NAMED.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no `name=value`")
        found[match[1]] = match[2].strip()
    return found


def _queues(lines: list[str]) -> list[str]:
    for line in lines:
        values = named_values(line)
        if not values.get("name") or not values.get("size", "0").isdigit():
            raise ValueError(f"{line!r} is no queue `name=NAME[;size=NUMBER]`")
    return lines


def _timers(lines: list[str]) -> list[str]:
    for line in lines:
        values = named_values(line)
        if not values.get("name") or not re.fullmatch(r"[1-9]\d*u?", values.get("interval", "120")):
            raise ValueError(f"{line!r} is no timer `name=NAME;interval=SECONDS`, or microseconds with a `u`")
        if not re.fullmatch(r"\d{1,2}", values.get("mode", "0")):
            raise ValueError(f"{line!r}: mode is no number from 0 to 99")
    return lines


def _tasks(lines: list[str]) -> list[str]:
    for line in lines:
        values = named_values(line)
        if not values.get("timer") or not values.get("route"):
            raise ValueError(f"{line!r} is no task `timer=NAME;route=METHOD`")
    return lines


Lines = Annotated[list[str], BeforeValidator(_lines)]


class MqueueSettings(Section):
    """Queues between routes: `KSR.mqueue`."""

    mqueue: Annotated[Lines, AfterValidator(_queues)] = Field(
        default_factory=list,
        description="Queues, `name=NAME;size=NUMBER`; a full one drops its oldest item, size 0 stands for `max_size`.",
    )
    max_size: Positive = Field(100_000, description="Items of a queue without a size.")


class CfgutilsSettings(Section):
    """Chance, locks, shared variables: `KSR.cfgutils`."""

    initial_probability: int = Field(10, ge=0, le=100, description="Probability of `rand_event`, in per cent.")
    hash_file: Path | None = Field(
        None,
        description="File that the control method `cfgutils.check_config_hash` compares with what it was at the start.",
    )
    lock_set_size: Count = Field(0, description="Locks, as a power of two; 0 for 64 of them (Kamailio: none).")


class CountersSettings(Section):
    """Counters of scripts: `KSR.counters` and `KSR.statistics`."""

    script_counter: Lines = Field(
        default_factory=list,
        description="Counters, `[GROUP.]NAME` and, behind a space or a colon, what they count; without a group they are of the "
        "group `script`.",
    )
    script_cnt_grp_name: str = Field("script", description="That group.")
    variable: Lines = Field(default_factory=list, description="Counters of Kamailio's module statistics.")


class RtimerSettings(Section):
    """Routes by the clock."""

    timer: Annotated[Lines, AfterValidator(_timers)] = Field(
        default_factory=list,
        description="Timers, `name=NAME;interval=SECONDS;mode=NUMBER`, or microseconds with a `u` behind the number; with a "
        "`mode` above 1 so many runs of each route begin every interval.",
    )
    default_interval_s: Positive = Field(120, description="Interval of timers that have none.")
    exec: Annotated[Lines, AfterValidator(_tasks)] = Field(
        default_factory=list, description="Methods of the script that they call, `timer=NAME;route=METHOD`."
    )


class ExecSettings(Section):
    """Programs that scripts start: `KSR.exec`."""

    time_to_kill_s: Count = Field(0, description="Seconds after which a program is ended; 0 for never.")
    setvars: bool = Field(True, description="Whether programs get the message in variables `SIP_*`.")
    bash_safety: bool = Field(True, description="Whether header fields that begin with `() {` are left out of them.")
