"""What servers tell each other: records, each the last state of one key, of which the newest wins.

The text of a record begins with its head, 41 digits: a stamp in microseconds since 1970, a sequence number, whether the
key is deleted, and a check sum of the rest. Of two records of one key the one with the greater head wins, wherever it is
read and in whatever order, so that all servers and Redis come to the same state. Digits sort alike in every locale, which
Redis's Lua needs. The rest of the text is a JSON object.
"""

import json
import zlib
from typing import Any, Final, NamedTuple

HEAD: Final = 41
MICROSECONDS: Final = 1_000_000
# As far as the head has room.
MAX_CSEQ: Final = 9_999_999_999


class Record(NamedTuple):
    """The state of a key as it is sent; `ttl_ms` is how long Redis keeps it, 0 for ever."""

    key: bytes
    text: bytes
    ttl_ms: int


class Fields(NamedTuple):
    """A record that was read."""

    stamp: int
    cseq: int
    is_deleted: bool
    values: dict[str, Any]


def prefix(stamp: int, cseq: int, is_deleted: bool) -> str:
    """The head but for its check sum: it decides between nearly all records."""
    return f"{stamp:020d}{min(cseq, MAX_CSEQ):010d}{int(is_deleted)}"


def write(stamp: int, cseq: int, is_deleted: bool, values: dict[str, Any]) -> str:
    """The text of a record, the same for the same state wherever it is written."""
    body = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return f"{prefix(stamp, cseq, is_deleted)}{zlib.crc32(body.encode()):010d}{body}"


def read(text: str) -> Fields:
    """The parts of a record. Raises ValueError for a text that is none."""
    head, body = text[:HEAD], text[HEAD:]
    if len(head) != HEAD or not (head.isascii() and head.isdigit()):
        raise ValueError("no record: it does not begin with a head")
    values = json.loads(body)
    if not isinstance(values, dict):
        raise ValueError("no record: its values are no object")
    return Fields(int(head[:20]), int(head[20:30]), head[30] != "0", values)


def is_newer(text: str, known: str | None) -> bool:
    """Whether a record wins over the one that is known."""
    return known is None or text[:HEAD] > known[:HEAD]


def stamp_after(now_s: float, known: int) -> int:
    """The stamp of a change made now to a key whose last change that is known has the stamp `known`: always later, even
    where the clock of the server that made it is ahead of ours.
    """
    return max(int(now_s * MICROSECONDS), known + 1)
