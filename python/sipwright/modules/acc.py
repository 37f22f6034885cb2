"""What accounting writes: one record, as a line of the log and as a row. No I/O."""

import re
import time
from dataclasses import dataclass, field
from typing import Final

Value = str | int | float | None
Leg = tuple[tuple[str, str | None], ...]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What Kamailio writes for a response that a script or a timeout made: the reason of the code, whatever the script said.
REASONS: Final = {
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    493: "Undecipherable",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}


@dataclass(frozen=True, slots=True)
class Record:
    """A request and its answer; `at` is a Unix time in seconds. `legs` are further values, a row for each."""

    method: str
    from_tag: str
    to_tag: str
    call_id: str
    code: str
    reason: str
    at: float
    legs: tuple[Leg, ...] = field(default=())


def extra_columns(text: str) -> list[tuple[str, str]]:
    """`a=$x;b=$hdr(c;d)` as pairs of name and variable. Raises ValueError for anything else."""
    pairs: list[tuple[str, str]] = []
    for part in _outside_parentheses(text):
        name, separator, variable = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        if not separator or not _NAME.fullmatch(name) or not variable.startswith("$"):
            raise ValueError(f"{part.strip()!r} is not `name=$variable`")
        pairs.append((name, variable))
    return pairs


def comment(text: str) -> tuple[str, str]:
    """The comment of a script, `404 Not here`, as code and reason; the code is "" when it begins with none."""
    if len(text) >= 3 and text[:3].isascii() and text[:3].isdigit() and (len(text) == 3 or text[3] == " "):
        return text[:3], text[3:].strip()
    return "", text.strip()


def times(mode: int, at: float, attr: str, exten: str, form: str) -> list[tuple[str, Value]]:
    """The further time of a record, by `acc.time_mode`."""
    if mode == 1:
        return [(attr, int(at)), (exten, int(at * 1_000_000) % 1_000_000)]
    if mode == 2:
        return [(attr, round(at, 3))]
    if mode in (3, 4):
        return [(attr, time.strftime(form, time.localtime(at) if mode == 3 else time.gmtime(at)))]
    return []


def line(title: str, record: Record, extra: list[tuple[str, str]], further: list[tuple[str, Value]]) -> str:
    """The line of the log, in Kamailio's form."""
    parts: list[tuple[str, Value]] = [
        ("timestamp", int(record.at)),
        ("method", record.method),
        ("from_tag", record.from_tag),
        ("to_tag", record.to_tag),
        ("call_id", record.call_id),
        ("code", record.code),
        ("reason", record.reason),
        *further,
        *extra,
        *((name, value or "") for leg in record.legs for name, value in leg),
    ]
    # A value of a message must not make a second line.
    text = ";".join(f"{name}={value}" for name, value in parts)
    return f"ACC: {title}: " + re.sub(r"[\r\n\0]", " ", text)


def _outside_parentheses(text: str) -> list[str]:
    """The parts between semicolons that are not within parentheses."""
    parts, depth = [""], 0
    for char in text:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == ";" and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts
