# Written by `python -m sipwright.kemi.stubs`.
"""KSR.x: functions of Kamailio's module."""

from typing import Any

def modf(name: str, /, *args: Any) -> Any:
    """Runs the KSR function that is called `name` in a native configuration: `KSR.x.modf("sl_send_reply", "200", "OK")`. Arguments are text, as in a configuration; numbers are read from it. Returns what the function returns, or -1, with an error in the log, when there is no such function or an argument does not fit. (In Kamailio's Python this function crashes.)"""
