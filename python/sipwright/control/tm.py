"""Control methods of Kamailio's module tm: transactions, and requests of our own."""

import queue
import re
import secrets
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine
from sipwright.control.rpc import Rpc, RpcError

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.server import Server

# Rows of `tm.list` at most, unless asked for more.
LISTED: Final = 10_000
# RFC 3261 section 17.1.2.2, timer F, and some time for the workers.
WAIT_S: Final = 60.0
WAITING_AT_MOST: Final = 100
# What `tm.reply` says without one of its parameters.
_REPLY_EXPECTED: Final = (
    "Reply code expected",
    "Reason phrase expected",
    "Transaction ID expected",
    "To tag expected",
)
_TRANSACTION: Final = re.compile(r"(\d{1,20}):(\d{1,20})")
# More rows than there can be.
_ALL: Final = 2**31
_ROUTE: Final = "sipwright:rpc-uac"


def register(rpc: Rpc, server: "Server") -> None:
    """Adds the methods."""
    rpc.add("tm.list", partial(transactions, server))
    rpc.add("tm.clean", clean)
    rpc.add("tm.cancel", cancel, blocking=True)
    rpc.add("tm.reply", partial(reply, server), blocking=True)
    rpc.add("tm.reply_callid", reply_callid, blocking=True)
    sender = Sender(server)
    rpc.add("tm.t_uac_start", sender.start, blocking=True)
    rpc.add("tm.t_uac_wait", sender.wait, blocking=True)
    rpc.add("tm.t_uac_wait_block", sender.wait, blocking=True)


def transactions(server: "Server", limit: int = LISTED) -> list[dict[str, Any]]:
    """The transactions that there are, at most `limit`."""
    rows = []
    for (place, label), texts, cseq, by_client, branches, code, left_ms in server.engine.transactions(limit):
        method, sender, recipient, call_id = texts
        rows.append(
            {
                "tindex": place,
                "tlabel": label,
                "method": method,
                "from": f"From: {sender}",
                "to": f"To: {recipient}",
                "callid": f"Call-ID: {call_id}",
                "cseq": f"CSeq: {cseq}",
                "uas_request": "yes" if by_client else "no",
                "tflags": 0,
                "outgoings": branches,
                "ref_count": 1,
                "lifetime": left_ms // 1000,
                "code": code,
            }
        )
    return rows


def clean() -> None:
    """Ends transactions whose life is over: there are none, since each ends by its own timer."""


def cancel(callid: str, cseq: str) -> None:
    """Cancels the INVITE with this Call-ID and sequence number."""
    if _engine.tmx_t_cancel_callid(callid, cseq, 0) != 1:
        raise RpcError(400, "Transaction not found")


def reply(server: "Server", *values: str | int) -> None:
    """Answers an INVITE by the place and label of its transaction, `tindex:tlabel` of `tm.list`."""
    texts = [str(value).strip() for value in values]
    if not texts or not texts[0].isdecimal():
        raise RpcError(400, _REPLY_EXPECTED[0])
    for number, missing in enumerate(_REPLY_EXPECTED):
        if not texts[number : number + 1] or not texts[number]:
            raise RpcError(400, missing)
    code, reason, transaction, _tag, *more = texts
    found = _TRANSACTION.fullmatch(transaction)
    if found is None:
        raise RpcError(400, "Invalid transaction ID")
    callid, cseq = _invite(server, (int(found[1]), int(found[2])))
    reply_callid(int(code), reason, callid, cseq, "", *more)


def _invite(server: "Server", wanted: tuple[int, int]) -> tuple[str, str]:
    """Call-ID and sequence number of the INVITE of a transaction, which are to name no other one."""
    rows = [
        (place, call_id, cseq)
        for place, (method, _, _, call_id), cseq, by_client, *_ in server.engine.transactions(_ALL)
        if by_client and method == "INVITE"
    ]
    found = next(((call_id, cseq) for place, call_id, cseq in rows if place == wanted), None)
    if found is None:
        raise RpcError(481, "No such transaction")
    if sum(1 for _, *row in rows if tuple(row) == found) > 1:
        raise RpcError(400, "several transactions have this Call-ID and sequence number")
    return found[0], str(found[1])


def reply_callid(
    code: int, reason: str, callid: str, cseq: str, tag: str = "", headers: str = "", body: str = ""
) -> None:
    """Answers the INVITE with this Call-ID and sequence number."""
    if _given(headers) or _given(body):
        raise RpcError(400, "a response from here has no header fields and no body of its own")
    if not 100 <= code < 700:
        raise RpcError(400, "the code must be from 100 to 699")
    if _engine.tmx_t_reply_callid(callid, cseq, code, reason) != 1:
        raise RpcError(404, "Transaction not found")


class Sender:
    """Requests of our own that were asked for."""

    def __init__(self, server: "Server | None") -> None:
        self._waiting: dict[str, queue.SimpleQueue[tuple[int, str]]] = {}
        self._lock = threading.Lock()
        if server is not None:
            server.host.route(_ROUTE, self._answered)

    def start(self, method: str, ruri: str, dst_uri: str, send_sock: str, headers: str, body: str = "") -> None:
        """Sends a request and waits for nothing. `.` stands for an empty value; without From, To and Call-ID among the
        headers they are made up.
        """
        self._send(method, ruri, dst_uri, send_sock, headers, body, "")

    def wait(self, method: str, ruri: str, dst_uri: str, send_sock: str, headers: str, body: str = "") -> list[Any]:
        """Sends a request and returns its final response: code and reason."""
        number, answer = secrets.token_hex(8), queue.SimpleQueue[tuple[int, str]]()
        with self._lock:
            if len(self._waiting) >= WAITING_AT_MOST:
                raise RpcError(500, "too many requests wait for their response")
            self._waiting[number] = answer
        try:
            self._send(method, ruri, dst_uri, send_sock, headers, body, number)
            code, reason = answer.get(timeout=WAIT_S)
        except queue.Empty:
            raise RpcError(500, "no final response") from None
        finally:
            with self._lock:
                del self._waiting[number]
        return [code, reason]

    def _send(self, method: str, ruri: str, dst_uri: str, socket: str, headers: str, body: str, event: str) -> None:
        lines = _headers(ruri, _given(headers))
        try:
            _engine.send_request(
                method,
                ruri,
                lines,
                _given(body).encode("utf-8", "surrogateescape"),
                next_hop=_given(dst_uri),
                socket=_given(socket),
                callback=_ROUTE if event else "",
                event=event,
            )
        except ValueError as error:
            raise RpcError(400, str(error)) from None

    def _answered(self, message: "Message", event: str) -> None:
        """The final response, or the request itself when none came."""
        waiting = self._waiting.get(event)
        if waiting is None:
            return
        if message.Type == "SIP_REPLY":
            waiting.put((int(message.Status), str(_engine.pv_get("$rr") or "")))
        else:
            waiting.put((int(_engine.pv_get("$T_reply_code") or 408), "Request Timeout"))


def _given(text: str) -> str:
    return "" if text == "." else text


def _headers(ruri: str, headers: str) -> str:
    """Header lines with CRLF, and those that every request needs."""
    lines = [line for line in headers.replace("\r\n", "\n").split("\n") if line]
    names = {line.partition(":")[0].strip().lower() for line in lines if not line[0].isspace()}
    if not names & {"from", "f"}:
        lines.append(f"From: <{ruri}>;tag={secrets.token_hex(8)}")
    if not names & {"to", "t"}:
        lines.append(f"To: <{ruri}>")
    return "".join(f"{line}\r\n" for line in lines)
