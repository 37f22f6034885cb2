"""JSON-RPC over byte streams and datagrams: documents out of bytes, answers as text; no I/O."""

import json
from typing import Any, Final

MAX_DOCUMENT_BYTES: Final = 65_536
# Of a writer that stopped in the middle of a document.
STALE_S: Final = 5.0
MAX_REASON: Final = 100
OK: Final = 200
BAD_REQUEST: Final = 400
FAILED: Final = 500


class Documents:
    """Cuts a stream into JSON objects and arrays; what is between them is skipped up to the next one."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._depth = 0
        self._in_string = False
        self._is_escaped = False
        self._at = 0.0

    def feed(self, data: bytes, now: float) -> list[bytes]:
        """The documents that are complete with these bytes. One that is too long, or whose rest did not come for
        STALE_S, is dropped.
        """
        if self._buffer and now - self._at > STALE_S:
            self._reset()
        self._at = now
        found = []
        for byte in data:
            if self._take(byte):
                found.append(bytes(self._buffer))
                self._reset()
            elif len(self._buffer) > MAX_DOCUMENT_BYTES:
                self._reset()
        return found

    def _take(self, byte: int) -> bool:
        """Adds a byte; whether a document ends with it."""
        if not self._depth and byte not in b"{[":
            return False
        self._buffer.append(byte)
        if self._in_string:
            ends = byte == ord('"') and not self._is_escaped
            self._is_escaped = byte == ord("\\") and not self._is_escaped
            self._in_string = not ends
            return False
        if byte == ord('"'):
            self._in_string = True
        elif byte in b"{[":
            self._depth += 1
        elif byte in b"}]":
            self._depth -= 1
        return self._depth == 0

    def _reset(self) -> None:
        self._buffer.clear()
        self._depth = 0
        self._in_string = self._is_escaped = False


def reply_name(request: bytes) -> str | None:
    """The FIFO that a request names for its answer: a name without a directory, else None."""
    try:
        document = json.loads(request)
    except (ValueError, RecursionError):
        return None
    name = document.get("reply_name") if isinstance(document, dict) else None
    is_name = isinstance(name, str) and name not in ("", ".", "..") and "/" not in name and "\0" not in name
    return name if is_name else None


def shown(answer: Any, pretty: bool) -> str:
    """An answer as text."""
    return json.dumps(answer, indent="\t") if pretty else json.dumps(answer)


def outcome(answer: Any) -> tuple[int, str]:
    """What `$jsonrpl(code)` and `$jsonrpl(text)` say of an answer: Kamailio's 200 and OK, or 500 and the error."""
    error = answer.get("error") if isinstance(answer, dict) else None
    return (OK, "OK") if error is None else (FAILED, str(error["message"]))


def reason(text: str) -> str:
    """An error as the reason phrase of an HTTP response: what is before a semicolon, which lists alternatives."""
    short = text.partition(";")[0]
    line = "".join(letter if letter.isascii() and letter.isprintable() else " " for letter in short)
    return line[:MAX_REASON].strip() or "Error"
