# Written by `python -m sipwright.kemi.stubs`.
"""KSR.siptrace: functions of Kamailio's module."""


def hlog(text: str, /) -> int:
    """Sends a log line to the capture server, with the Call-ID for a correlation id: 1, or -1."""

def hlog_cid(correlation: str, text: str, /) -> int:
    """As `hlog`, with a correlation id: 1, or -1."""

def sip_trace() -> int:
    """Copies the message in work: 1; -1 while tracing is off."""

def sip_trace_dst(destination: str, /) -> int:
    """As `sip_trace`, to `sip:host:port` instead of `siptrace.duplicate_uri`."""

def sip_trace_dst_cid(destination: str, correlation: str, /) -> int:
    """As `sip_trace_dst`, with a correlation id for HEP 3."""

def sip_trace_dst_cid_type(destination: str, correlation: str, mode: str, /) -> int:
    """As `sip_trace_dst_cid`, in a mode of `sip_trace_mode`."""

def sip_trace_mode(mode: str, /) -> int:
    """Copies the message in work (`m`), and what else belongs to its transaction (`t`) or dialog (`d`): 1; -1 while tracing is off."""

def sip_trace_msg(text: str, source: str, target: str, time: str, correlation: str, /) -> int:
    """Copies a message that the script has as a text. Addresses are `proto:ip:port`, the time `seconds microseconds`: 1, or -1."""
