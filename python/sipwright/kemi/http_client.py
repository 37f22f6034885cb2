"""KSR.http_client: HTTP queries that wait for the answer, with Kamailio's return codes.

The worker waits, others go on. For a query that may take long, `KSR.http_async_client` lets the transaction wait instead.
"""

import configparser
import threading
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.modules.http import (
    ERRORS,
    Answer,
    Connection,
    Options,
    Query,
    ask,
    header_lines,
    make_connection,
    parse_connection,
)
from sipwright.settings.errors import SettingsError
from sipwright.settings.http_clients import HttpClientSettings

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = [
    "curl_connect",
    "curl_connect_post",
    "get_hdrs",
    "query",
    "query_post",
    "query_post_hdrs",
    "query_request",
    "query_request_v2pk",
]

_MOST_FAILOVERS: Final = 2

_settings = HttpClientSettings()
_options = Options()
_connections: dict[str, Connection] = {}
# The answer to the last query of each worker, for `$httprhdr`.
_last = threading.local()
_counts = {"http_client_ok": 0, "http_client_failed": 0}


def configure(host: "Host") -> None:
    """Reads the connections; registers `$curlerror`, the control method and counters. Raises SettingsError or OSError."""
    global _settings, _options
    _settings = host.settings.http_client
    _options = _options_of(_settings)
    _connections.clear()
    try:
        for line in _settings.httpcon:
            name, connection = parse_connection(line, _options)
            _connections[name] = connection
        if _settings.config_file:
            _read_file(_settings.config_file)
    except ValueError as error:
        raise SettingsError(f"http_client: {error}") from error
    _counts.update(dict.fromkeys(_counts, 0))
    host.variable("curlerror", lambda inner, _: ERRORS.get(int(inner), "Unknown error") if inner.isdigit() else None)
    host.variable("httprhdr", lambda inner, _: getattr(_last, "answer", Answer()).header(inner))
    host.rpc.add("httpclient.listcon", list_connections)
    host.count(lambda: dict(_counts))


@ksr("http_client.query")
def query(url: str, result: str) -> int:
    """GET; the answer's body goes into a variable: the HTTP status, or below 100 an error of libcurl's."""
    return _query(Query(url), result)


@ksr("http_client.query_post")
def query_post(url: str, body: str, result: str) -> int:
    """POST of a text, as a form; result as `query`."""
    return _query(_post(url, body, ()), result)


@ksr("http_client.query_post_hdrs")
def query_post_hdrs(url: str, body: str, headers: str, result: str) -> int:
    """POST of a text with header lines; GET when the text is empty. Result as `query`."""
    fields = header_lines(headers)
    return _query(_post(url, body, fields) if body else Query(url, headers=fields), result)


@ksr("http_client.get_hdrs")
def get_hdrs(url: str, body: str, headers: str, result: str) -> int:
    """GET with a body and header lines; result as `query`."""
    return _query(Query(url, "GET", body.encode() or None, header_lines(headers)), result)


@ksr("http_client.query_request")
def query_request(method: str, url: str, body: str, headers: str, result: str) -> int:
    """A query with any method; result as `query`."""
    return _query(Query(url, method.upper(), body.encode() or None, header_lines(headers)), result)


@ksr("http_client.query_request_v2pk")
def query_request_v2pk(method: str, url: str, body: str, headers: str, result: str) -> int:
    """As `query_request`, by HTTP/1.1: HTTP/2 is not spoken."""
    return query_request(method, url, body, headers, result)  # type: ignore[no-any-return]


@ksr("http_client.curl_connect")
def curl_connect(connection: str, path: str, result: str) -> int:
    """GET from a server of `http_client.httpcon`, the path behind its URL: result as `query`, with the whole body."""
    return _connect(connection, path, None, "", result)


@ksr("http_client.curl_connect_post")
def curl_connect_post(connection: str, path: str, media: str, body: str, result: str) -> int:
    """POST to a server of `http_client.httpcon`; result as `query`, with the whole body."""
    return _connect(connection, path, body.encode("utf-8", "surrogateescape"), media, result)


def list_connections() -> list[dict[str, Any]]:
    """httpclient.listcon: the servers of the settings."""
    return [
        {
            "connection": name,
            "url": one.url,
            "username": one.options.user,
            "timeout": one.options.timeout_s,
            "maxdatasize": one.options.most_bytes,
            "failover": one.failover,
        }
        for name, one in _connections.items()
    ]


# ---- helpers -------------------------------------------------------------------------------------------------------


def _post(url: str, body: str, headers: tuple[tuple[str, str], ...]) -> Query:
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers = (*headers, ("Content-Type", "application/x-www-form-urlencoded"))
    return Query(url, "POST", body.encode("utf-8", "surrogateescape"), headers)


def _query(asked: Query, result: str) -> int:
    answer = _counted(asked, _options)
    text = answer.text
    if _settings.query_result == 1:
        text = text.partition("\n")[0].rstrip("\r")
    if _settings.query_maxdatasize_bytes:
        text = text[: _settings.query_maxdatasize_bytes]
    return _give(answer, text, result)


def _connect(name: str, path: str, body: bytes | None, media: str, result: str) -> int:
    answer = Answer(error=-1)
    for _ in range(_MOST_FAILOVERS + 1):
        connection = _connections.get(name)
        if connection is None:
            log.error(f"KSR.http_client: there is no connection {name!r}; setting http_client.httpcon names them")
            return answer.code
        url = f"{connection.url.rstrip('/')}/{path.lstrip('/')}" if path else connection.url
        headers = (("Content-Type", media),) if media else ()
        answer = _counted(Query(url, "GET" if body is None else "POST", body, headers), connection.options)
        if not connection.failover or (not answer.error and answer.status < 500):
            break
        name = connection.failover
    return _give(answer, answer.text, result)


def _counted(asked: Query, options: Options) -> Answer:
    answer = _last.answer = ask(asked, options)
    _counts["http_client_failed" if answer.error else "http_client_ok"] += 1
    if answer.error:
        log.warning(f"KSR.http_client: {asked.method} {asked.url.partition('?')[0]}: {answer.error_text}")
    return answer


def _give(answer: Answer, text: str, result: str) -> int:
    if answer.error:
        _engine.pv_unset(result)
    elif not _engine.pv_sets(result, text):
        log.error(f"KSR.http_client: {result!r} is no variable that can be set")
        return -1
    return answer.code


def _options_of(settings: HttpClientSettings) -> Options:
    proxy = settings.httpproxy
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    if proxy and settings.httpproxyport:
        proxy = f"{proxy}:{settings.httpproxyport}"
    return Options(
        timeout_s=settings.connection_timeout_s,
        most_bytes=settings.maxdatasize_bytes,
        redirect=settings.httpredirect,
        proxy=proxy,
        user_agent=settings.useragent,
        client_cert=settings.client_cert,
        client_key=settings.client_key,
        ca_file=settings.cacert,
        ciphers=settings.cipher_suites,
        verify_peer=settings.verify_peer,
        verify_host=settings.verify_host != 0,
        tls_version=settings.tlsversion,
        auth=settings.authmethod,
        keeps=settings.keep_connections,
    )


def _read_file(path: str) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    with open(path, encoding="utf-8") as source:
        parser.read_file(source)
    for name in parser.sections():
        values = dict(parser[name])
        url = values.pop("url", "")
        if "://" not in url:
            raise ValueError(f"{path}: connection {name} has no url")
        _connections[name] = make_connection(url, values, _options)
