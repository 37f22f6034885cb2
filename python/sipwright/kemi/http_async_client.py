"""KSR.http_async_client: HTTP queries for which the transaction waits while the worker goes on, as in Kamailio."""

import itertools
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.kemi.suspending import Suspended, call_route, suspend
from sipwright.modules.background import Crew
from sipwright.modules.http import METHODS, NO_CONNECTION, Answer, Options, Query, ask, header_lines
from sipwright.settings.http_clients import HttpAsyncClientSettings

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = ["query"]

_ANSWERED: Final = "http_async_client:answered"
_TEXTS: Final = ("method", "body", "tls_client_cert", "tls_client_key", "tls_ca_path", "username", "password")
_NUMBERS: Final = ("timeout", "suspend", "authmethod", "tcp_keepalive", "follow_redirect")


@dataclass(slots=True)
class _Request:
    """What `$http_req` has set for the next query of this worker."""

    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A query that was asked: the route that gets its answer, and the answer, once it is there."""

    route: str
    answer: Answer
    id: str


_host: "Host | None" = None
_settings = HttpAsyncClientSettings()
_crew = Crew("http-async", 1, 1)
_answers: dict[Suspended, _Waiting] = {}
_worker = threading.local()
# Numbers of queries; the beginning makes them differ from those before a restart and of other servers.
_ids = itertools.count(1)
_ID_PREFIX: Final = secrets.token_hex(4)
_counts = {"http_async_ok": 0, "http_async_failed": 0, "http_async_refused": 0}


def configure(host: "Host") -> None:
    """Makes the threads that ask, and registers the variables."""
    global _host, _settings, _crew
    _host = host
    _settings = host.settings.http_async_client
    _crew = host.crew("http-async", _settings.workers, _settings.max_waiting)
    _answers.clear()
    _counts.update(dict.fromkeys(_counts, 0))
    host.at_stop(_crew.stop)
    host.route(_ANSWERED, _answered)
    host.variable("http_req", lambda inner, _: None, _set_request)
    host.variable("http_req_id", lambda _, __: getattr(_worker, "id", None))
    for name, get in _VARIABLES.items():
        host.variable(name, lambda inner, _, get=get: get(inner))  # type: ignore[misc]
    host.count(lambda: {**_counts, "http_async_waiting": len(_crew)})


@ksr("http_async_client.query")
def query(url: str, route: str) -> int:
    """Asks a URL and calls a method of the script with the answer: 1, or -1 when the request cannot be suspended.

    The transaction is suspended until then, and the route that asks ends; with `$http_req(suspend)` 0 it goes on, and
    the method gets a made-up message. The answer is in `$http_ok`, `$http_rs`, `$http_rb`, `$http_err` and their kin;
    `$http_req_id` is the same in both routes.
    """
    request = _request()
    _worker.request = _Request()
    asked, options = _query_of(url, request)
    place: Suspended | None = None
    if request.numbers.get("suspend", 1):
        place = suspend()
        if place is None:
            log.error("KSR.http_async_client.query: the request cannot be suspended")
            return -1
    number = _worker.id = f"{_ID_PREFIX}-{next(_ids)}"
    if not _crew.do(lambda: _ask(asked, options, place, route, number)):
        _counts["http_async_refused"] += 1
        log.error(f"KSR.http_async_client.query: {_settings.max_waiting} queries wait; this one is not asked")
        _deliver(place, _Waiting(route, Answer(error=NO_CONNECTION, error_text="too many queries wait"), number))
    return 1


# ---- asking and answering ------------------------------------------------------------------------------------------


def _ask(asked: Query, options: Options, place: Suspended | None, route: str, number: str) -> None:
    answer = ask(asked, options)
    _counts["http_async_failed" if answer.error else "http_async_ok"] += 1
    if answer.error:
        log.warning(f"http_async_client: {asked.method} {asked.url.partition('?')[0]}: {answer.error_text}")
    _deliver(place, _Waiting(route, answer, number))


def _deliver(place: Suspended | None, waiting: _Waiting) -> None:
    if place is None:
        if _host is not None:
            _host.call(lambda: _run_apart(waiting))
        return
    _answers[place] = waiting
    if _engine.tmx_t_continue(*place, _ANSWERED) != 1:
        # The transaction is over.
        _answers.pop(place, None)


def _run_apart(waiting: _Waiting) -> None:
    _worker.answer, _worker.id = waiting.answer, waiting.id
    try:
        if _host is not None:
            _host.run_route(waiting.route, "")
    finally:
        _worker.answer = _worker.id = None


def _answered(message: "Message", event: str) -> None:
    place = (_engine.pv_geti("$T(id_index)"), _engine.pv_geti("$T(id_label)"))
    waiting = _answers.pop(place, None)
    if waiting is None:
        return
    _worker.answer, _worker.id = waiting.answer, waiting.id
    try:
        call_route(waiting.route, message)
    finally:
        _worker.answer = _worker.id = None


# ---- what is asked -------------------------------------------------------------------------------------------------


def _request() -> _Request:
    found: _Request | None = getattr(_worker, "request", None)
    if found is None:
        found = _worker.request = _Request()
    return found


def _set_request(inner: str, value: str | int | None) -> bool:
    """`$http_req(name) = value`; `hdr` adds a header field, `all` with no value forgets everything."""
    request = _request()
    if inner == "all":
        _worker.request = _Request()
        return value is None
    if inner == "hdr" and isinstance(value, str):
        request.headers.append(value)
    elif inner in _TEXTS and value is not None:
        request.texts[inner] = str(value)
    elif inner == "authmethod" and isinstance(value, int) and not value & METHODS:
        log.error(f"$http_req(authmethod): {value} has neither 1 (Basic) nor 2 (Digest)")
        return False
    elif inner in _NUMBERS and isinstance(value, int):
        request.numbers[inner] = value
    elif value is None:
        request.texts.pop(inner, None)
        request.numbers.pop(inner, None)
    else:
        log.error(f"$http_req({inner}) cannot be set to {value!r}")
        return False
    return True


def _query_of(url: str, request: _Request) -> tuple[Query, Options]:
    texts, numbers, settings = request.texts, request.numbers, _settings
    body = texts.get("body")
    method = texts.get("method", "GET" if body is None else "POST").upper()
    data = None if body is None else body.encode("utf-8", "surrogateescape")
    options = Options(
        timeout_s=numbers.get("timeout", settings.connection_timeout_ms) / 1000,
        most_bytes=settings.max_answer_bytes,
        redirect=bool(numbers.get("follow_redirect", settings.curl_follow_redirect)),
        client_cert=texts.get("tls_client_cert", settings.tls_client_cert),
        client_key=texts.get("tls_client_key", settings.tls_client_key),
        ca_file=texts.get("tls_ca_path", settings.tls_ca_path),
        verify_peer=settings.tls_verify_peer,
        verify_host=settings.tls_verify_host,
        tls_version=settings.tls_version,
        user=texts.get("username", ""),
        password=texts.get("password", ""),
        auth=numbers.get("authmethod", settings.authmethod),
        keeps=bool(numbers.get("tcp_keepalive", settings.tcp_keepalive)),
    )
    return Query(url, method, data, header_lines("\n".join(request.headers))), options


# ---- variables -----------------------------------------------------------------------------------------------------


def _answer() -> Answer | None:
    return getattr(_worker, "answer", None)


def _of_answer(get: Any) -> Any:
    return lambda inner: None if (answer := _answer()) is None else get(answer, inner)


def _of_success(get: Any) -> Any:
    return _of_answer(lambda answer, inner: None if answer.error else get(answer, inner))


_VARIABLES: Final = {
    "http_ok": _of_answer(lambda answer, inner: int(not answer.error)),
    "http_err": _of_answer(lambda answer, inner: answer.error_text or None),
    "http_rs": _of_success(lambda answer, inner: answer.status),
    "http_rr": _of_success(lambda answer, inner: answer.reason),
    "http_hdr": _of_success(lambda answer, inner: answer.header(inner)),
    "http_rb": _of_success(lambda answer, inner: answer.text),
    "http_bs": _of_success(lambda answer, inner: len(answer.body)),
    "http_ml": _of_success(lambda answer, inner: len(answer.whole)),
    "http_mb": _of_success(lambda answer, inner: answer.whole.decode("utf-8", "surrogateescape")),
    "http_time": _of_success(lambda answer, inner: round(answer.seconds * 1_000_000) if inner == "total" else None),
}
