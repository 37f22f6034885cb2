# Written by `python -m sipwright.kemi.stubs`.
"""KSR.rtpproxy: functions of Kamailio's module."""


def rtpproxy_answer(flags: str, /) -> int:
    """Sends the media of an answer through the proxy of its offer; codes as those of `rtpproxy_offer`."""

def rtpproxy_answer0() -> int:
    """As `rtpproxy_answer`, without flags."""

def rtpproxy_answer_ip(flags: str, ip: str, /) -> int:
    """As `rtpproxy_answer`, with `ip` in the description instead of the proxy's address."""

def rtpproxy_destroy(flags: str, /) -> int:
    """Ends the media session of the call: 1, or a negative code."""

def rtpproxy_destroy0() -> int:
    """As `rtpproxy_destroy`, without flags."""

def rtpproxy_manage(flags: str, /) -> int:
    """Does what the message asks for: offers, answers, or ends the session; codes as those of `rtpproxy_offer`."""

def rtpproxy_manage0() -> int:
    """As `rtpproxy_manage`, without flags."""

def rtpproxy_manage_ip(flags: str, ip: str, /) -> int:
    """As `rtpproxy_manage`, with `ip` in the description instead of the proxy's address."""

def rtpproxy_offer(flags: str, /) -> int:
    """Sends the media of an offer through a proxy: 1; -1 on an error, -2 when a proxy has them already, -3 without one."""

def rtpproxy_offer0() -> int:
    """As `rtpproxy_offer`, without flags."""

def rtpproxy_offer_ip(flags: str, ip: str, /) -> int:
    """As `rtpproxy_offer`, with `ip` in the description instead of the proxy's address."""

def rtpproxy_stop_stream2uac() -> int:
    """Ends the prompt for the caller: 1, or a negative code."""

def rtpproxy_stop_stream2uas() -> int:
    """Ends the prompt for the callee: 1, or a negative code."""

def rtpproxy_stream2uac(prompt: str, count: int, /) -> int:
    """Plays a prompt of the proxy to the caller, `count` times or for ever (-1): 1, or a negative code."""

def rtpproxy_stream2uas(prompt: str, count: int, /) -> int:
    """Plays a prompt of the proxy to the callee, `count` times or for ever (-1): 1, or a negative code."""

def set_rtpproxy_set(set: int, /) -> int:
    """Chooses the set of proxies for this message: 1; -1 when there is no such set."""

def start_recording() -> int:
    """Has the proxy record the call: 1, or a negative code."""
