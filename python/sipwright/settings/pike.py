"""Settings of flood detection and of rate limits; names as in Kamailio's modules pike, ratelimit and pipelimit."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from sipwright.settings.section import Count, Positive, Section

PIPELIMIT_IGNORED_MODPARAMS: Final = {
    "hash_size": "the table of pipes grows by itself",
    "timer_mode": "the control loop keeps the time",
}
ALGORITHMS: Final = ("NOP", "RED", "TAILDROP", "FEEDBACK", "NETWORK")


def _lines(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _pipe(lines: list[str]) -> list[str]:
    for line in lines:
        number, algorithm, limit = [*line.split(":"), "", "", ""][:3]
        if not number.isdigit() or algorithm.upper() not in ALGORITHMS or not limit.isdigit():
            raise ValueError(f"{line!r} is no pipe NUMBER:ALGORITHM:LIMIT with {', '.join(ALGORITHMS)}")
    return lines


def _queue(lines: list[str]) -> list[str]:
    for line in lines:
        number, _, method = line.partition(":")
        if not number.isdigit() or not method:
            raise ValueError(f"{line!r} is no queue PIPE:METHOD")
    return lines


class PikeSettings(Section):
    """Senders of too many requests: `KSR.pike`."""

    sampling_time_unit_s: Positive = Field(2, description="Seconds over which requests are counted.")
    reqs_density_per_unit: Positive = Field(
        30, description="Requests of one address in that time, from which on it is blocked."
    )
    remove_latency_s: Positive = Field(120, description="Seconds without requests after which an address is forgotten.")
    pike_log_level: int = Field(1, ge=-5, le=3, description="Level of the log lines for blocking and unblocking.")
    max_nodes: Positive = Field(
        500_000,
        description="Nodes of the tree of addresses, of 1 to 16 each; requests of further ones are let through.",
    )


class RatelimitSettings(Section):
    """Limits by method, or by number: `KSR.ratelimit`."""

    timer_interval_s: Positive = Field(10, description="Seconds over which requests are counted.")
    pipe: Annotated[list[str], BeforeValidator(_lines), AfterValidator(_pipe)] = Field(
        default_factory=list, description="Pipes `NUMBER:ALGORITHM:LIMIT`; the limit is for each second."
    )
    queue: Annotated[list[str], BeforeValidator(_lines), AfterValidator(_queue)] = Field(
        default_factory=list, description="Which pipe a method goes through, `PIPE:METHOD`; `*` for all methods."
    )


class PipelimitSettings(Section):
    """Limits by name: `KSR.pipelimit`."""

    timer_interval_s: Positive = Field(10, description="Seconds over which requests are counted.")
    load_fetch: bool = Field(True, description="Whether CPU load and waiting bytes are read, for FEEDBACK and NETWORK.")
    reply_code: int = Field(503, ge=300, le=699, description="Code of `pl_drop`.")
    reply_reason: str = Field("Server Unavailable", pattern=r"^[^\r\n\x00]*$", description="Its reason phrase.")
    clean_unused: Count = Field(0, description="Intervals after which a pipe that nobody uses is removed; 0 for never.")
    max_pipes: Positive = Field(100_000, description="Pipes at a time; a check that would make another one passes.")
    db_url: str = Field("", description="Database with pipes that are there from the start; empty for none.")
    plp_table_name: str = Field("pl_pipes", description="Its table.")
    plp_pipeid_column: str = Field("pipeid", description="Column with the name.")
    plp_limit_column: str = Field("limit", description="Column with the limit.")
    plp_algorithm_column: str = Field("algorithm", description="Column with the algorithm.")
