"""HTTP queries for scripts, through urllib3 and Python's own TLS, which the engine's does not touch. They block.

Errors are numbered as libcurl's are, since Kamailio's scripts compare them.
"""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from sipwright.modules.digest_client import Account, choose

BAD_URL: Final = 3
UNKNOWN_HOST: Final = 6
NO_CONNECTION: Final = 7
TOO_LONG: Final = 63
TIMEOUT: Final = 28
TLS_FAILED: Final = 35
CERTIFICATE_FAILED: Final = 60
BROKEN: Final = 56
ERRORS: Final = {
    BAD_URL: "URL using bad/illegal format or missing URL",
    UNKNOWN_HOST: "Couldn't resolve host name",
    NO_CONNECTION: "Couldn't connect to server",
    TOO_LONG: "Maximum file size exceeded",
    TIMEOUT: "Timeout was reached",
    TLS_FAILED: "SSL connect error",
    CERTIFICATE_FAILED: "SSL peer certificate or SSH remote key was not OK",
    BROKEN: "Failure when receiving data from the peer",
}
# How to log in, as libcurl's CURLAUTH_*: bits of `authmethod`.
BASIC: Final = 1
DIGEST: Final = 2
DIGEST_IE: Final = 16
METHODS: Final = BASIC | DIGEST | DIGEST_IE
_UNAUTHORIZED: Final = 401
_VERSIONS: Final = {7: ssl.TLSVersion.TLSv1_3}
_CHUNK: Final = 65_536


@dataclass(frozen=True, slots=True)
class Options:
    """How to ask; `timeout_s` 0 for no limit, `most_bytes` 0 for none."""

    timeout_s: float = 4.0
    most_bytes: int = 1_048_576
    redirect: bool = True
    proxy: str = ""
    user_agent: str = "Sipwright"
    client_cert: str = ""
    client_key: str = ""
    ca_file: str = ""
    ciphers: str = ""
    verify_peer: bool = True
    verify_host: bool = True
    tls_version: int = 0
    user: str = ""
    password: str = ""
    auth: int = BASIC | DIGEST
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, or `error`, a number of libcurl's with its text, when there was none."""

    status: int = 0
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    error: int = 0
    error_text: str = ""
    seconds: float = 0.0
    # Where it came from, after redirections.
    url: str = ""

    @property
    def code(self) -> int:
        """What Kamailio's functions return: the status, or the number of the error, which is below 100."""
        return self.error or self.status

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "surrogateescape")

    @property
    def whole(self) -> bytes:
        """The answer with its status line and header fields."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body

    def header(self, name: str) -> str | None:
        """The first header field of that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask."""

    url: str
    method: str = "GET"
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = field(default=())


def ask(query: Query, options: Options) -> Answer:
    """Does a query and returns its answer; never raises for what the network or the server does."""
    # Imported late: servers that ask nothing over HTTP do without it.
    import urllib3
    from urllib3.exceptions import HTTPError, LocationParseError, LocationValueError, MaxRetryError

    headers = urllib3.HTTPHeaderDict()
    if options.user_agent:
        headers["User-Agent"] = options.user_agent
    for name, value in query.headers:
        headers[name] = value
    parts = urlsplit(query.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return _failed(BAD_URL)
    user, password = parts.username or options.user, parts.password or options.password
    account = None
    if user and "Authorization" not in headers:
        account = Account(unquote(user), unquote(password or ""))
    if account is not None and options.auth == BASIC:
        headers["Authorization"] = _basic(account)
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        answer = _send(query, url, headers, options)
        if account is None or answer.status != _UNAUTHORIZED or "Authorization" in headers:
            return answer
        credentials = _credentials(answer, account, query, options.auth)
        if not credentials or _origin(answer.url) != _origin(url):
            return answer
        headers["Authorization"] = credentials
        return _send(query, answer.url, headers, _later(options, answer.seconds))
    except (LocationParseError, LocationValueError, UnicodeError, ValueError) as error:
        return _failed(BAD_URL, error)
    except OSError as error:
        return _failed(TLS_FAILED if isinstance(error, ssl.SSLError) else NO_CONNECTION, error)
    except HTTPError as error:
        cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        return _failed(_number(cause), cause)


def _basic(account: Account) -> str:
    import urllib3

    return str(urllib3.make_headers(basic_auth=f"{account.username}:{account.secret}")["authorization"])


def _credentials(answer: Answer, account: Account, query: Query, methods: int) -> str:
    """Authorization by the best of the methods that the challenges offer (RFC 7616, RFC 7617); empty for none."""
    challenges = [value for name, value in answer.headers if name.lower() == "www-authenticate"]
    if methods & (DIGEST | DIGEST_IE) and (found := choose(challenges)):
        parts = urlsplit(answer.url)
        # Internet Explorer left the query out of what it hashed, and such servers expect it.
        tail = f"?{parts.query}" if parts.query and methods & DIGEST else ""
        return found[0].answer(account, query.method, f"{parts.path or '/'}{tail}", query.body or b"")
    has_basic = any(value.partition(" ")[0].lower() == "basic" for value in challenges)
    return _basic(account) if methods & BASIC and has_basic else ""


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _later(options: Options, spent_s: float) -> Options:
    """The options with what is left of the time; one of 0 stands for no limit."""
    return replace(options, timeout_s=max(0.001, options.timeout_s - spent_s)) if options.timeout_s else options


def _send(query: Query, url: str, headers: Mapping[str, str], options: Options) -> Answer:
    import urllib3

    limit, begin = options.timeout_s or None, time.monotonic()
    timeout = urllib3.Timeout(total=limit)
    with _pool(replace(options, timeout_s=0.0, auth=0)).request(
        query.method,
        url,
        body=query.body,
        headers=headers,
        timeout=timeout,
        redirect=options.redirect,
        retries=urllib3.Retry(
            connect=0, read=0, status=0, other=0, redirect=5 if options.redirect else 0, raise_on_redirect=False
        ),
        preload_content=False,
    ) as response:
        body = bytearray()
        for chunk in response.stream(_CHUNK):
            body += chunk
            if options.most_bytes and len(body) > options.most_bytes:
                response.close()
                return _failed(TOO_LONG)
        if not options.keeps:
            response.close()
        found = tuple(response.headers.items())
        for step in response.retries.history if response.retries else ():
            url = urljoin(url, step.redirect_location or "")
        spent_s = time.monotonic() - begin
        return Answer(response.status, response.reason or "", found, bytes(body), seconds=spent_s, url=url)


@lru_cache(maxsize=64)
def _pool(options: Options) -> Any:
    """Connections with these options; TLS contexts are made once."""
    import urllib3

    kwargs: dict[str, Any] = {"maxsize": 4, "block": False}
    context = ssl.create_default_context(cafile=options.ca_file or None)
    if not options.verify_peer:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif not options.verify_host:
        context.check_hostname = False
        kwargs["assert_hostname"] = False
    context.minimum_version = _VERSIONS.get(options.tls_version, ssl.TLSVersion.TLSv1_2)
    if options.ciphers:
        context.set_ciphers(options.ciphers)
    if options.client_cert:
        context.load_cert_chain(options.client_cert, options.client_key or None)
    kwargs["ssl_context"] = context
    if options.proxy:
        return urllib3.ProxyManager(options.proxy, **kwargs)
    return urllib3.PoolManager(**kwargs)


def _number(cause: BaseException) -> int:
    from urllib3 import exceptions

    if isinstance(cause, exceptions.NameResolutionError):
        return UNKNOWN_HOST
    if isinstance(cause, exceptions.NewConnectionError):
        return NO_CONNECTION
    if isinstance(cause, exceptions.ConnectTimeoutError | exceptions.ReadTimeoutError):
        return TIMEOUT
    if isinstance(cause, exceptions.SSLError):
        return CERTIFICATE_FAILED if "CERTIFICATE_VERIFY_FAILED" in str(cause) else TLS_FAILED
    return BROKEN if isinstance(cause, exceptions.ProtocolError) else NO_CONNECTION


def _failed(number: int, error: BaseException | None = None) -> Answer:
    text = ERRORS[number]
    return Answer(error=number, error_text=f"{text}: {error}" if error is not None else text)


def header_lines(text: str) -> tuple[tuple[str, str], ...]:
    """Header fields from lines `Name: value`."""
    fields = (line.partition(":") for line in text.replace("\r", "").split("\n") if ":" in line)
    return tuple((name.strip(), value.strip()) for name, _, value in fields)


@dataclass(frozen=True, slots=True)
class Connection:
    """A server that the settings name, and the one to ask when it fails."""

    url: str
    options: Options
    failover: str = ""


def parse_connection(line: str, options: Options) -> tuple[str, Connection]:
    """`NAME=>URL[;PARAMETER=VALUE...]`; ValueError for a parameter that is not known."""
    name, _, rest = line.partition("=>")
    url, *parameters = rest.strip().split(";")
    values = dict(part.partition("=")[::2] for part in parameters if part.strip())
    return name.strip(), make_connection(url, {key.strip(): value.strip() for key, value in values.items()}, options)


def make_connection(url: str, values: Mapping[str, str], options: Options) -> Connection:
    """A connection with Kamailio's parameters; ValueError for one that is not known."""
    parts = urlsplit(url)
    changes: dict[str, Any] = {}
    if parts.username:
        changes |= {"user": unquote(parts.username), "password": unquote(parts.password or "")}
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    failover = ""
    for name, text in values.items():
        value = text.strip('"')
        if name == "failover":
            failover = value
        elif name in _TEXTS:
            changes[_TEXTS[name]] = value
        elif name in _SWITCHES:
            changes[_SWITCHES[name]] = value.lower() not in ("0", "no", "off", "false")
        elif name in _NUMBERS:
            changes[_NUMBERS[name]] = int(value)
        elif name not in _WITHOUT_MEANING:
            raise ValueError(f"connection {url}: {name} is not known")
    if not changes.get("auth", BASIC) & METHODS:
        raise ValueError(f"connection {url}: authmethod {changes['auth']} has neither Basic (1) nor Digest (2, 16)")
    return Connection(url, replace(options, **changes), failover)


_TEXTS: Final = {
    "useragent": "user_agent",
    "client_cert": "client_cert",
    "client_key": "client_key",
    "cacert": "ca_file",
    "cipher_suites": "ciphers",
    "username": "user",
    "password": "password",
    "httpproxy": "proxy",
}
_NUMBERS: Final = {"timeout": "timeout_s", "maxdatasize": "most_bytes", "authmethod": "auth"}
_SWITCHES: Final = {
    "verify_peer": "verify_peer",
    "verify_host": "verify_host",
    "httpredirect": "redirect",
    "http_follow_redirect": "redirect",
    "keep_connections": "keeps",
}
_WITHOUT_MEANING: Final = ("tlsversion", "httpproxyport")
