"""KSR.rtpengine: media through rtpengine, with Kamailio's return codes."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.kemi import bodies
from sipwright.kemi.calls import ksr
from sipwright.modules.rtpengine import Call, Refused, as_text, command, mos, read_flags, totals
from sipwright.modules.rtpengine_dtmf import bound, listen
from sipwright.modules.rtpengine_pool import Pool
from sipwright.settings.errors import SettingsError
from sipwright.settings.rtpengine import RtpengineSettings

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = [
    "block_dtmf",
    "block_dtmf0",
    "block_dtmf2",
    "block_media",
    "block_media0",
    "block_media2",
    "play_dtmf",
    "play_media",
    "play_media2",
    "rtpengine_answer",
    "rtpengine_answer0",
    "rtpengine_answer2",
    "rtpengine_connect",
    "rtpengine_connect0",
    "rtpengine_connect2",
    "rtpengine_delete",
    "rtpengine_delete0",
    "rtpengine_delete2",
    "rtpengine_manage",
    "rtpengine_manage0",
    "rtpengine_manage2",
    "rtpengine_offer",
    "rtpengine_offer0",
    "rtpengine_offer2",
    "rtpengine_query",
    "rtpengine_query0",
    "rtpengine_query2",
    "rtpengine_query_v",
    "rtpengine_subscribe_answer",
    "rtpengine_subscribe_request",
    "rtpengine_unsubscribe",
    "set_rtpengine_set",
    "set_rtpengine_set2",
    "silence_media",
    "silence_media0",
    "silence_media2",
    "start_forwarding",
    "start_forwarding0",
    "start_forwarding2",
    "start_recording",
    "stop_forwarding",
    "stop_forwarding0",
    "stop_forwarding2",
    "stop_media",
    "stop_media0",
    "stop_media2",
    "stop_recording",
    "unblock_dtmf",
    "unblock_dtmf0",
    "unblock_dtmf2",
    "unblock_media",
    "unblock_media0",
    "unblock_media2",
    "unsilence_media",
    "unsilence_media0",
    "unsilence_media2",
]

_WITH_SDP: Final = ("offer", "answer", "subscribe answer")
_MANAGED: Final = ("INVITE", "UPDATE")
_ANSWERING: Final = ("ACK", "PRACK")
# Where the script's choice of sets stays for the transaction.
_SET_AVPS: Final = ("rtpengine:set", "rtpengine:set2")
_SWEEP_S: Final = 60.0
_DTMF_EVENT: Final = "rtpengine:dtmf-event"

_settings = RtpengineSettings()
_pool = Pool(_settings)
_offers = bodies.Offers()


def configure(host: "Host") -> None:
    """Takes the instances of the settings or the table, registers their control methods, and listens for events of DTMF.

    Raises SettingsError where the address for them cannot be had.
    """
    global _settings, _pool, _offers
    _settings = host.settings.rtpengine
    _pool = Pool(_settings, host.database(_settings.db_url) if _settings.db_url else None)
    _offers = bodies.Offers()
    for name in ("rtpstat", "rtpestat"):
        host.variable(name, lambda _, __: _statistics())
    for name in ("show", "ping", "enable", "reload", "get_hash_total"):
        host.rpc.add(f"rtpengine.{name}", getattr(_pool, name), blocking=True)
    host.every(_SWEEP_S, _pool.sweep)
    host.count(_pool.counters)
    if host.engine is not None:
        _pool.begin()
        if _settings.dtmf_events_sock:
            _listen_for_events(host)


def _listen_for_events(host: "Host") -> None:
    address = _settings.dtmf_address()
    try:
        sock = bound(address)
    except OSError as error:
        raise SettingsError(f"rtpengine.dtmf_events_sock: {_settings.dtmf_events_sock}: {error.strerror}") from error
    host.at_stop(sock.close)
    if not _settings.event_callback:
        log.warning("rtpengine: events of DTMF are received, but rtpengine.event_callback names no method for them")
    host.serve(lambda: listen(sock, lambda event: host.call(partial(_tell, host, event))))


def _tell(host: "Host", event: dict[str, str | int]) -> None:
    """Runs the route for an event of DTMF, with what it says in the variables of the settings."""
    for name, value in event.items():
        variable = getattr(_settings, name)
        if variable and not (
            _engine.pv_seti(variable, value) if isinstance(value, int) else _engine.pv_sets(variable, value)
        ):
            log.error(f"rtpengine.{name}: {variable} cannot be set")
    host.run_route(_settings.event_callback, _DTMF_EVENT)


@ksr("rtpengine.rtpengine_offer")
def rtpengine_offer(flags: str) -> int:
    """Sends the media of an offer through rtpengine and replaces the description: 1, or -1."""
    return _run("offer", flags)


@ksr("rtpengine.rtpengine_offer0")
def rtpengine_offer0() -> int:
    """As `rtpengine_offer`, without flags."""
    return _run("offer", "")


@ksr("rtpengine.rtpengine_offer2")
def rtpengine_offer2(flags: str, via_branch: str) -> int:
    """As `rtpengine_offer`, for the branch `via_branch` of the call."""
    return _run("offer", flags, via_branch)


@ksr("rtpengine.rtpengine_answer")
def rtpengine_answer(flags: str) -> int:
    """Sends the media of an answer through the instance of its offer and replaces the description: 1, or -1."""
    return _run("answer", flags)


@ksr("rtpengine.rtpengine_answer0")
def rtpengine_answer0() -> int:
    """As `rtpengine_answer`, without flags."""
    return _run("answer", "")


@ksr("rtpengine.rtpengine_answer2")
def rtpengine_answer2(flags: str, via_branch: str) -> int:
    """As `rtpengine_answer`, for the branch `via_branch` of the call."""
    return _run("answer", flags, via_branch)


@ksr("rtpengine.rtpengine_delete")
def rtpengine_delete(flags: str) -> int:
    """Ends the media session of the call: 1, or -1."""
    return _run("delete", flags)


@ksr("rtpengine.rtpengine_delete0")
def rtpengine_delete0() -> int:
    """As `rtpengine_delete`, without flags."""
    return _run("delete", "")


@ksr("rtpengine.rtpengine_delete2")
def rtpengine_delete2(flags: str, via_branch: str) -> int:
    """As `rtpengine_delete`, for the branch `via_branch` of the call."""
    return _run("delete", flags, via_branch)


@ksr("rtpengine.rtpengine_manage")
def rtpengine_manage(flags: str) -> int:
    """Does what the message asks for: offers, answers, or ends the session: 1, or -1."""
    return _manage(flags, "")


@ksr("rtpengine.rtpengine_manage0")
def rtpengine_manage0() -> int:
    """As `rtpengine_manage`, without flags."""
    return _manage("", "")


@ksr("rtpengine.rtpengine_manage2")
def rtpengine_manage2(flags: str, via_branch: str) -> int:
    """As `rtpengine_manage`, for the branch `via_branch` of the call."""
    return _manage(flags, via_branch)


@ksr("rtpengine.rtpengine_query")
def rtpengine_query(flags: str) -> int:
    """Asks for statistics of the call and sets the variables of `mos_*_pv`: 1, or -1."""
    return _run("query", flags)


@ksr("rtpengine.rtpengine_query0")
def rtpengine_query0() -> int:
    """As `rtpengine_query`, without flags."""
    return _run("query", "")


@ksr("rtpengine.rtpengine_query2")
def rtpengine_query2(flags: str, via_branch: str) -> int:
    """As `rtpengine_query`, for the branch `via_branch` of the call."""
    return _run("query", flags, via_branch)


@ksr("rtpengine.rtpengine_query_v")
def rtpengine_query_v(format: str, variable: str) -> int:
    """Puts the statistics of the call into a variable, as JSON (`j`) or as words (`r`): 1, or -1."""
    if format[:1] not in ("j", "r"):
        log.error(f"KSR.rtpengine.rtpengine_query_v: the format {format!r} is neither j nor r")
        return -1
    answer = _answer("query", "")
    return -1 if answer is None else _written(variable, as_text(answer, format[0]))


@ksr("rtpengine.rtpengine_connect")
def rtpengine_connect(flags: str) -> int:
    """Connects the media of two calls, those of this one and of the `to-tag` or `to-call-id` of the flags: 1, or -1."""
    return _run("connect", flags)


@ksr("rtpengine.rtpengine_connect0")
def rtpengine_connect0() -> int:
    """As `rtpengine_connect`, without flags."""
    return _run("connect", "")


@ksr("rtpengine.rtpengine_connect2")
def rtpengine_connect2(flags: str, via_branch: str) -> int:
    """As `rtpengine_connect`, for the branch `via_branch` of the call."""
    return _run("connect", flags, via_branch)


@ksr("rtpengine.rtpengine_subscribe_request")
def rtpengine_subscribe_request(flags: str, sdp_pv: str, to_tag_pv: str, streams_pv: str) -> int:
    """Begins to listen to a call: variables get the description, the tag of the new side, and its streams as JSON: 1, or -1."""
    answer = _answer("subscribe request", flags)
    if answer is None:
        return -1
    streams = as_text(answer.get("tag-medias", []), "j")
    values = {sdp_pv: answer.get("sdp", ""), to_tag_pv: answer.get("to-tag", ""), streams_pv: streams}
    return min((_written(pv, str(value)) for pv, value in values.items() if pv), default=1)


@ksr("rtpengine.rtpengine_subscribe_answer")
def rtpengine_subscribe_answer(flags: str) -> int:
    """Sends the answer to the description of `rtpengine_subscribe_request`; the body holds it: 1, or -1."""
    return _run("subscribe answer", flags)


@ksr("rtpengine.rtpengine_unsubscribe")
def rtpengine_unsubscribe(flags: str) -> int:
    """Ends what `rtpengine_subscribe_request` began; the flags name its `to-tag`: 1, or -1."""
    return _run("unsubscribe", flags)


@ksr("rtpengine.block_dtmf")
def block_dtmf(flags: str) -> int:
    """Keeps DTMF events from passing: 1, or -1."""
    return _run("block DTMF", flags)


@ksr("rtpengine.block_dtmf0")
def block_dtmf0() -> int:
    """As `block_dtmf`, without flags."""
    return _run("block DTMF", "")


@ksr("rtpengine.block_dtmf2")
def block_dtmf2(flags: str, via_branch: str) -> int:
    """As `block_dtmf`, for the branch `via_branch` of the call."""
    return _run("block DTMF", flags, via_branch)


@ksr("rtpengine.unblock_dtmf")
def unblock_dtmf(flags: str) -> int:
    """Lets DTMF events pass again: 1, or -1."""
    return _run("unblock DTMF", flags)


@ksr("rtpengine.unblock_dtmf0")
def unblock_dtmf0() -> int:
    """As `unblock_dtmf`, without flags."""
    return _run("unblock DTMF", "")


@ksr("rtpengine.unblock_dtmf2")
def unblock_dtmf2(flags: str, via_branch: str) -> int:
    """As `unblock_dtmf`, for the branch `via_branch` of the call."""
    return _run("unblock DTMF", flags, via_branch)


@ksr("rtpengine.block_media")
def block_media(flags: str) -> int:
    """Keeps media from passing: 1, or -1."""
    return _run("block media", flags)


@ksr("rtpengine.block_media0")
def block_media0() -> int:
    """As `block_media`, without flags."""
    return _run("block media", "")


@ksr("rtpengine.block_media2")
def block_media2(flags: str, via_branch: str) -> int:
    """As `block_media`, for the branch `via_branch` of the call."""
    return _run("block media", flags, via_branch)


@ksr("rtpengine.unblock_media")
def unblock_media(flags: str) -> int:
    """Lets media pass again: 1, or -1."""
    return _run("unblock media", flags)


@ksr("rtpengine.unblock_media0")
def unblock_media0() -> int:
    """As `unblock_media`, without flags."""
    return _run("unblock media", "")


@ksr("rtpengine.unblock_media2")
def unblock_media2(flags: str, via_branch: str) -> int:
    """As `unblock_media`, for the branch `via_branch` of the call."""
    return _run("unblock media", flags, via_branch)


@ksr("rtpengine.silence_media")
def silence_media(flags: str) -> int:
    """Replaces media by silence: 1, or -1."""
    return _run("silence media", flags)


@ksr("rtpengine.silence_media0")
def silence_media0() -> int:
    """As `silence_media`, without flags."""
    return _run("silence media", "")


@ksr("rtpengine.silence_media2")
def silence_media2(flags: str, via_branch: str) -> int:
    """As `silence_media`, for the branch `via_branch` of the call."""
    return _run("silence media", flags, via_branch)


@ksr("rtpengine.unsilence_media")
def unsilence_media(flags: str) -> int:
    """Ends `silence_media`: 1, or -1."""
    return _run("unsilence media", flags)


@ksr("rtpengine.unsilence_media0")
def unsilence_media0() -> int:
    """As `unsilence_media`, without flags."""
    return _run("unsilence media", "")


@ksr("rtpengine.unsilence_media2")
def unsilence_media2(flags: str, via_branch: str) -> int:
    """As `unsilence_media`, for the branch `via_branch` of the call."""
    return _run("unsilence media", flags, via_branch)


@ksr("rtpengine.start_forwarding")
def start_forwarding(flags: str) -> int:
    """Begins to send copies of the media to the recording daemon: 1, or -1."""
    return _run("start forwarding", flags)


@ksr("rtpengine.start_forwarding0")
def start_forwarding0() -> int:
    """As `start_forwarding`, without flags."""
    return _run("start forwarding", "")


@ksr("rtpengine.start_forwarding2")
def start_forwarding2(flags: str, via_branch: str) -> int:
    """As `start_forwarding`, for the branch `via_branch` of the call."""
    return _run("start forwarding", flags, via_branch)


@ksr("rtpengine.stop_forwarding")
def stop_forwarding(flags: str) -> int:
    """Ends `start_forwarding`: 1, or -1."""
    return _run("stop forwarding", flags)


@ksr("rtpengine.stop_forwarding0")
def stop_forwarding0() -> int:
    """As `stop_forwarding`, without flags."""
    return _run("stop forwarding", "")


@ksr("rtpengine.stop_forwarding2")
def stop_forwarding2(flags: str, via_branch: str) -> int:
    """As `stop_forwarding`, for the branch `via_branch` of the call."""
    return _run("stop forwarding", flags, via_branch)


@ksr("rtpengine.stop_media")
def stop_media(flags: str) -> int:
    """Ends `play_media`: 1, or -1."""
    return _run("stop media", flags)


@ksr("rtpengine.stop_media0")
def stop_media0() -> int:
    """As `stop_media`, without flags."""
    return _run("stop media", "")


@ksr("rtpengine.stop_media2")
def stop_media2(flags: str, via_branch: str) -> int:
    """As `stop_media`, for the branch `via_branch` of the call."""
    return _run("stop media", flags, via_branch)


@ksr("rtpengine.play_media")
def play_media(flags: str) -> int:
    """Plays a file (`file=path`, `blob=...`, `db-id=...`) to the side that the flags name: 1, or -1."""
    return _run("play media", flags)


@ksr("rtpengine.play_media2")
def play_media2(flags: str, via_branch: str) -> int:
    """As `play_media`, for the branch `via_branch` of the call."""
    return _run("play media", flags, via_branch)


@ksr("rtpengine.play_dtmf")
def play_dtmf(flags: str) -> int:
    """Sends a DTMF event (`code=5`) to the side that the flags name: 1, or -1."""
    return _run("play DTMF", flags)


@ksr("rtpengine.start_recording")
def start_recording() -> int:
    """Begins to record the call: 1, or -1."""
    return _run("start recording", "")


@ksr("rtpengine.stop_recording")
def stop_recording() -> int:
    """Ends the recording of the call: 1, or -1."""
    return _run("stop recording", "")


@ksr("rtpengine.set_rtpengine_set")
def set_rtpengine_set(set: int) -> int:
    """Chooses the set of instances for this call: 1; -1 when there is no such set."""
    return _choose_sets(set)


@ksr("rtpengine.set_rtpengine_set2")
def set_rtpengine_set2(set: int, other: int) -> int:
    """Chooses a set, and another one for when it has no instance that serves: 1; -1 when there is no such set."""
    return _choose_sets(set, other)


def _call(message: "Message") -> Call:
    pv = _settings.extra_id_pv
    return Call(
        message.call_id,
        message.from_tag,
        message.to_tag,
        message.source.ip,
        bodies.is_request(message),
        message.via_branches(),
        str(_engine.pv_get(pv) or "") if pv else "",
        _next_branch,
    )


def _next_branch() -> str:
    """The branch that the request will leave with; makes its transaction if there is none yet."""
    branch = _engine.next_branch()
    if branch is None and _engine.tm_t_newtran() == 1:
        branch = _engine.next_branch()
    return branch or ""


def _manage(flags: str, via_branch: str) -> int:
    message, method = _engine.current(), bodies.method()
    is_request, code = bodies.is_request(message), bodies.status(message)
    if (method in ("BYE", "CANCEL") and is_request) or code >= 300 or _engine.tmx_t_is_failure_route() == 1:
        return _run("delete", flags, via_branch)
    if _description(message) is None:
        return -1
    if is_request and method in _ANSWERING:
        return _run("answer", flags, via_branch)
    if method not in (*_MANAGED, "PRACK"):
        return -1
    if is_request:
        _offers.note(message)
        return _run("offer", flags, via_branch)
    return _run("answer" if _offers.has(message) else "offer", flags, via_branch)


def _run(verb: str, flags: str, via_branch: str = "") -> int:
    answer = _answer(verb, flags, via_branch)
    if answer is None:
        return -1
    if verb in ("query", "delete"):
        _write_mos(answer)
    elif verb == "play media" and _settings.media_duration:
        _written(_settings.media_duration, str(answer.get("duration", -1)))
    return 1 if verb not in ("offer", "answer") else _use(answer)


def _answer(verb: str, flags_text: str, via_branch: str = "") -> dict[str, Any] | None:
    """What the instance of the call says to a command; None when it refuses or none answers."""
    message = _engine.current()
    sdp = _description(message) if verb in _WITH_SDP else None
    try:
        if verb in _WITH_SDP and sdp is None:
            raise Refused("the message has no session description")
        call = _call(message)
        made = command(verb, call, read_flags(flags_text, via_branch), sdp)
        node, answer = _pool.run(made, _sets())
    except Refused as error:
        log.error(f"KSR.rtpengine: {verb}: {error}")
        return None
    if _settings.rtp_inst_pvar:
        _written(_settings.rtp_inst_pvar, node)
    return answer


def _description(message: "Message") -> bytes | None:
    pv = _settings.read_sdp_pv
    value = _engine.pv_get(pv) if pv else None
    if isinstance(value, str) and value:
        return value.encode("utf-8", "surrogateescape")
    return bodies.description(message)


def _use(answer: dict[str, Any]) -> int:
    new = answer.get("sdp")
    if not isinstance(new, str):
        log.error("KSR.rtpengine: the answer has no session description")
        return -1
    if _settings.write_sdp_pv:
        return _written(_settings.write_sdp_pv, new)
    bodies.replace_description(_engine.current(), new.encode("utf-8", "surrogateescape"))
    return 1


def _written(variable: str, value: str) -> int:
    return 1 if _engine.pv_sets(variable, value) else -1


def _sets() -> list[int]:
    chosen = [_engine.pvx_avp_get(name) for name in _SET_AVPS]
    if not isinstance(chosen[0], int) and _settings.setid_avp:
        value = _engine.pv_get(_settings.setid_avp)
        chosen = [int(value)] if value is not None and str(value).isdigit() else []
    found = [one for one in chosen if isinstance(one, int)]
    return found or [_settings.setid_default]


def _choose_sets(*sets: int) -> int:
    missing = [number for number in sets if number not in _pool.nodes]
    if missing:
        log.error(f"KSR.rtpengine.set_rtpengine_set: there is no set {missing[0]}")
        return -1
    for name, number in zip(_SET_AVPS, sets, strict=False):
        _engine.pvx_avp_seti(name, number)
    return 1


def _statistics() -> str | None:
    answer = _answer("query", "")
    return None if answer is None else totals(answer)


def _write_mos(answer: dict[str, Any]) -> None:
    sides = {"": None, "_A": _settings.mos_A_label_pv, "_B": _settings.mos_B_label_pv}
    for side, label_pv in sides.items():
        label = _engine.pv_get(label_pv) if label_pv else None
        if side and label is None:
            continue
        for name, value in mos(answer, None if label is None else str(label)).items():
            pv = getattr(_settings, f"mos_{name}{side}_pv", "")
            if pv:
                _written(pv, value)
