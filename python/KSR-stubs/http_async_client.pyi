# Written by `python -m sipwright.kemi.stubs`.
"""KSR.http_async_client: functions of Kamailio's module."""


def query(url: str, route: str, /) -> int:
    """Asks a URL and calls a method of the script with the answer: 1, or -1 when the request cannot be suspended. The transaction is suspended until then, and the route that asks ends; with `$http_req(suspend)` 0 it goes on, and the method gets a made-up message. The answer is in `$http_ok`, `$http_rs`, `$http_rb`, `$http_err` and their kin; `$http_req_id` is the same in both routes."""
