"""The recording of calls."""

from pydantic import Field

from sipwright.settings.section import Section


class RecordSettings(Section):
    """The recording of calls: the last messages, and what the script decided about them, in memory."""

    enabled: bool = Field(
        False,
        description="Whether it records from the start, which takes up to `max_bytes` of memory; `record.enable` changes it later.",
    )
    max_bytes: int = Field(
        16_777_216,
        ge=16_384,
        le=4_294_967_296,
        description="Bytes of messages and decisions that are kept; the oldest go first. Memory is taken as it fills.",
    )
    max_entries: int = Field(
        65_536,
        ge=16,
        le=16_777_216,
        description="Messages and decisions that are kept; each takes 80 bytes more.",
    )
