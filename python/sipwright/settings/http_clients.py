"""Settings of the HTTP clients; names as in Kamailio's modules http_client and http_async_client."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from sipwright.settings.section import Count, Positive, Section

HTTP_CLIENT_IGNORED_MODPARAMS: Final = {
    "netinterface": "the system's routes choose the address; use a proxy or a policy of the system",
    "timeout_mode": "a time limit holds for the whole query",
}
HTTP_ASYNC_CLIENT_IGNORED_MODPARAMS: Final = {
    "hash_size": "the table of queries grows by itself",
    "memory_manager": "memory is Python's",
    "curl_verbose": "set `log.level` to debug",
    "tcp_ka_idle": "the system's value holds",
    "tcp_ka_interval": "the system's value holds",
}
TlsVersion = Literal[0, 1, 2, 3, 4, 5, 6, 7]


_AUTH: Final = (
    "How to log in, the sum of 1 Basic, 2 Digest and 16 Digest without the query; with more than one the server is asked "
    "first what it wants. 4 and 8 (Negotiate, NTLM) are never used."
)


def _auth_method(value: int) -> int:
    if not 0 < value < 32 or not value & 19:
        raise ValueError(f"{value} has neither Basic (1) nor Digest (2, 16)")
    return value


AuthMethod = Annotated[int, AfterValidator(_auth_method)]


def _lines(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _connections(lines: list[str]) -> list[str]:
    for line in lines:
        name, arrow, url = line.partition("=>")
        if not arrow or not name.strip() or "://" not in url:
            raise ValueError(f"{line!r} is no connection NAME=>URL[;PARAMETER=VALUE...]")
    return lines


class HttpClientSettings(Section):
    """HTTP queries that wait for the answer: `KSR.http_client`."""

    connection_timeout_s: Count = Field(4, description="Seconds that a query may take; 0 for no limit.")
    httpredirect: bool = Field(True, description="Whether redirections are followed.")
    httpproxy: str = Field("", description="Proxy for all queries, `http://host`; empty for none.")
    httpproxyport: int = Field(0, ge=0, le=65_535, description="Its port; 0 for that of the URL.")
    useragent: str = Field("Sipwright", pattern=r"^[^\r\n\x00]*$", description="User-Agent of queries.")
    maxdatasize_bytes: Count = Field(
        1_048_576, description="Bytes of an answer; a longer one fails the query. 0 for no limit (Kamailio's default)."
    )
    query_result: Literal[0, 1] = Field(1, description="What `query` gives: 0 the whole body, 1 its first line.")
    query_maxdatasize_bytes: Count = Field(0, description="Bytes of a body that `query` gives; 0 for all.")
    client_cert: str = Field("", description="File with our certificate, PEM.")
    client_key: str = Field("", description="File with its key, PEM.")
    cacert: str = Field("", description="File with the authorities that are trusted; empty for the system's.")
    cipher_suites: str = Field("", description="Cipher suites, as OpenSSL lists them.")
    verify_peer: bool = Field(True, description="Whether the server's certificate must be valid.")
    verify_host: Literal[0, 1, 2] = Field(2, description="Whether its name must be that of the URL: 0 no.")
    tlsversion: TlsVersion = Field(0, description="Lowest version of TLS: 6 for 1.2, 7 for 1.3, 0 for the default.")
    authmethod: AuthMethod = Field(3, description=_AUTH)
    keep_connections: bool = Field(False, description="Whether connections stay open for the next query.")
    httpcon: Annotated[list[str], BeforeValidator(_lines), AfterValidator(_connections)] = Field(
        default_factory=list,
        description="Servers for `curl_connect`: `NAME=>URL[;PARAMETER=VALUE...]` with user and password in the URL, "
        "and timeout, maxdatasize, verify_peer, verify_host, client_cert, client_key, useragent, httpredirect, authmethod, failover.",
    )
    config_file: str = Field("", description="File with such servers: sections with url and parameters.")


class HttpAsyncClientSettings(Section):
    """HTTP queries for which the transaction waits, not the worker: `KSR.http_async_client`."""

    workers: Positive = Field(1, description="Queries at a time.")
    max_waiting: Positive = Field(1_000, description="Queries that may wait for their turn; more fail at once.")
    connection_timeout_ms: Positive = Field(500, description="Milliseconds that a query may take.")
    max_answer_bytes: Positive = Field(1_048_576, description="Bytes of an answer; a longer one fails the query.")
    tls_version: TlsVersion = Field(0, description="Lowest version of TLS: 6 for 1.2, 7 for 1.3, 0 for the default.")
    tls_verify_peer: bool = Field(True, description="Whether the server's certificate must be valid.")
    tls_verify_host: bool = Field(True, description="Whether its name must be that of the URL.")
    tls_client_cert: str = Field("", description="File with our certificate, PEM.")
    tls_client_key: str = Field("", description="File with its key, PEM.")
    tls_ca_path: str = Field("", description="File with the authorities that are trusted; empty for the system's.")
    curl_follow_redirect: bool = Field(False, description="Whether redirections are followed.")
    authmethod: AuthMethod = Field(3, description=_AUTH)
    tcp_keepalive: bool = Field(False, description="Whether TCP connections are kept alive.")
