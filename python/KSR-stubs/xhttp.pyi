# Written by `python -m sipwright.kemi.stubs`.
"""KSR.xhttp: functions of Kamailio's module."""


def get_hu() -> str | int | None:
    """The URI of the HTTP request, as `$hu`."""

def xhttp_reply(code: int, reason: str, content_type: str, body: str, /) -> int:
    """Answers the HTTP request of the route of `xhttp:request`, once; content type and body may be empty. 0 for success, as in Kamailio; -1 where there is none, it was answered, or reason or type have line breaks."""
