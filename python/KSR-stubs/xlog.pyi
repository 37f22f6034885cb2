# Written by `python -m sipwright.kemi.stubs`.
"""KSR.xlog: functions of Kamailio's module."""


def xalert(text: str, /) -> int:
    """Logs the text, its pseudo-variables replaced by their values, at level alert."""

def xcrit(text: str, /) -> int:
    """Logs the text, its pseudo-variables replaced by their values, at level critical."""

def xdbg(text: str, /) -> int:
    """Logs the text, its pseudo-variables replaced by their values, at level debug."""

def xerr(text: str, /) -> int:
    """Logs the text, its pseudo-variables replaced by their values, at level error."""

def xinfo(text: str, /) -> int:
    """Logs the text, its pseudo-variables replaced by their values, at level info."""

def xlog(level: str, text: str, /) -> int:
    """Logs the text, its pseudo-variables replaced by their values, at the named level, as in `L_INFO`."""

def xlog_facility(facility: str, level: str, text: str, /) -> int:
    """As `xlog`; the facility is that of `log.facility` for all lines."""

def xnotice(text: str, /) -> int:
    """Logs the text, its pseudo-variables replaced by their values, at level notice."""

def xwarn(text: str, /) -> int:
    """Logs the text, its pseudo-variables replaced by their values, at level warning."""
