"""KSR.jsonrpcs and the variable `$jsonrpl(..)`: the methods of the control socket for scripts, and over HTTP, a FIFO and
datagrams.

A method that a script calls runs in the thread of the script worker, whatever thread the control socket gives it: waiting
for the control loop could wait for ever, since the loop may be waiting for the workers.
"""

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

from sipwright import _engine, log
from sipwright.control.jsonrpcs import DatagramServer, FifoServer, datagram_place
from sipwright.control.rpc import Rpc
from sipwright.kemi.calls import ksr
from sipwright.modules.jsonrpcs import BAD_REQUEST, OK, outcome, reason, shown
from sipwright.settings.jsonrpcs import DATAGRAM, FIFO, HTTP, JsonrpcsSettings

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = ["dispatch", "exec", "execx", "response"]

_JSON = "application/json"

_rpc = Rpc()
_settings = JsonrpcsSettings()
_last = threading.local()


def configure(host: "Host") -> None:
    """Takes the host's methods and opens what its settings name; registers `$jsonrpl(..)`."""
    global _rpc, _settings
    _rpc, _settings = host.rpc, host.settings.jsonrpcs
    host.variable("jsonrpl", _variable)
    data_dir = host.settings.data_dir
    if host.engine is None or data_dir is None:
        return
    if _settings.fifo_name is not None and _settings.uses(FIFO):
        fifo = FifoServer(host.rpc, data_dir / _settings.fifo_name, _settings)
        host.at_stop(fifo.close)
        host.serve(fifo.serve)
    if _settings.dgram_socket and _settings.uses(DATAGRAM):
        datagrams = DatagramServer(host.rpc, datagram_place(_settings.dgram_socket, data_dir), _settings)
        host.at_stop(datagrams.close)
        host.serve(datagrams.serve)


@ksr("jsonrpcs.exec")
def exec(cmd: str) -> int:
    """Carries out the JSON-RPC request `cmd`, and leaves the answer in `$jsonrpl(code)`, `$jsonrpl(text)` and
    `$jsonrpl(body)`. 1 whether or not the method failed; -1 for what is no JSON object.
    """
    request = _parsed(cmd)
    if not isinstance(request, dict):
        log.error("KSR.jsonrpcs.exec: the request is no JSON object")
        return -1
    _keep(_rpc.call_here(request))
    return 1


@ksr("jsonrpcs.execx")
def execx(cmd: str) -> int:
    """As `exec`; -1 also when the method failed."""
    return 1 if exec(cmd) > 0 and _last.values["code"] == OK else -1


@ksr("jsonrpcs.response")
def response() -> str | None:
    """The answer to the last request of `exec` in this worker, as `$jsonrpl(body)`."""
    body = _variable("body", None)
    return None if body is None else str(body)


@ksr("jsonrpcs.dispatch")
def dispatch() -> int:
    """Answers the HTTP request of the route of `xhttp:request`, whose body is a JSON-RPC request or an array of them. 1,
    or -1 when it is none (answered with 400), or HTTP is not in `jsonrpcs.transport`.
    """
    if not _settings.uses(HTTP):
        log.error("KSR.jsonrpcs.dispatch: jsonrpcs.transport leaves HTTP out")
        return -1
    request = _parsed(_body())
    requests = request if isinstance(request, list) else [request]
    if not requests or not all(isinstance(one, dict) for one in requests):
        _engine.xhttp_xhttp_reply(BAD_REQUEST, "Bad Request", _JSON, shown(_rpc.call_here(None), _pretty()))
        return -1
    answers = [_rpc.call_here(one) for one in requests]
    answer = answers if isinstance(request, list) else answers[0]
    code, text = outcome(answer)
    return 1 if _engine.xhttp_xhttp_reply(code, reason(text), _JSON, shown(answer, _pretty())) >= 0 else -1


def _pretty() -> bool:
    return _settings.pretty_format


def _body() -> str:
    try:
        return str(sys.modules["KSR"].pv.gete("$rb"))
    except UnicodeDecodeError:
        return ""


def _parsed(text: str) -> Any:
    """None for what is not JSON, and for the JSON null."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _keep(answer: Any) -> None:
    code, text = outcome(answer)
    _last.values = {"code": code, "text": text, "body": shown(answer, _pretty())}


def _variable(name: str, _index: int | None) -> str | int | None:
    values: dict[str, str | int] = getattr(_last, "values", {})
    if name not in ("code", "text", "body"):
        raise ValueError(f"({name}) is none of code, text, body")
    return values.get(name)
