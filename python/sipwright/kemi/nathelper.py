"""KSR.nathelper: what of it is not a builtin, and the pings of clients behind NAT."""

import sys
from typing import TYPE_CHECKING, Final

from sipwright import _engine, log
from sipwright.control.rpc import FAILED, RpcError
from sipwright.decimal import decimal
from sipwright.kemi import usrloc
from sipwright.kemi.calls import ksr
from sipwright.modules.location_events import Sockets
from sipwright.modules.natping import ANSWERED, Pinger

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = ["set_alias_to_pv"]

TICK_S: Final = 1.0
_TRANSPORTS: Final = {"1": "udp", "2": "tcp", "3": "tls", "4": "sctp", "5": "ws", "6": "wss"}

_alias_name = "alias"
_pinger: Pinger | None = None


def configure(host: "Host") -> None:
    """Uses the host's settings from now on; begins to ping where they say so."""
    global _alias_name, _pinger
    settings = host.settings.nathelper
    _alias_name, _pinger = settings.alias_name, None
    host.rpc.add("nathelper.enable_ping", enable_ping)
    host.count(_count)
    if settings.natping_interval_s and host.engine is not None:
        _pinger = Pinger(host.settings, usrloc.tables, host.engine, Sockets(host.engine).index)
        host.route(ANSWERED, _answered)
        host.every(TICK_S, _pinger.tick, blocking=True)


@ksr("nathelper.set_alias_to_pv")
def set_alias_to_pv(target: str) -> int:
    """Writes the URI that `;alias=` of the first contact stands for to a variable: 1; -1 when there is none or the variable
    cannot be written.
    """
    try:
        contacts = _engine.current().contacts()
    except ValueError:
        return -1
    params = contacts[0].uri.partition("?")[0].split(";")[1:] if contacts else []
    value = next((param.partition("=")[2] for param in params if param.startswith(f"{_alias_name}=")), "")
    fields = value.split("~")
    if len(fields) != 3 or not fields[0] or decimal(fields[1], 65_535) is None or fields[2] not in _TRANSPORTS:
        return -1
    uri = f"sip:{fields[0]}:{fields[1]};transport={_TRANSPORTS[fields[2]]}"
    return 1 if sys.modules["KSR"].pv.sets(target, uri) else -1


def enable_ping(on: int) -> None:
    """Turns the pings off (0) and on again."""
    if _pinger is None:
        raise RpcError(FAILED, "NATping disabled")
    _pinger.is_enabled = bool(on)
    log.notice(f"nathelper: pings are {'on' if on else 'off'}")


def _answered(message: "Message", event: str) -> None:
    # The request itself comes when nobody answered.
    if message.Type == "SIP_REPLY" and _pinger is not None:
        _pinger.answered(event)


def _count() -> dict[str, int]:
    pinger = _pinger
    return {
        "nathelper_udp_pings": 0 if pinger is None else pinger.udp_pings,
        "nathelper_sip_pings": 0 if pinger is None else pinger.sip_pings,
        "nathelper_removed": 0 if pinger is None else pinger.removed,
    }
