"""KSR.dispatcher: the load balancer, with Kamailio's return codes."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.modules.dispatcher import INACTIVE, PROBING, TRANSPORT, URI, Destination, ListError, parse_state
from sipwright.modules.dispatcher_pool import PROBE_ALL, Pool, Source
from sipwright.modules.dispatcher_rpc import DispatcherRpc
from sipwright.modules.dispatcher_select import (
    CALL_ID,
    CALL_LOAD,
    CREDENTIALS,
    FROM_URI,
    LATENCY,
    PARALLEL,
    REQUEST_URI,
    TO_URI,
    VARIABLES,
    Selection,
    hash_of,
)
from sipwright.modules.dispatcher_table import table_rows
from sipwright.modules.names import addresses_of
from sipwright.settings.dispatcher import DispatcherSettings
from sipwright.settings.listen import join_host_port

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = [
    "ds_is_active",
    "ds_is_active_uri",
    "ds_is_from_list",
    "ds_is_from_list_mode",
    "ds_is_from_list_uri",
    "ds_is_from_lists",
    "ds_list_exists",
    "ds_load_unset",
    "ds_load_update",
    "ds_mark_addr",
    "ds_mark_dst",
    "ds_mark_dst_state",
    "ds_next_domain",
    "ds_next_dst",
    "ds_reload",
    "ds_select",
    "ds_select_domain",
    "ds_select_domain_limit",
    "ds_select_dst",
    "ds_select_dst_limit",
    "ds_select_limit",
    "ds_select_routes",
    "ds_select_routes_limit",
    "ds_set_domain",
    "ds_set_dst",
]

# Where a destination is put.
_DST_URI: Final = 0
_REQUEST_URI: Final = 1
_NOWHERE: Final = 2
_MODES: Final = {"0": 0, "d": 0, "1": 1, "r": 1, "2": 2, "x": 2}
_USER_ONLY: Final = 1
_FAILOVER: Final = 2
_PONG: Final = "dispatcher:pong"
_ALL_SETS: Final = -1
_NO_PROTO: Final = 2
_LOOK_UP_S: Final = 1.0

_pool: Pool = Pool(DispatcherSettings(), lambda one: (), lambda event, one: None)
_sent: dict[str, tuple[int, Destination, float]] = {}
# Of each worker: the answer to a keep-alive that it is told of, and that of the event whose route it runs.
_answers = threading.local()
# Numbers of our sockets, as `proto:host:port` and by name.
_sockets: dict[str, int] = {}


def configure(host: "Host") -> None:
    """Loads the destinations, registers the control methods, and keep-alives if they are wanted.

    Raises ListError, or OSError for a file that cannot be read.
    """
    global _pool
    settings = host.settings.dispatcher
    rows = partial(table_rows, host.database(settings.db_url), settings) if settings.db_url else None
    _pool = Pool(settings, lambda one: _resolve(host, one), lambda event, one: _tell(host, event, one.uri), rows)
    _pool.load(time.monotonic())
    _sent.clear()
    _sockets.clear()
    bound = [(place, listen.name) for listen in host.settings.listen for place in listen.sockets()]
    for index, ((proto, address, port), name) in enumerate(bound):
        _sockets[f"{proto}:{join_host_port(address, port)}"] = index
        if name:
            _sockets[name] = index
    host.variable("dsv", lambda inner, _: _told(inner))
    methods = DispatcherRpc(_pool, time.monotonic)
    for name in ("list", "reload", "set_state", "set_duid_state", "ping_active", "add", "remove", "hash"):
        host.rpc.add(f"dispatcher.{name}", getattr(methods, name), blocking=name == "reload")
    if settings.ds_ping_interval_s:
        host.route(_PONG, _pong)
        host.every(settings.ds_ping_interval_s, _ping)
    if settings.ds_hash_size:
        host.every(settings.ds_hash_check_interval_s, lambda: _pool.loads.expire(time.monotonic()))
    if settings.list_file or settings.db_url:
        host.every(_LOOK_UP_S, lambda: _pool.look_up(time.monotonic()), blocking=True)
    host.count(lambda: {"dispatcher_calls": len(_pool.loads)})


# ---- selecting -----------------------------------------------------------------------------------------------------


@ksr("dispatcher.ds_select_dst")
def ds_select_dst(set: int, algorithm: int) -> int:
    """Chooses a destination of a set and makes it the destination URI: 1, or -1 when there is none."""
    return _select([(set, algorithm)], _DST_URI, 0)


@ksr("dispatcher.ds_select_dst_limit")
def ds_select_dst_limit(set: int, algorithm: int, limit: int) -> int:
    """As `ds_select_dst`; keeps at most so many destinations for failover, 0 for all."""
    return _select([(set, algorithm)], _DST_URI, limit)


@ksr("dispatcher.ds_select_domain")
def ds_select_domain(set: int, algorithm: int) -> int:
    """Chooses a destination of a set and puts it into the request-URI, behind the user: 1, or -1 when there is none."""
    return _select([(set, algorithm)], _REQUEST_URI, 0)


@ksr("dispatcher.ds_select_domain_limit")
def ds_select_domain_limit(set: int, algorithm: int, limit: int) -> int:
    """As `ds_select_domain`; keeps at most so many destinations for failover, 0 for all."""
    return _select([(set, algorithm)], _REQUEST_URI, limit)


@ksr("dispatcher.ds_select")
def ds_select(set: int, algorithm: int) -> int:
    """Chooses destinations of a set for `ds_set_dst`, `ds_next_dst` and their kin, and sets none: 1, or -1."""
    return _select([(set, algorithm)], _NOWHERE, 0)


@ksr("dispatcher.ds_select_limit")
def ds_select_limit(set: int, algorithm: int, limit: int) -> int:
    """As `ds_select`; keeps at most so many destinations, 0 for all."""
    return _select([(set, algorithm)], _NOWHERE, limit)


@ksr("dispatcher.ds_select_routes")
def ds_select_routes(rules: str, mode: str) -> int:
    """Chooses by `set=algorithm;set=algorithm`; `mode` d sets the destination URI, r the request-URI, x neither: 1 or -1."""
    return ds_select_routes_limit(rules, mode, 0)  # type: ignore[no-any-return]


@ksr("dispatcher.ds_select_routes_limit")
def ds_select_routes_limit(rules: str, mode: str, limit: int) -> int:
    """As `ds_select_routes`; stops adding destinations at that number, 0 for no limit."""
    place = _MODES.get(mode[:1].lower())
    if place is None:
        log.error(f"KSR.dispatcher.ds_select_routes: mode {mode!r} is none of d, r and x")
        return -1
    parsed: list[tuple[int, int]] = []
    for rule in filter(None, (part.strip() for part in rules.split(";"))):
        number, _, algorithm = rule.partition("=")
        if not number.strip().isdigit() or not algorithm.strip().isdigit():
            log.error(f"KSR.dispatcher.ds_select_routes: {rule!r} is no rule `set=algorithm`")
            return -1
        parsed.append((int(number), int(algorithm)))
    return _select(parsed, place, limit)


@ksr("dispatcher.ds_set_dst")
def ds_set_dst() -> int:
    """Makes the current one of the chosen destinations the destination URI: 1 or -1."""
    return _use_current(_DST_URI)


@ksr("dispatcher.ds_set_domain")
def ds_set_domain() -> int:
    """Puts the current one of the chosen destinations into the request-URI: 1 or -1."""
    return _use_current(_REQUEST_URI)


@ksr("dispatcher.ds_next_dst")
def ds_next_dst() -> int:
    """Goes to the next one of the chosen destinations and makes it the destination URI: 1, or -1 after the last."""
    return _use_next(_DST_URI)


@ksr("dispatcher.ds_next_domain")
def ds_next_domain() -> int:
    """Goes to the next one of the chosen destinations and puts it into the request-URI: 1, or -1 after the last."""
    return _use_next(_REQUEST_URI)


# ---- states --------------------------------------------------------------------------------------------------------


@ksr("dispatcher.ds_mark_dst")
def ds_mark_dst() -> int:
    """Marks the current destination as inactive: 1, or -1 when there is none."""
    return _mark_current(INACTIVE | (PROBING if _pool.settings.ds_probing_mode == PROBE_ALL else 0))


@ksr("dispatcher.ds_mark_dst_state")
def ds_mark_dst_state(state: str) -> int:
    """Marks the current destination: a active, i inactive, t trying, d disabled, each also with p for probing: 1 or -1."""
    flags = _state(state)
    return -1 if flags is None else _mark_current(flags)


@ksr("dispatcher.ds_mark_addr")
def ds_mark_addr(state: str, set: int, uri: str) -> int:
    """Marks the destinations of a set with that URI, as `ds_mark_dst_state`: 1 or -1."""
    flags = _state(state)
    return 1 if flags is not None and _pool.mark(set, uri, flags) else -1


@ksr("dispatcher.ds_list_exists")
def ds_list_exists(set: int) -> int:
    """Whether there is that set: 1 or -1."""
    return 1 if set in _pool.groups else -1


@ksr("dispatcher.ds_is_active")
def ds_is_active(set: int) -> int:
    """Whether a destination of the set may be chosen: 1 or -1."""
    group = _pool.groups.get(set)
    return 1 if group and any(one.is_usable for one in group.destinations) else -1


@ksr("dispatcher.ds_is_active_uri")
def ds_is_active_uri(set: int, uri: str) -> int:
    """Whether the destination of the set with that URI may be chosen: 1 or -1."""
    group = _pool.groups.get(set)
    return 1 if group and any(one.is_usable for one in group.find(uri)) else -1


@ksr("dispatcher.ds_reload")
def ds_reload() -> int:
    """Reads the list of destinations again: 1, or -1 when that fails or the last time was less than `reload_delta` ago."""
    try:
        _pool.reload(time.monotonic())
    except (ListError, OSError) as error:
        log.error(f"KSR.dispatcher.ds_reload: {error}")
        return -1
    return 1


# ---- sources -------------------------------------------------------------------------------------------------------


@ksr("dispatcher.ds_is_from_lists")
def ds_is_from_lists() -> int:
    """Whether the sender's address and port are those of a destination: 1 or -1."""
    return _is_from(_ALL_SETS, _NO_PROTO, "")


@ksr("dispatcher.ds_is_from_list")
def ds_is_from_list(set: int) -> int:
    """Whether the sender's address and port are those of a destination of the set, -1 for all sets: 1 or -1."""
    return _is_from(set, _NO_PROTO, "")


@ksr("dispatcher.ds_is_from_list_mode")
def ds_is_from_list_mode(set: int, mode: int) -> int:
    """As `ds_is_from_list`; `mode` is a sum of 1 any port, 2 any transport, 4 active ones only: 1 or -1."""
    return _is_from(set, mode, "")


@ksr("dispatcher.ds_is_from_list_uri")
def ds_is_from_list_uri(set: int, mode: int, uri: str) -> int:
    """As `ds_is_from_list_mode`, for the address of a URI instead of the sender's: 1 or -1."""
    return _is_from(set, mode, uri)


# ---- call load -----------------------------------------------------------------------------------------------------


@ksr("dispatcher.ds_load_update")
def ds_load_update() -> int:
    """Keeps the load of algorithm 10: BYE and CANCEL end a call, a 2xx to INVITE confirms it: 0, as in Kamailio."""
    message, settings = _engine.current(), _pool.settings
    if message.Type == "SIP_REQUEST":
        if message.Method in ("BYE", "CANCEL"):
            _pool.loads.remove(message.call_id)
    elif _engine.pv_get("$rm") == "INVITE" and message.Status.startswith("2"):
        _pool.loads.confirm(message.call_id, time.monotonic() + settings.ds_hash_expire_s)
    return 0


@ksr("dispatcher.ds_load_unset")
def ds_load_unset() -> int:
    """Takes the call off the load of the destination that it was sent to: 0, or -1 when it was not counted."""
    if _engine.core_is_INVITE() and _engine.current().Type == "SIP_REQUEST" and _engine.pv_is_null(_field("dstid")):
        return 0
    return 0 if _pool.loads.remove(_engine.current().call_id) else -1


# ---- helpers -------------------------------------------------------------------------------------------------------


def _select(rules: list[tuple[int, int]], place: int, limit: int) -> int:
    """Selects for each set in turn; the first one found is put in place."""
    settings = _pool.settings
    if place == _DST_URI and not settings.force_dst and _engine.core_isdsturiset():
        log.error(f"KSR.dispatcher: the destination is set already ({_engine.pv_get('$du')}), see dispatcher.force_dst")
        return -1
    chosen: list[tuple[int, int, Destination]] = []
    for number, algorithm in rules:
        rest = max(limit - len(chosen), 1) if limit > 0 else 0
        found = _select_from(number, algorithm, rest)
        if algorithm == PARALLEL and found:
            # They all get the request at once, so there is nothing to go on to.
            return _fork(found, place)
        chosen += [(number, algorithm, one) for one in found]
    if not chosen:
        return -1
    number, algorithm, first = chosen[0]
    if settings.flags & _FAILOVER:
        for item in reversed(chosen):
            _keep(*item)
    if place != _NOWHERE:
        _put(place, first.uri, _pool.socket_of(first))
    _count(len(chosen))
    if algorithm == CALL_LOAD:
        _add_load(number, first.attributes.duid)
    return 1


def _select_from(number: int, algorithm: int, limit: int) -> list[Destination]:
    group = _pool.groups.get(number)
    if group is None or not group.destinations:
        log.error(f"KSR.dispatcher: there is no set {number}")
        return []
    if algorithm > LATENCY:
        log.warning(
            f"KSR.dispatcher: there is no algorithm {algorithm}; the first destination of set {number} is taken"
        )
    load_of = None
    if algorithm == CALL_LOAD:
        if not _pool.settings.ds_hash_size:
            log.error("KSR.dispatcher: algorithm 10 needs the setting dispatcher.ds_hash_size")
            return []
        if _engine.core_is_INVITE():
            if all(one.attributes.duid for one in group.destinations):
                load_of = _load_of(number)
            else:
                log.error(f"KSR.dispatcher: a destination of set {number} has no duid; load is not counted")
    key = _key(algorithm)
    selection = Selection(_pool.settings.use_default, limit)
    with _pool.lock:
        return selection.select(group, algorithm, key, load_of)


def _load_of(number: int) -> Callable[[Destination], int]:
    return lambda one: _pool.loads.load(number, one.attributes.duid)


def _key(algorithm: int) -> int | None:
    """The hash of what the algorithm looks at; None when the message has no such thing."""
    if algorithm == CALL_ID:
        return hash_of(_engine.current().call_id.strip())
    if algorithm in (FROM_URI, TO_URI, REQUEST_URI):
        return _key_of_uri({FROM_URI: "$fu", TO_URI: "$tu", REQUEST_URI: "$ru"}[algorithm])
    if algorithm == CREDENTIALS:
        user = _engine.pv_get("$au")
        return hash_of(str(user)) if user is not None else None
    if algorithm == VARIABLES:
        return hash_of(str(_engine.pv_get(f"$_s({_pool.settings.hash_pvar})") or "")) if _pool.settings.hash_pvar else 0
    return None


def _key_of_uri(variable: str) -> int | None:
    found = URI.match(str(_engine.pv_get(variable) or ""))
    if found is None:
        return None
    user = (found["user"] or "").partition(":")[0]
    if _pool.settings.flags & _USER_ONLY:
        return hash_of(user)
    standard = "5061" if found["scheme"].lower() == "sips" else "5060"
    port = found["port"]
    return hash_of(user, found["host"] if port in (None, standard) else f"{found['host']}:{port}")


def _fork(destinations: list[Destination], place: int) -> int:
    first, *others = destinations
    uri = str(_engine.pv_get("$ru"))
    for one in others:
        socket = _sockets.get(_pool.socket_of(one))
        if place == _REQUEST_URI:
            _engine.append_branch(_with_destination(uri, one.uri), None, None, 0, socket, None)
        else:
            _engine.append_branch(uri, one.uri, None, 0, socket, None)
    if place != _NOWHERE:
        _put(place, first.uri, _pool.socket_of(first))
    _count(0)
    return 1


def _field(name: str) -> str:
    return f"$xavp({_pool.settings.xavp_dst}=>{name})"


def _keep(number: int, algorithm: int, one: Destination) -> None:
    """Puts a destination before those that are kept for failover."""
    settings, attributes = _pool.settings, one.attributes
    root = settings.xavp_dst
    _engine.pv_seti(f"$xavp({root}=>grp)", number)
    fields = {"uri": one.uri}
    if attributes.body and not settings.xavp_dst_mode & 1:
        fields["attrs"] = attributes.body
    if socket := _pool.socket_of(one):
        fields["sock"] = socket
    if attributes.socket and settings.xavp_dst_mode & 2:
        fields["socket"] = attributes.socket
    if attributes.sockname and settings.xavp_dst_mode & 4:
        fields["sockname"] = attributes.sockname
    if algorithm == CALL_LOAD and attributes.duid and _engine.core_is_INVITE():
        fields["dstid"] = attributes.duid
    for name, value in fields.items():
        _engine.pv_sets(f"$xavp({root}[0]=>{name})", value)


def _count(number: int) -> None:
    settings = _pool.settings
    if settings.xavp_ctx_mode & 1:
        return
    root = settings.xavp_ctx
    is_new = _engine.pv_is_null(f"$xavp({root}=>cnt)")
    _engine.pv_seti(f"$xavp({root}=>cnt)" if is_new else f"$xavp({root}[0]=>cnt[0])", number)


def _use_current(place: int) -> int:
    uri = _engine.pv_get(_field("uri"))
    if uri is None:
        return -1
    _put(place, str(uri), str(_engine.pv_get(_field("sock")) or ""))
    return 1


def _use_next(place: int) -> int:
    settings = _pool.settings
    if _engine.pv_is_null(_field("uri")):
        return -1
    counted = not _engine.pv_is_null(_field("dstid"))
    _engine.pv_unset(f"$xavp({settings.xavp_dst}[0])")
    if _use_current(place) != 1:
        if counted:
            _pool.loads.remove(_engine.current().call_id)
        return -1
    duid = _engine.pv_get(_field("dstid"))
    if duid is not None:
        _add_load(_engine.pv_geti(_field("grp")), str(duid))
    return 1


def _add_load(number: int, duid: str) -> None:
    if duid and _engine.core_is_INVITE():
        ends_at = time.monotonic() + _pool.settings.ds_hash_initexpire_s
        if not _pool.loads.add(_engine.current().call_id, number, duid, ends_at):
            log.warning(f"dispatcher: {_pool.settings.max_calls} calls are counted; this one is not")


def _put(place: int, uri: str, socket: str) -> None:
    if place == _REQUEST_URI:
        _engine.core_seturi(_with_destination(str(_engine.pv_get("$ru")), uri))
    else:
        # A failure route forwards to the main destination only if the request-URI was written anew.
        _engine.core_seturi(str(_engine.pv_get("$ru")))
        _engine.core_setdsturi(uri)
    if socket:
        # A name has no colon.
        _engine.pv_sets("$fs" if ":" in socket else "$fsn", socket)


def _with_destination(request_uri: str, destination: str) -> str:
    """The request-URI with all that follows the user taken from the destination."""
    scheme, _, rest = request_uri.partition(":")
    user = rest.rpartition("@")[0] if "@" in rest else ""
    place = destination.partition(":")[2].rpartition("@")[2]
    return f"{scheme}:{user}@{place}" if user else f"{scheme}:{place}"


def _mark_current(state: int) -> int:
    if not _pool.settings.flags & _FAILOVER:
        log.error("KSR.dispatcher.ds_mark_dst needs failover: 2 in the setting dispatcher.flags")
        return -1
    uri = _engine.pv_get(_field("uri"))
    if uri is None:
        return -1
    return 1 if _pool.mark(_engine.pv_geti(_field("grp")), str(uri), state) else -1


def _state(state: str) -> int | None:
    flags = parse_state(state)
    if flags is None:
        log.error(f"KSR.dispatcher: {state!r} is no state; a, i, t or d, and p for probing")
    return flags


def _is_from(number: int, mode: int, uri: str) -> int:
    source = _source() if not uri else _source_of(uri)
    found = None if source is None else _pool.match(number, source, mode)
    if found is None:
        return -1
    settings, (group, one) = _pool.settings, found
    if number == _ALL_SETS and settings.setid_pvname:
        _engine.pv_seti(settings.setid_pvname, group)
    if one.attributes.body and settings.attrs_pvname:
        _engine.pv_sets(settings.attrs_pvname, one.attributes.body)
    return 1


def _source() -> Source:
    flow = _engine.current().source
    return Source((flow.ip,), flow.port, flow.proto)


def _source_of(uri: str) -> Source | None:
    try:
        one = Destination.make(uri, 0, 0, "")
    except ValueError as error:
        log.error(f"KSR.dispatcher.ds_is_from_list_uri: {error}")
        return None
    transport = TRANSPORT.search(uri)
    addresses = _pool.resolve(one)
    return Source(addresses, one.port, transport[1].lower() if transport else "")


def _told(key: str) -> str | int | None:
    """`$dsv(key)`: the answer to a keep-alive that led to the event of this route."""
    code, reason = getattr(_answers, "told", None) or (None, None)
    return {"code": code, "reason": reason}.get(key)


def _tell(host: "Host", event: str, uri: str) -> None:
    """Has the event route of the settings run, with a message to the destination."""
    callback = host.settings.dispatcher.event_callback
    answer = getattr(_answers, "heard", None)

    def run() -> None:
        _engine.core_seturi(uri)
        _answers.told = answer
        host.run_route(callback, event)
        _answers.told = None

    if callback:
        host.call(run)


def _resolve(host: "Host", one: Destination) -> tuple[str, ...]:
    """Addresses of a name; none when nobody knows it. Blocks."""
    if host.engine is None:
        return ()
    if host.settings.dispatcher.ds_dns_mode & 8:
        try:
            return tuple(dict.fromkeys(address for _, address, _ in host.engine.locate(one.uri)))
        except _engine.EngineError:
            return ()
    return tuple(addresses_of(host.engine, one.host))


# ---- keep-alives ---------------------------------------------------------------------------------------------------


def _ping() -> None:
    now = time.monotonic()
    for number, one in _pool.to_ping():
        token = f"{number} {one.uri}"
        _sent[token] = (number, one, now)
        try:
            _pool.ping(one, _PONG, token).send()
        except ValueError as error:
            del _sent[token]
            log.warning(f"dispatcher: no keep-alive to {one.uri}: {error}")
            _pool.ponged(number, one, 408, 0)


def _pong(message: "Message", token: str) -> None:
    sent = _sent.pop(token, None)
    if sent is not None:
        number, one, sent_at = sent
        code = _engine.pv_geti("$T_reply_code")
        _answers.heard = (code, _engine.pv_get("$rr"))
        _pool.ponged(number, one, code, round((time.monotonic() - sent_at) * 1000))
        _answers.heard = None
