"""KSR.rtpproxy: media through RTPProxy, with Kamailio's return codes."""

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.control.rpc import FAILED, RpcError
from sipwright.kemi import bodies
from sipwright.kemi.calls import ksr
from sipwright.modules import rtpproxy as protocol
from sipwright.modules.media_nodes import Node, Nodes, Unreachable
from sipwright.modules.rtpproxy import BASE_VERSION, FEATURES, PAYLOAD_TYPES, Call, Exchange, Refused, read_flags
from sipwright.settings.rtpproxy import RtpproxySettings

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = [
    "rtpproxy_answer",
    "rtpproxy_answer0",
    "rtpproxy_answer_ip",
    "rtpproxy_destroy",
    "rtpproxy_destroy0",
    "rtpproxy_manage",
    "rtpproxy_manage0",
    "rtpproxy_manage_ip",
    "rtpproxy_offer",
    "rtpproxy_offer0",
    "rtpproxy_offer_ip",
    "rtpproxy_stop_stream2uac",
    "rtpproxy_stop_stream2uas",
    "rtpproxy_stream2uac",
    "rtpproxy_stream2uas",
    "set_rtpproxy_set",
    "start_recording",
]

# Where the script's choice of a set stays for the transaction.
_SET_AVP: Final = "rtpproxy:set"
_NO_PROXY: Final = -3
_OFFER_METHODS: Final = ("INVITE", "UPDATE", "PRACK")


class _State:
    def __init__(self, settings: RtpproxySettings) -> None:
        self.settings = settings
        self.nodes = Nodes(settings.rtpproxy_sock)
        self.offers = bodies.Offers()


_state = _State(RtpproxySettings())


def configure(host: "Host") -> None:
    """Takes the proxies of the settings and registers their control methods."""
    global _state
    _state = _State(host.settings.rtpproxy)
    host.variable("rtppstat", lambda _, __: _statistics())
    if host.settings.rtpproxy.rtpproxy_sock and not host.settings.rtpengine.rtpengine_sock:
        host.variable("rtpstat", lambda _, __: _statistics())
    host.rpc.add("rtpproxy.list", _list)
    host.rpc.add("rtpproxy.enable", _enable)
    host.count(lambda: {"rtpproxy_disabled": sum(node.is_disabled for node in _state.nodes)})


@ksr("rtpproxy.rtpproxy_offer")
def rtpproxy_offer(flags: str) -> int:
    """Sends the media of an offer through a proxy: 1; -1 on an error, -2 when a proxy has them already, -3 without one."""
    return _exchange(flags, "", is_offer=True)


@ksr("rtpproxy.rtpproxy_offer0")
def rtpproxy_offer0() -> int:
    """As `rtpproxy_offer`, without flags."""
    return _exchange("", "", is_offer=True)


@ksr("rtpproxy.rtpproxy_offer_ip")
def rtpproxy_offer_ip(flags: str, ip: str) -> int:
    """As `rtpproxy_offer`, with `ip` in the description instead of the proxy's address."""
    return _exchange(flags, ip, is_offer=True)


@ksr("rtpproxy.rtpproxy_answer")
def rtpproxy_answer(flags: str) -> int:
    """Sends the media of an answer through the proxy of its offer; codes as those of `rtpproxy_offer`."""
    return _exchange(flags, "", is_offer=False)


@ksr("rtpproxy.rtpproxy_answer0")
def rtpproxy_answer0() -> int:
    """As `rtpproxy_answer`, without flags."""
    return _exchange("", "", is_offer=False)


@ksr("rtpproxy.rtpproxy_answer_ip")
def rtpproxy_answer_ip(flags: str, ip: str) -> int:
    """As `rtpproxy_answer`, with `ip` in the description instead of the proxy's address."""
    return _exchange(flags, ip, is_offer=False)


@ksr("rtpproxy.rtpproxy_destroy")
def rtpproxy_destroy(flags: str) -> int:
    """Ends the media session of the call: 1, or a negative code."""
    return _send(lambda call: protocol.destroy(call, flags))


@ksr("rtpproxy.rtpproxy_destroy0")
def rtpproxy_destroy0() -> int:
    """As `rtpproxy_destroy`, without flags."""
    return _send(protocol.destroy)


@ksr("rtpproxy.rtpproxy_manage")
def rtpproxy_manage(flags: str) -> int:
    """Does what the message asks for: offers, answers, or ends the session; codes as those of `rtpproxy_offer`."""
    return _manage(flags, "")


@ksr("rtpproxy.rtpproxy_manage0")
def rtpproxy_manage0() -> int:
    """As `rtpproxy_manage`, without flags."""
    return _manage("", "")


@ksr("rtpproxy.rtpproxy_manage_ip")
def rtpproxy_manage_ip(flags: str, ip: str) -> int:
    """As `rtpproxy_manage`, with `ip` in the description instead of the proxy's address."""
    return _manage(flags, ip)


@ksr("rtpproxy.rtpproxy_stream2uac")
def rtpproxy_stream2uac(prompt: str, count: int) -> int:
    """Plays a prompt of the proxy to the caller, `count` times or for ever (-1): 1, or a negative code."""
    return _send(lambda call: protocol.stream(call, True, prompt, count))


@ksr("rtpproxy.rtpproxy_stream2uas")
def rtpproxy_stream2uas(prompt: str, count: int) -> int:
    """Plays a prompt of the proxy to the callee, `count` times or for ever (-1): 1, or a negative code."""
    return _send(lambda call: protocol.stream(call, False, prompt, count))


@ksr("rtpproxy.rtpproxy_stop_stream2uac")
def rtpproxy_stop_stream2uac() -> int:
    """Ends the prompt for the caller: 1, or a negative code."""
    return _send(lambda call: protocol.stop_stream(call, True))


@ksr("rtpproxy.rtpproxy_stop_stream2uas")
def rtpproxy_stop_stream2uas() -> int:
    """Ends the prompt for the callee: 1, or a negative code."""
    return _send(lambda call: protocol.stop_stream(call, False))


@ksr("rtpproxy.start_recording")
def start_recording() -> int:
    """Has the proxy record the call: 1, or a negative code."""
    return _send(protocol.record)


@ksr("rtpproxy.set_rtpproxy_set")
def set_rtpproxy_set(set: int) -> int:
    """Chooses the set of proxies for this message: 1; -1 when there is no such set."""
    if set not in _state.nodes:
        log.error(f"KSR.rtpproxy.set_rtpproxy_set: there is no set {set}")
        return -1
    _engine.pvx_avp_seti(_SET_AVP, set)
    return 1


def _call(message: "Message") -> Call:
    pv = _state.settings.extra_id_pv
    extra = str(_engine.pv_get(pv) or "") if pv else ""
    return Call(
        message.call_id,
        message.from_tag,
        message.to_tag,
        message.source.ip,
        bodies.is_request(message),
        message.via_branches(),
        extra,
    )


def _manage(flags: str, ip: str) -> int:
    message, method = _engine.current(), bodies.method()
    is_request, code = bodies.is_request(message), bodies.status(message)
    if (method in ("BYE", "CANCEL") and is_request) or code >= 300 or _engine.tmx_t_is_failure_route() == 1:
        return _send(lambda call: protocol.destroy(call, flags))
    if bodies.description(message) is None:
        return -1
    if is_request and method == "ACK":
        return _exchange(flags, ip, is_offer=False)
    if method not in _OFFER_METHODS:
        return -1
    if is_request:
        _state.offers.note(message)
        return _exchange(flags, ip, is_offer=True)
    return _exchange(flags, ip, is_offer=not _state.offers.has(message))


def _exchange(flags: str, ip: str, *, is_offer: bool) -> int:
    message = _engine.current()
    body = bodies.description(message)
    if body is None:
        log.error("KSR.rtpproxy: the message has no session description")
        return -1
    if not is_offer and bodies.is_request(message) and bodies.method() != "ACK":
        return -1
    try:
        settings = _state.settings
        call = _call(message)
        exchange = Exchange(
            call, read_flags(flags), is_offer, ip, settings.timeout_socket, mark=settings.nortpproxy_str
        )
        exchange.check()
        node = _node(call.call_id)
        exchange.lists_types = PAYLOAD_TYPES in node.features
        new = exchange.run(body, partial(_ask, node), message.dst_address[0])
    except Refused as error:
        if error.code != -2:
            log.error(f"KSR.rtpproxy: {error}")
        return error.code
    bodies.replace_description(message, new)
    return 1


def _send(command: Any) -> int:
    try:
        call = _call(_engine.current())
        text = command(call)
        answer = _ask(_node(call.call_id), text)
    except Refused as error:
        log.error(f"KSR.rtpproxy: {error}")
        return error.code
    if answer.startswith("E"):
        log.error(f"KSR.rtpproxy: the proxy answers {answer.strip()!r} to {text!r}")
        return -1
    return 1


def _node(call_id: str) -> Node:
    """The proxy of the call. Raises Refused without one."""
    chosen = _engine.pvx_avp_get(_SET_AVP)
    set_id = chosen if isinstance(chosen, int) else 0
    node = _state.nodes.choose((set_id,), call_id, time.monotonic(), _test)
    if node is None:
        raise Refused(f"no proxy of set {set_id} answers", _NO_PROXY)
    pv = _state.settings.rtp_inst_pvar
    if pv:
        _engine.pv_sets(pv, node.url)
    return node


def _ask(node: Node, command: str) -> str:
    settings = _state.settings
    try:
        answer = node.ask(command.encode(), settings.rtpproxy_tout_s, settings.rtpproxy_retr)
    except Unreachable as error:
        log.error(f"KSR.rtpproxy: {error}; it is left alone for {settings.rtpproxy_disable_tout_s} s")
        node.recheck_at = time.monotonic() + settings.rtpproxy_disable_tout_s
        raise Refused(str(error), _NO_PROXY) from None
    return answer.decode("utf-8", "surrogateescape")


def _test(node: Node) -> bool:
    """Asks a proxy for its version; whether it serves."""
    with node.lock:
        if node.is_tested and not node.is_disabled:
            return True
        try:
            version = _ask(node, "V").strip()
            if version != BASE_VERSION:
                log.error(f"rtpproxy: {node.url} speaks version {version!r}, not {BASE_VERSION}")
                node.recheck_at = time.monotonic() + _state.settings.rtpproxy_disable_tout_s
                return False
            node.features = frozenset(number for number in FEATURES if _ask(node, f"VF {number}").strip() == "1")
        except Refused:
            return False
        node.recheck_at = None
        node.is_tested = True
        return True


def _statistics() -> str | None:
    try:
        call = _call(_engine.current())
        return _ask(_node(call.call_id), protocol.query(call))
    except Refused:
        return None


# ---- control -------------------------------------------------------------------------------------------------------


def _list() -> list[dict[str, Any]]:
    now = time.monotonic()
    return [
        {
            "setid": node.set_id,
            "url": node.url,
            "index": node.index,
            "disabled": int(node.is_disabled),
            "weight": node.weight,
            "recheck": -1 if node.is_off else max(0, round((node.recheck_at or now) - now)),
        }
        for node in _state.nodes
    ]


def _enable(url: str, on: int | str) -> None:
    found = [node for node in _state.nodes if node.url == url]
    if not found:
        raise RpcError(FAILED, "RTPProxy not found")
    for node in found:
        node.is_off = not int(on)
        node.recheck_at = None
