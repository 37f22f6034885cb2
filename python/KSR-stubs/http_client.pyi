# Written by `python -m sipwright.kemi.stubs`.
"""KSR.http_client: functions of Kamailio's module."""


def curl_connect(connection: str, path: str, result: str, /) -> int:
    """GET from a server of `http_client.httpcon`, the path behind its URL: result as `query`, with the whole body."""

def curl_connect_post(connection: str, path: str, media: str, body: str, result: str, /) -> int:
    """POST to a server of `http_client.httpcon`; result as `query`, with the whole body."""

def get_hdrs(url: str, body: str, headers: str, result: str, /) -> int:
    """GET with a body and header lines; result as `query`."""

def query(url: str, result: str, /) -> int:
    """GET; the answer's body goes into a variable: the HTTP status, or below 100 an error of libcurl's."""

def query_post(url: str, body: str, result: str, /) -> int:
    """POST of a text, as a form; result as `query`."""

def query_post_hdrs(url: str, body: str, headers: str, result: str, /) -> int:
    """POST of a text with header lines; GET when the text is empty. Result as `query`."""

def query_request(method: str, url: str, body: str, headers: str, result: str, /) -> int:
    """A query with any method; result as `query`."""

def query_request_v2pk(method: str, url: str, body: str, headers: str, result: str, /) -> int:
    """As `query_request`, by HTTP/1.1: HTTP/2 is not spoken."""
