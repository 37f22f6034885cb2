"""The recording of calls and the traffic, by the control socket."""

import hmac
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sipwright.control.rpc import FAILED, Rpc, RpcError
from sipwright.record.entry import Call, Entry

if TYPE_CHECKING:
    from sipwright.server import Server

MOST_ENTRIES: Final = 1_000
MOST_CALLS: Final = 1_000
# Who can write this file into the data directory may see credentials; HTTP and other ways to the methods prove nothing.
KEY_NAME: Final = "record.key"
KEY_LENGTH: Final = 32


def register(rpc: Rpc, server: "Server") -> None:
    """Adds the methods of the recording."""
    rpc.add("record.status", partial(status, server))
    rpc.add("record.enable", partial(enable, server))
    rpc.add("record.clear", partial(clear, server))
    rpc.add("record.calls", partial(calls, server), blocking=True)
    rpc.add("record.call", partial(call, server), blocking=True)
    rpc.add("record.read", partial(read, server), blocking=True)
    rpc.add("record.notable", partial(notable, server), blocking=True)
    rpc.add("core.traffic", partial(traffic, server))


def status(server: "Server") -> dict[str, Any]:
    """Whether it records and how full it is."""
    enabled, entries, kept, first, following = server.engine.recording().status()
    settings = server.settings.record
    return {
        "enabled": enabled,
        "entries": entries,
        "max_entries": settings.max_entries,
        "bytes": kept,
        "max_bytes": settings.max_bytes,
        "first": first,
        "next": following,
    }


def enable(server: "Server", on: int) -> dict[str, Any]:
    """Begins (1) or ends (0) to record."""
    server.engine.recording().switch(bool(on))
    return status(server)


def clear(server: "Server") -> dict[str, Any]:
    """Forgets everything."""
    server.engine.recording().clear()
    return status(server)


def calls(server: "Server", limit: int = 50) -> list[dict[str, Any]]:
    """The calls whose last message came last, first."""
    _check(1 <= limit <= MOST_CALLS, f"limit must be between 1 and {MOST_CALLS}")
    return [Call.of(found).to_json() for found in server.engine.recording().calls(limit)]


def call(server: "Server", call_id: str) -> list[dict[str, Any]]:
    """The first entries of a call, credentials masked."""
    entries, *_ = server.engine.recording().read(0, MOST_ENTRIES, call_id=call_id)
    if not entries:
        raise RpcError(FAILED, f"the recording has no call with Call-ID {call_id}")
    return [Entry.of(entry).to_json() for entry in entries]


def read(
    server: "Server", start: int = 0, limit: int = 100, call_id: str | None = None, unmask: str = ""
) -> dict[str, Any]:
    """Entries from number `start` on, and with `next` where to go on; `unmask` shows credentials too: what the
    caller has written into a file of the data directory.
    """
    _check(not unmask or _is_key(server.data_dir, unmask), f"unmask is not what {KEY_NAME} of the data directory says")
    _check(start >= 0, "start must not be negative")
    _check(1 <= limit <= MOST_ENTRIES, f"limit must be between 1 and {MOST_ENTRIES}")
    recording = server.engine.recording()
    entries, following, missed, is_end = recording.read(start, limit, call_id=call_id or None, masked=not unmask)
    shown = [Entry.of(entry).to_json() for entry in entries]
    return {"entries": shown, "next": following, "missed": missed, "end": is_end}


def notable(server: "Server") -> list[dict[str, Any]]:
    """Script errors and slow routes, the oldest first."""
    return [Entry.of(entry).to_json() for entry in server.engine.recording().notable()]


def traffic(server: "Server") -> dict[str, Any]:
    """What came and went since the start, and how long scripts took, in microseconds."""
    requests, responses, routes, waits = server.engine.passed()
    return {
        "requests": {name: {"received": got, "sent": sent} for name, got, sent in requests},
        "responses": {name: {"received": got, "sent": sent} for name, got, sent in responses},
        "routes": {name: _times(times) for name, *times in routes},
        "queue_waits": _times(list(waits)),
        "connections": dict(Counter(row[1] for row in server.engine.connections())),
    }


def _is_key(data_dir: Path, text: str) -> bool:
    try:
        key = (data_dir / KEY_NAME).read_text()
    except OSError:
        return False
    return len(key) >= KEY_LENGTH and hmac.compare_digest(key.encode(), text.encode())


def _times(times: list[int]) -> dict[str, int]:
    return dict(zip(("count", "total_us", "longest_us"), times, strict=True))


def _check(is_right: bool, text: str) -> None:
    if not is_right:
        raise RpcError(FAILED, text)
