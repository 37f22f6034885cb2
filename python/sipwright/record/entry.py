"""What the recording has, as the views and the control socket show it."""

import base64
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipwright._engine import Recorded, RecordedCall

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that passed, or what the script decided.

    `kind` is `received` or `sent`, and then `proto`, `local`, `remote`, `connection`, `method`, `status` (0 for a
    request), `cseq` and `data` say which message; or it is `route`, `function` or `error`, and then `name`, `arguments`
    and `result` say what, and `spent_us` how long it took from `mono_ns` on.
    """

    number: int
    kind: str
    mono_ns: int
    wall_us: int
    spent_us: int
    proto: str
    local: Endpoint
    remote: Endpoint
    connection: int
    call_id: str
    method: str
    status: int
    cseq: int
    size: int
    name: str
    arguments: str
    result: str
    data: bytes

    @property
    def is_message(self) -> bool:
        """Whether it is a message, and no decision."""
        return self.kind in ("received", "sent")

    @property
    def source(self) -> Endpoint:
        """Where a message came from."""
        return self.remote if self.kind == "received" else self.local

    @property
    def target(self) -> Endpoint:
        """Where a message went."""
        return self.local if self.kind == "received" else self.remote

    def to_json(self) -> dict[str, Any]:
        """As the control socket tells it: a message that is not UTF-8 comes as base64."""
        row = {name: getattr(self, name) for name in _SHARED}
        try:
            return {**row, "encoding": "utf-8", "data": self.data.decode()}
        except UnicodeDecodeError:
            return {**row, "encoding": "base64", "data": base64.b64encode(self.data).decode()}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Entry":
        """Back from there."""
        data = base64.b64decode(row["data"]) if row["encoding"] == "base64" else row["data"].encode()
        values = {name: row[name] for name in _SHARED}
        return cls(**{**values, "local": tuple(row["local"]), "remote": tuple(row["remote"])}, data=data)

    @classmethod
    def of(cls, recorded: "Recorded") -> "Entry":
        """What the engine has recorded."""
        return cls(**{name: getattr(recorded, name) for name in _SHARED}, data=recorded.data)


_SHARED = tuple(name for name in Entry.__dataclass_fields__ if name != "data")


@dataclass(frozen=True, slots=True)
class Call:
    """All messages with one Call-ID in a few words; times in microseconds, `talked_us` is None before an answer.

    `state` is `trying`, `ringing`, `answered`, `ended`, `cancelled` or `failed`, and `done` for other requests than INVITE.
    """

    call_id: str
    method: str
    from_uri: str
    to_uri: str
    uri: str
    state: str
    status: int
    proto: str
    remote: Endpoint
    began_us: int
    lasted_us: int
    talked_us: int | None
    messages: int
    errors: int

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come but retransmissions."""
        return self.state in ("ended", "cancelled", "failed", "done")

    def to_json(self) -> dict[str, Any]:
        """As the control socket tells it."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Call":
        """Back from there."""
        return cls(**{**row, "remote": tuple(row["remote"])})

    @classmethod
    def of(cls, recorded: "RecordedCall") -> "Call":
        """What the engine has found."""
        return cls(**{name: getattr(recorded, name) for name in cls.__dataclass_fields__})
