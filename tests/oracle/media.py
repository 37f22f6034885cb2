"""Configurations of the oracle suite for media proxies and for being a client."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from oracle.profile import Profile
from support.media import CapturePeer, ControlPeer, rtpproxy_peer

# One for each kind of server, so that neither sees the other's commands.
PROXY: ControlPeer = rtpproxy_peer()
CAPTURE = CapturePeer()
_lock = threading.Lock()


@contextlib.contextmanager
def proxy() -> Iterator[None]:
    """The RTPProxy of one run."""
    with PROXY.running():
        PROXY.commands.clear()
        yield


@contextlib.contextmanager
def capture() -> Iterator[None]:
    """The capture server of one run."""
    with CAPTURE.running():
        CAPTURE.commands.clear()
        yield


def copies_of(call_id: str) -> list[bytes]:
    """What the capture server was sent of a call."""
    with _lock:
        return [copy for copy in CAPTURE.commands if call_id.encode() in copy]


def commands_of(call_id: str) -> list[str]:
    """What the proxy was sent for a call, without cookies."""
    with _lock:
        found = [command.decode() for command in PROXY.commands]
    return [command for command in found if call_id in command]


CREDENTIALS = """
modparam("uac", "credential", "known:oracle.realm:secret")
modparam("uac", "auth_realm_avp", "$avp(realm)")
modparam("uac", "auth_username_avp", "$avp(user)")
modparam("uac", "auth_password_avp", "$avp(password)")
modparam("uac", "event_callback", "uac_reply")
"""
CREDENTIALS_SETTINGS = {
    "uac.credential": "known:oracle.realm:secret",
    "uac.auth_realm_avp": "$avp(realm)",
    "uac.auth_username_avp": "$avp(user)",
    "uac.auth_password_avp": "$avp(password)",
    "uac.event_callback": "uac_reply",
}

TRACES = f"""
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "duplicate_uri", "sip:127.0.0.1:{CAPTURE.port}")
"""
TRACES_SETTINGS = {
    "siptrace.trace_on": "true",
    "siptrace.trace_to_database": "false",
    "siptrace.duplicate_uri": f"sip:127.0.0.1:{CAPTURE.port}",
}


def traces_with(**more: object) -> Profile:
    """The profile of tracing with further parameters, whose names are the same in both."""
    lines = "".join(
        f'modparam("siptrace", "{name}", {value if isinstance(value, int) else chr(34) + str(value) + chr(34)})\n'
        for name, value in more.items()
    )
    # The flag has no meaning in either, for scripts.
    settings = {f"siptrace.{name}": value for name, value in more.items() if name != "trace_flag"}
    return Profile(f'loadmodule "siptrace.so"\n{TRACES}{lines}', {**TRACES_SETTINGS, **settings}, around=capture)


PROFILES = {
    "siptrace_flag": traces_with(trace_flag=5, trace_sl_acks=0),
    "siptrace_all": traces_with(trace_mode=1, hep_version=3, evcb_msg="traced"),
    "siptrace_all_plain": traces_with(trace_mode=4),
    "siptrace_all_both": traces_with(trace_mode=5, hep_version=3),
    "rtpproxy": Profile(
        f"""
loadmodule "rtpproxy.so"
modparam("rtpproxy", "rtpproxy_sock", "{PROXY.url}")
modparam("rtpproxy", "extra_id_pv", "$var(extra)")
""",
        {"rtpproxy.rtpproxy_sock": PROXY.url, "rtpproxy.extra_id_pv": "$var(extra)"},
        around=proxy,
    ),
    "uac": Profile(f'loadmodule "uac.so"{CREDENTIALS}', CREDENTIALS_SETTINGS),
    "uac_manual": Profile(
        """
loadmodule "uac.so"
modparam("uac", "restore_mode", "manual")
modparam("uac", "restore_passwd", "a secret")
""",
        {"uac.restore_mode": "manual", "uac.restore_passwd": "a secret"},
    ),
    "siptrace": Profile(
        f"""
loadmodule "siptrace.so"
{TRACES}
""",
        TRACES_SETTINGS,
        around=capture,
    ),
    "siptrace_hep": Profile(
        f"""
loadmodule "siptrace.so"
{TRACES}
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "hep_capture_id", 77)
modparam("siptrace", "auth_key", "a key")
""",
        {
            **TRACES_SETTINGS,
            "siptrace.hep_mode_on": "true",
            "siptrace.hep_version": 3,
            "siptrace.hep_capture_id": 77,
            "siptrace.auth_key": "a key",
        },
        around=capture,
    ),
}
