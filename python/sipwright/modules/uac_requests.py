"""Requests that scripts send with `uac_req_send`: the variable `$uac_req(...)`, and those that wait for their response."""

import itertools
import secrets
import threading
from dataclasses import dataclass, field, replace
from typing import Final

from sipwright.modules.requests import OutgoingRequest

# As Kamailio's requests begin.
FIRST_CSEQ: Final = 10
REPLY: Final = 1
NO_REPLY: Final = 2
_TEXTS: Final = (
    "method",
    "ruri",
    "furi",
    "turi",
    "ouri",
    "hdrs",
    "body",
    "callid",
    "sock",
    "auser",
    "apasswd",
    "evparam",
)
_NUMBERS: Final = ("evroute", "evcode", "evtype")


@dataclass(slots=True)
class RequestVariables(threading.local):
    """What a worker has set of `$uac_req(...)`; it stays until it is unset, as in a process of Kamailio."""

    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def get(self, name: str) -> str | int | None:
        """A value; None for a text that is not set."""
        if name in _NUMBERS:
            return self.numbers.get(name, 0)
        return self.texts.get(name)

    def set(self, name: str, value: str | int | None) -> bool:
        """Sets a value, or unsets it; `all` unsets everything. False for names that are none."""
        if name == "all":
            if value is None:
                self.texts.clear()
                self.numbers.clear()
            return True
        if name == "evroute":
            self.numbers[name] = int(value) if value is not None and str(value).lstrip("-").isdigit() else 0
            return True
        if name not in _TEXTS:
            return False
        if value is None or value == "":
            self.texts.pop(name, None)
        else:
            self.texts[name] = str(value)
        return True


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that waits for its final response."""

    request: OutgoingRequest
    username: str
    password: str
    # Whether the script is told, and with what.
    tells: bool
    parameter: str
    answered_challenge: bool = False


class Waiting:
    """Requests by number; each leaves when its final response, or the lack of one, is known."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._sent: dict[str, Sent] = {}

    def __len__(self) -> int:
        return len(self._sent)

    def send(self, sent: Sent, route: str) -> None:
        """Sends it; `route` is told of the response, with the number as its event. ValueError as `OutgoingRequest.send`."""
        number = str(next(self._numbers))
        self._sent[number] = sent
        try:
            replace(sent.request, callback=route, event=number).send()
        except ValueError:
            del self._sent[number]
            raise

    def take(self, number: str) -> Sent | None:
        """The request of that number, which waits no more."""
        return self._sent.pop(number, None)


def made(variables: RequestVariables, default_socket: str) -> OutgoingRequest:
    """The request that the variables describe. ValueError when they lack something."""
    texts = variables.texts
    missing = [name for name in ("method", "ruri") if name not in texts]
    if missing:
        raise ValueError(f"$uac_req({missing[0]}) is not set")
    headers, body = texts.get("hdrs", ""), texts.get("body", "").encode("utf-8", "surrogateescape")
    names = [line.partition(":")[0].strip().lower() for line in headers.splitlines()]
    if body and not {"content-type", "c"} & set(names):
        # RFC 3261 section 7.4.1
        headers += "Content-Type: text/plain\r\n"
    return OutgoingRequest(
        texts["method"],
        texts["ruri"],
        from_uri=texts.get("furi", texts["ruri"]),
        to_uri=texts.get("turi", texts["ruri"]),
        from_tag=secrets.token_hex(8),
        call_id=texts.get("callid") or secrets.token_hex(12),
        cseq=FIRST_CSEQ,
        next_hop=texts.get("ouri", ""),
        socket=texts.get("sock", "") or default_socket,
        headers=headers,
        body=body,
    )


def with_credentials(request: OutgoingRequest, name: str, value: str) -> OutgoingRequest:
    """The request again, with a higher CSeq and these credentials (RFC 3261 section 22.2)."""
    return replace(request, cseq=request.cseq + 1, headers=f"{request.headers}{name}: {value}\r\n")
