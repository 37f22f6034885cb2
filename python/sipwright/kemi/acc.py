"""KSR.acc: accounting of transactions, by flags of their requests or by functions of the script, as Kamailio does it."""

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sipwright import _engine, log
from sipwright.kemi import inwork
from sipwright.kemi.calls import ksr
from sipwright.modules import cdr
from sipwright.modules.acc import REASONS, Leg, Record, Value, comment, extra_columns, line, times
from sipwright.settings.acc import AccSettings
from sipwright.storage.check import check_at_start

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host
    from sipwright.storage.database import Database

__all__ = ["acc_db_request", "acc_log_request", "acc_request"]

ROUTE: Final = "acc:transaction"
ANSWERED: Final = "transaction answered"
MISSED: Final = "call missed"
ACKNOWLEDGED: Final = "request acknowledged"
REQUESTED: Final = "request accounted"
_FTAG: Final = re.compile(r";ftag=([^;,>\s]+)")
_REASON_TEXT: Final = re.compile(r';\s*text\s*=\s*(?:"([^"]*)"|([^;,\s]+))', re.IGNORECASE)


@dataclass
class _State:
    settings: AccSettings = field(default_factory=AccSettings)
    host: "Host | None" = None
    log_extra: list[tuple[str, str]] = field(default_factory=list)
    db_extra: list[tuple[str, str]] = field(default_factory=list)
    legs: list[tuple[str, str]] = field(default_factory=list)
    filtered: frozenset[int] = frozenset()
    kinds: int = 0
    records: int = 0


_state = _State()
# Whether what a worker is told of is a transaction whose tags change places.
_workers = threading.local()


def configure(host: "Host") -> None:
    """Uses the host's settings from now on; watches the transactions of all requests if a flag is set in them."""
    global _state
    settings = host.settings.acc
    _state = _State(
        settings,
        host,
        extra_columns(settings.log_extra),
        extra_columns(settings.db_extra),
        extra_columns(settings.multi_leg_info),
        frozenset(int(code) for code in settings.failed_filter.replace(" ", "").split(",") if code),
        _kinds(settings),
    )
    host.count(lambda: {"acc_records": _state.records})
    host.route(ROUTE, _told)
    if settings.flags():
        host.before_request(_watch)
    if settings.db_flag >= 0 or settings.db_missed_flag >= 0:
        # Its libraries take a while to load, for which the first call should not have to wait.
        host.database(settings.db_url)
    cdrs = cdr.Cdrs(settings, _database, inwork.get)
    host.count(lambda: {"cdr_records": cdrs.records})
    if settings.cdr_enable:
        host.on_dialog(cdrs)
        if settings.cdrs_table:
            check_at_start(host, "acc", settings.db_url, (settings.cdrs_table, cdr.VERSION))
    if settings.db_url:
        fixed = [name for name in (settings.db_table_acc, settings.db_table_missed_calls) if "$" not in name]
        check_at_start(
            host, "acc", settings.db_url, *((name, 5 if index == 0 else 4) for index, name in enumerate(fixed))
        )


@ksr("acc.acc_log_request")
def acc_log_request(comment: str) -> int:
    """Accounts the request in work in the log: 1; -1 without a comment. The comment is `404 Not here`, or a text alone."""
    return _request(comment, to_log=True, table="")


@ksr("acc.acc_db_request")
def acc_db_request(comment: str, table: str) -> int:
    """Accounts the request in work in a table of the database: 1; -1 without a comment or a table."""
    return _request(comment, to_log=False, table=table) if table else -1


@ksr("acc.acc_request")
def acc_request(comment: str, table: str) -> int:
    """Accounts the request in work in the log and in a table of the database: 1; -1 without a comment or a table."""
    return _request(comment, to_log=True, table=table) if table else -1


# ---- transactions --------------------------------------------------------------------------------------------------


def _kinds(settings: AccSettings) -> int:
    kinds = _engine.WATCH_FINAL | _engine.WATCH_FAILED
    kinds |= _engine.WATCH_PROVISIONAL if settings.early_media else 0
    return kinds | (_engine.WATCH_ACK if settings.report_ack else 0)


def _watch() -> None:
    _engine.watch(_state.kinds, ROUTE, int(_is_upstream()) if _state.settings.detect_direction else 0)


def _is_upstream() -> bool:
    """Whether the callee sends the request, by the From tag of the first request, which our Route has kept (`rr.append_fromtag`)."""
    message = _engine.current()
    found = _FTAG.search(message.header("Route") or "") if message.to_tag else None
    return found is not None and found[1] != message.from_tag


def _told(message: "Message", event: str) -> None:
    """Something happened to a transaction; the message in work is its request, with its flags."""
    told = _engine.watched()
    if told is None:
        return
    key, code, branch = told
    _workers.is_upstream = bool(key)
    response = message.response
    if event == "failed":
        _missed(code or 408, response, branch)
    elif event == "final":
        if code >= 300:
            _missed(code, response, branch)
        _answered(code, response, branch)
    elif event == "provisional" and response is not None and b"\r\n\r\n" in response.raw():
        if response.raw().partition(b"\r\n\r\n")[2]:
            _answered(code, response, branch)
    elif event == "ack":
        # It acknowledges a 2xx, of which the event itself says no more.
        _account(ACKNOWLEDGED, "ACK", code or 200, response, branch, _state.settings.log_flag, _state.settings.db_flag)


def _answered(code: int, response: "Message | None", branch: int | None) -> None:
    settings, method = _state.settings, inwork.text("$rm")
    if method == "CANCEL" and not settings.report_cancels:
        return
    if code >= 300 and (not _is_set(settings.failed_transaction_flag) or code in _state.filtered):
        return
    _account(ANSWERED, method, code, response, branch, settings.log_flag, settings.db_flag)


def _missed(code: int, response: "Message | None", branch: int | None) -> None:
    settings, method = _state.settings, inwork.text("$rm")
    if method != "INVITE":
        return
    flags = (settings.log_missed_flag, settings.db_missed_flag)
    _account(MISSED, method, code, response, branch, *flags)
    # One attempt is missed once; a failure route that tries somebody else sets them again.
    core = inwork.core()
    for flag in flags:
        if flag >= 0:
            core.resetflag(flag)


def _account(
    title: str, method: str, code: int, response: "Message | None", branch: int | None, log_flag: int, db_flag: int
) -> None:
    settings = _state.settings
    to_log, to_db = _is_set(log_flag), _is_set(db_flag)
    if not to_log and not to_db:
        return
    record = _record(method, str(code), _reason(code, response, branch), _workers.is_upstream)
    _write(title, record, to_log=to_log, table=_table(title, settings) if to_db else "")


def _table(title: str, settings: AccSettings) -> str:
    name = settings.db_table_missed_calls if title == MISSED else settings.db_table_acc
    return inwork.expanded(name) if "$" in name else name


def _reason(code: int, response: "Message | None", branch: int | None) -> str:
    if response is not None and _state.settings.reason_from_hf:
        found = _REASON_TEXT.search(response.header("Reason") or "")
        if found:
            return found[1] or found[2]
    if response is None or branch is None:
        return REASONS.get(code, "Unknown")
    return inwork.text("$rr")


def _is_set(flag: int) -> bool:
    return flag >= 0 and bool(inwork.core().isflagset(flag))


# ---- records -------------------------------------------------------------------------------------------------------


def _request(text: str, *, to_log: bool, table: str) -> int:
    if not text:
        log.error("KSR.acc: the comment is empty")
        return -1
    code, reason = comment(text)
    _write(
        REQUESTED,
        _record(inwork.text("$rm"), code, reason, _state.settings.detect_direction and _is_upstream()),
        to_log=to_log,
        table=table,
    )
    return 1


def _record(method: str, code: str, reason: str, is_upstream: bool) -> Record:
    from_tag, to_tag = inwork.text("$ft"), inwork.text("$tt")
    if is_upstream:
        from_tag, to_tag = to_tag, from_tag
    return Record(method, from_tag, to_tag, inwork.text("$ci"), code, reason, time.time(), _legs())


def _legs() -> tuple[Leg, ...]:
    """The values of `acc.multi_leg_info`, a leg for each index at which one of the AVPs has a value."""
    legs: list[Leg] = []
    while _state.legs:
        values = [(name, _indexed(variable, len(legs))) for name, variable in _state.legs]
        if all(value is None for _, value in values):
            break
        legs.append(tuple(values))
    return tuple(legs)


def _indexed(variable: str, index: int) -> str | None:
    value = inwork.get(f"$({variable.removeprefix('$')}[{index}])")
    return None if value is None else str(value)


def _write(title: str, record: Record, *, to_log: bool, table: str) -> None:
    s = _state.settings
    further = times(s.time_mode, record.at, s.time_attr, s.time_exten, s.time_format)
    _state.records += 1
    if to_log:
        extra = [(name, inwork.text(variable)) for name, variable in _state.log_extra]
        log.write(s.log_level, line(title, record, extra, further))
    if not table:
        return
    values: dict[str, Value] = {
        s.acc_method_column: record.method,
        s.acc_from_tag_column: record.from_tag,
        s.acc_to_tag_column: record.to_tag,
        s.acc_callid_column: record.call_id,
        s.acc_sip_code_column: record.code,
        s.acc_sip_reason_column: record.reason,
        s.acc_time_column: int(record.at),
        **dict(further),
    }
    # A value that is not there leaves its column at the column's default: NULL, or what NOT NULL asks for.
    values |= {name: found for name, variable in _state.db_extra if (found := inwork.get(variable)) is not None}
    for leg in record.legs or ((),):
        row = {**values, **{name: value for name, value in leg if value is not None}}
        _database().write("insert", table, row, times=(s.acc_time_column,), layout="acc")


def _database() -> "Database":
    assert _state.host is not None
    return _state.host.database(_state.settings.db_url)
