# Written by `python -m sipwright.kemi.stubs`.
"""KSR.jsonrpcs: functions of Kamailio's module."""


def dispatch() -> int:
    """Answers the HTTP request of the route of `xhttp:request`, whose body is a JSON-RPC request or an array of them. 1, or -1 when it is none (answered with 400), or HTTP is not in `jsonrpcs.transport`."""

def exec(cmd: str, /) -> int:
    """Carries out the JSON-RPC request `cmd`, and leaves the answer in `$jsonrpl(code)`, `$jsonrpl(text)` and `$jsonrpl(body)`. 1 whether or not the method failed; -1 for what is no JSON object."""

def execx(cmd: str, /) -> int:
    """As `exec`; -1 also when the method failed."""

def response() -> str | None:
    """The answer to the last request of `exec` in this worker, as `$jsonrpl(body)`."""
