# Written by `python -m sipwright.kemi.stubs`.
"""KSR.maxfwd: functions of Kamailio's module."""


def is_maxfwd_lt(limit: int, /) -> int:
    """Whether Max-Forwards is lower than `limit`; -2 without the header field, -3 when it is malformed."""

def process_maxfwd(initial: int, /) -> int:
    """Counts Max-Forwards down, or adds it with `initial`: 1 counted down, 2 added, -1 no hop left, -2 malformed. A count above the configured limit becomes the limit."""
