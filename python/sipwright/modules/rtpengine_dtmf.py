"""DTMF events that rtpengine sends by UDP: JSON objects, one in a datagram (module rtpengine)."""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any, Final

from sipwright import log

# What an object may have, by the setting that names the variable for it.
FIELDS: Final = {
    "dtmf_event_callid": "callid",
    "dtmf_event_source_tag": "source_tag",
    "dtmf_event_source_label": "source_label",
    "dtmf_event_tags": "tags",
    "dtmf_event_type": "type",
    "dtmf_event_timestamp": "timestamp",
    "dtmf_event_source_ip": "source_ip",
    "dtmf_event": "event",
    "dtmf_event_duration": "duration",
    "dtmf_event_volume": "volume",
}
# What `type` says of these events.
_DTMF: Final = "DTMF"


def bound(address: tuple[str, int]) -> socket.socket:
    """The socket for events. Raises OSError."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def read_event(data: bytes) -> dict[str, str | int] | None:
    """The values of an event by the names of FIELDS; None for what is no event of DTMF.

    Numbers stay numbers, tags are one text with commas between them.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("type", _DTMF) != _DTMF or "callid" not in found:
        return None
    return {name: _plain(found[field]) for name, field in FIELDS.items() if found.get(field) is not None}


def _plain(value: Any) -> str | int:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return value if isinstance(value, int) else str(value)


class _Events(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[dict[str, str | int]], object]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        event = read_event(data)
        if event is None:
            log.warning(f"rtpengine: {addr[0]}:{addr[1]} sent no event of DTMF: {data[:64]!r}")
        else:
            self._take(event)


async def listen(made: socket.socket, take: Callable[[dict[str, str | int]], object]) -> None:
    """Gives `take` each event that comes, until it is cancelled."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Events(take), sock=made)
    try:
        await asyncio.Event().wait()
    finally:
        transport.close()
