"""KSR.dialog: dialogs and profiles that count them; `$dlg(..)`, `$dlg_ctx(..)`, `$dlg_var(..)`, with Kamailio's return codes."""

import sys
from typing import TYPE_CHECKING, Final

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.modules import dialog_timers, dialog_track
from sipwright.modules.dialog import EARLY, PROPERTIES, Dialog
from sipwright.modules.dialog_bridge import Bridges
from sipwright.modules.dialog_requests import send
from sipwright.modules.dialog_rpc import METHODS, DialogRpc
from sipwright.modules.dialog_store import Store
from sipwright.modules.dialog_track import Tracker
from sipwright.modules.dialog_variables import Value, Variables
from sipwright.storage.errors import DatabaseError

if TYPE_CHECKING:
    from sipwright.host import Host

__all__ = [
    "dlg_bridge",
    "dlg_bye",
    "dlg_db_load_callid",
    "dlg_db_load_extra",
    "dlg_get",
    "dlg_get_var",
    "dlg_isflagset",
    "dlg_manage",
    "dlg_refer_cid",
    "dlg_refer_did",
    "dlg_req_within4",
    "dlg_reset_property",
    "dlg_resetflag",
    "dlg_set_property",
    "dlg_set_ruri",
    "dlg_set_state",
    "dlg_set_timeout",
    "dlg_set_timeout_by_profile",
    "dlg_set_timeout_id",
    "dlg_set_var",
    "dlg_setflag",
    "dlg_update_contact",
    "dlg_update_socket",
    "dlg_update_state",
    "get_profile_size",
    "get_profile_size_static",
    "is_in_profile",
    "is_in_profile_static",
    "is_known_dlg",
    "set_dlg_profile",
    "set_dlg_profile_static",
    "unset_dlg_profile",
    "unset_dlg_profile_static",
    "var_get",
    "var_gete",
    "var_getw",
    "var_is_null",
    "var_rm",
    "var_sets",
]

_FLAGS: Final = 31
_SWEEP_S: Final = 1.0
_tracker: Tracker
_variables: Variables
_bridges: Bridges


def configure(host: "Host") -> None:
    """Begins with the dialogs of the database, or none; registers routes, variables, timers, control methods and counters."""
    global _tracker, _variables, _bridges
    _tracker = tracker = Tracker(host)
    _variables, _bridges = Variables(tracker), Bridges(host)
    settings = host.settings.dialog
    host.route(dialog_track.SETUP, tracker.setup)
    host.route(dialog_track.WITHIN, tracker.within)
    host.route(dialog_track.BYE_DONE, tracker.bye_done)
    host.route(dialog_timers.KEEPALIVE_DONE, tracker.timers.keepalive_done)
    methods = DialogRpc(tracker, _bridges, host.call)
    for name in METHODS:
        host.rpc.add(f"dlg.{name}", getattr(methods, name), blocking=name == "dump_file")
    host.every(_SWEEP_S, tracker.timers.sweep)
    if settings.ka_timer_s and settings.ka_interval_s:
        host.every(settings.ka_timer_s, tracker.timers.keep_alive)
    host.count(_counters)
    _variables.register(host)
    if settings.db_mode and host.engine is not None:
        tracker.store = Store(tracker, host)
        tracker.store.load()
    # Else set with the first dialog: where none is followed `loose_route` costs what it did.
    has_dialogs = len(tracker.dialogs) or (tracker.store is not None and tracker.store.is_loading)
    by_flag = settings.dlg_flag >= 0
    _engine.on_loose_route("dialog", tracker.after_loose_route if has_dialogs or by_flag else None)
    _engine.on_transaction("dialog", tracker.before_transaction if by_flag else None)


@ksr("dialog.dlg_manage")
def dlg_manage() -> int:
    """Begins to follow the dialog of an INVITE, or takes a request of a dialog to it: 1; -1 for other requests."""
    _engine.on_loose_route("dialog", _tracker.after_loose_route)
    return _tracker.manage()


@ksr("dialog.is_known_dlg")
def is_known_dlg() -> int:
    """Whether the message belongs to a dialog that is followed."""
    return 1 if _tracker.current() is not None else -1


@ksr("dialog.dlg_get")
def dlg_get(callid: str, ftag: str, ttag: str) -> int:
    """Makes a dialog the one that the functions and variables of this module work on: 1, or -1."""
    found = _find(callid, ftag, ttag)
    if found is None:
        return -1
    _tracker.scope().dialog = found
    return 1


@ksr("dialog.dlg_bye")
def dlg_bye(side: str) -> int:
    """Sends BYE to `caller`, `callee` or `all`: 1, or -1 without an answered dialog."""
    dialog = _tracker.current()
    if side not in ("caller", "callee"):
        side = "all"
    return 1 if dialog is not None and _tracker.bye(dialog, side) else -1


@ksr("dialog.dlg_bridge")
def dlg_bridge(from_uri: str, to_uri: str, op: str) -> int:
    """Calls `from_uri`, by way of the proxy `op` if one is named, and sends it on to `to_uri` by REFER: 1, or -1."""
    return 1 if _bridges.start(from_uri, to_uri, op) else -1


@ksr("dialog.dlg_refer_cid")
def dlg_refer_cid(callid: str, side: str, to: str) -> int:
    """Sends REFER to `caller` or `callee` of the dialog with that Call-ID: 1, or -1."""
    found = _tracker.dialogs.of_call(callid)
    return _refer(found[0] if found else None, side, to)


@ksr("dialog.dlg_refer_did")
def dlg_refer_did(h_entry: int, h_id: int, side: str, to: str) -> int:
    """As `dlg_refer_cid`, for the dialog with these numbers."""
    return _refer(_tracker.dialogs.at(h_entry, h_id), side, to)


@ksr("dialog.dlg_req_within4")
def dlg_req_within4(side: str, method: str, ctype: str, body: str) -> int:
    """Sends a request within the dialog to `caller` or `callee`: 1, or -1. A body is not sent."""
    dialog = _tracker.current()
    if dialog is None or not dialog.start_ts or body:
        return -1
    return 1 if send(dialog, method, side == "callee") else -1


def _refer(dialog: Dialog | None, side: str, to: str) -> int:
    if dialog is None or not dialog.start_ts:
        return -1
    other = dialog.from_uri if side == "callee" else dialog.to_uri
    lines = f"Refer-To: <{to}>\r\nReferred-By: <{other}>\r\n"
    return 1 if send(dialog, "REFER", side == "callee", lines) else -1


# ---- timeout, flags, properties ------------------------------------------------------------------------------------


@ksr("dialog.dlg_set_timeout")
def dlg_set_timeout(timeout: int) -> int:
    """Sets the seconds from now, or from the answer, after which the dialog is given up: 1, or -1."""
    return _variables.set_timeout(_tracker.current(), timeout)


@ksr("dialog.dlg_set_timeout_id")
def dlg_set_timeout_id(timeout: int, h_entry: int, h_id: int) -> int:
    """The same, for the dialog with these numbers."""
    return _variables.set_timeout(_tracker.dialogs.at(h_entry, h_id), timeout)


@ksr("dialog.dlg_set_timeout_by_profile")
def dlg_set_timeout_by_profile(profile: str, value: str, timeout: int) -> int:
    """The same, for all dialogs of a profile, with this value if it has values and one is given: 1, or -1."""
    has_value = _has_value(profile)
    if has_value is None or timeout <= 0:
        return -1
    for dialog in _tracker.dialogs.members(profile, value if has_value and value else None):
        _variables.set_timeout(dialog, timeout)
    return 1


@ksr("dialog.dlg_setflag")
def dlg_setflag(flag: int) -> int:
    """Sets a flag of the dialog, 0 to 31: 1, or -1."""
    return _change_flag(flag, True)


@ksr("dialog.dlg_resetflag")
def dlg_resetflag(flag: int) -> int:
    """Takes a flag of the dialog back: 1, or -1."""
    return _change_flag(flag, False)


@ksr("dialog.dlg_isflagset")
def dlg_isflagset(flag: int) -> int:
    """Whether a flag of the dialog is set."""
    dialog = _tracker.current()
    return 1 if dialog is not None and 0 <= flag <= _FLAGS and dialog.sflags >> flag & 1 else -1


def _change_flag(flag: int, on: bool) -> int:
    dialog = _tracker.current()
    if dialog is None or not 0 <= flag <= _FLAGS:
        return -1
    dialog.sflags = dialog.sflags | 1 << flag if on else dialog.sflags & ~(1 << flag)
    _tracker.changed(dialog)
    return 1


@ksr("dialog.dlg_set_property")
def dlg_set_property(attr: str) -> int:
    """Switches `ka-src`, `ka-dst` (keep-alives to caller, callee) or `timeout-noreset` on: 1, or -1."""
    return _change_property(attr, True)


@ksr("dialog.dlg_reset_property")
def dlg_reset_property(attr: str) -> int:
    """Switches it off: 1, or -1."""
    return _change_property(attr, False)


def _change_property(name: str, on: bool) -> int:
    dialog, flag = _tracker.current(), PROPERTIES.get(name)
    if flag is None:
        log.error(f"KSR.dialog: there is no property {name!r}; there are: {', '.join(PROPERTIES)}")
        return -1
    if dialog is None:
        return -1
    dialog.iflags = dialog.iflags | flag if on else dialog.iflags & ~flag
    _tracker.changed(dialog)
    return 1


@ksr("dialog.dlg_set_state")
def dlg_set_state(state: str) -> int:
    """Brings the dialog to a later state, 1 to 5: 1, or -1."""
    dialog = _tracker.current()
    if dialog is None or state not in ("1", "2", "3", "4", "5"):
        return -1
    if state == "5":
        return 1 if _tracker.end(dialog) else -1
    if not _tracker.dialogs.move(dialog, int(state)):
        return -1
    _tracker.changed(dialog)
    return 1


@ksr("dialog.dlg_update_state")
def dlg_update_state() -> int:
    """Takes the request to its dialog, as `loose_route` does: 1, or -1 without one."""
    message = _engine.current()
    if message.Type == "SIP_REQUEST" and message.to_tag:
        _tracker.take(message)
    return 1 if _tracker.current() is not None else -1


@ksr("dialog.dlg_update_contact")
def dlg_update_contact() -> int:
    """Makes the Contact of the message that of its side of the dialog: 1, or -1."""
    dialog, message = _tracker.current(), _engine.current()
    contacts = message.contacts() if message.header("Contact") else []
    if dialog is None or not contacts:
        return -1
    is_request = message.Type == "SIP_REQUEST"
    leg = dialog.caller if dialog.is_downstream(message.from_tag) == is_request else dialog.callee
    leg.contact = contacts[0].uri
    _tracker.changed(dialog)
    return 1


@ksr("dialog.dlg_update_socket")
def dlg_update_socket() -> int:
    """Makes the socket that the message came by ours towards its side of the dialog: 1, or -1."""
    dialog, message = _tracker.current(), _engine.current()
    if dialog is None:
        return -1
    is_request = message.Type == "SIP_REQUEST"
    leg = dialog.caller if dialog.is_downstream(message.from_tag) == is_request else dialog.callee
    leg.socket = message.source.socket_name
    _tracker.changed(dialog)
    return 1


@ksr("dialog.dlg_set_ruri")
def dlg_set_ruri() -> int:
    """Makes the Contact of the side that a request of the dialog goes to its request-URI: 1, or -1."""
    dialog, message = _tracker.current(), _engine.current()
    if dialog is None or message.Type != "SIP_REQUEST":
        return -1
    leg = dialog.callee if dialog.is_downstream(message.from_tag) else dialog.caller
    return 1 if leg.contact and sys.modules["KSR"].seturi(leg.contact) else -1


# ---- profiles ------------------------------------------------------------------------------------------------------


@ksr("dialog.set_dlg_profile")
def set_dlg_profile(profile: str, value: str) -> int:
    """Makes the dialog a member of a profile: 1, or -1."""
    return _join(profile, value)


@ksr("dialog.set_dlg_profile_static")
def set_dlg_profile_static(profile: str) -> int:
    """The same for a profile whose members have no value."""
    return -1 if _has_value(profile) else _join(profile, "")


@ksr("dialog.unset_dlg_profile")
def unset_dlg_profile(profile: str, value: str) -> int:
    """Takes the dialog out of a profile: 1, or -1 when it is not in it."""
    return _leave(profile, value)


@ksr("dialog.unset_dlg_profile_static")
def unset_dlg_profile_static(profile: str) -> int:
    """The same for a profile whose members have no value."""
    return -1 if _has_value(profile) else _leave(profile, "")


@ksr("dialog.is_in_profile")
def is_in_profile(profile: str, value: str) -> int:
    """Whether the dialog is in a profile, with this value if its members have one."""
    return _is_in(profile, value)


@ksr("dialog.is_in_profile_static")
def is_in_profile_static(profile: str) -> int:
    """The same for a profile whose members have no value."""
    return -1 if _has_value(profile) else _is_in(profile, "")


@ksr("dialog.get_profile_size")
def get_profile_size(profile: str, value: str, spv: str) -> int:
    """Writes how many dialogs are in a profile, with this value if it has values, into a variable: 1, or -1."""
    return _size(profile, value, spv)


@ksr("dialog.get_profile_size_static")
def get_profile_size_static(profile: str, spv: str) -> int:
    """The same for a profile whose members have no value."""
    return -1 if _has_value(profile) else _size(profile, "", spv)


def _join(profile: str, value: str) -> int:
    dialog, has_value = _tracker.current(), _has_value(profile)
    if dialog is None or has_value is None:
        return -1
    _tracker.dialogs.join(dialog, profile, value if has_value else "")
    _tracker.changed(dialog)
    return 1


def _leave(profile: str, value: str) -> int:
    dialog, has_value = _tracker.current(), _has_value(profile)
    if dialog is None or has_value is None:
        return -1
    if not _tracker.dialogs.leave(dialog, profile, value if has_value else ""):
        return -1
    _tracker.changed(dialog)
    return 1


def _is_in(profile: str, value: str) -> int:
    dialog, has_value = _tracker.current(), _has_value(profile)
    wanted = (profile, value if has_value else "")
    return 1 if dialog is not None and has_value is not None and wanted in dialog.profiles else -1


def _size(profile: str, value: str, spv: str) -> int:
    has_value = _has_value(profile)
    if has_value is None:
        return -1
    size = _tracker.dialogs.size(profile, value if has_value else None)
    return 1 if sys.modules["KSR"].pv.seti(spv, size) else -1


def _has_value(profile: str) -> bool | None:
    found = _tracker.dialogs.profiles.get(profile)
    if found is None:
        log.error(
            f"KSR.dialog: profile {profile!r} is not defined; see dialog.profiles_with_value and profiles_no_value"
        )
    return found


# ---- variables -----------------------------------------------------------------------------------------------------


@ksr("dialog.var_get")
def var_get(key: str) -> Value:
    """A variable of the dialog, or None."""
    return _variables.get(key)


@ksr("dialog.var_gete")
def var_gete(key: str) -> Value:
    """A variable of the dialog, or an empty text."""
    value = _variables.get(key)
    return "" if value is None else value


@ksr("dialog.var_getw")
def var_getw(key: str) -> Value:
    """A variable of the dialog, or `<null>`."""
    value = _variables.get(key)
    return "<null>" if value is None else value


@ksr("dialog.var_sets")
def var_sets(key: str, value: str) -> int:
    """Sets a variable of the dialog: 1, or -1."""
    return 1 if _variables.set(key, value) else -1


@ksr("dialog.var_rm")
def var_rm(key: str) -> int:
    """Removes a variable of the dialog: 1, even if there is none; -1 without a dialog."""
    return 1 if _variables.set(key, None) else -1


@ksr("dialog.var_is_null")
def var_is_null(key: str) -> int:
    """As in Kamailio 5.6: 1 when the variable has a value, -1 when it has none."""
    return -1 if _variables.get(key) is None else 1


@ksr("dialog.dlg_get_var")
def dlg_get_var(callid: str, ftag: str, ttag: str, key: str) -> Value:
    """A variable of another dialog, or None."""
    found = _find(callid, ftag, ttag)
    return None if found is None else found.variables.get(key)


@ksr("dialog.dlg_set_var")
def dlg_set_var(callid: str, ftag: str, ttag: str, key: str, val: str) -> int:
    """Sets a variable of another dialog: 1, or -1."""
    found = _find(callid, ftag, ttag)
    if found is None:
        return -1
    _variables.put(found, key, val)
    return 1


# ---- dialogs of a database -----------------------------------------------------------------------------------------


@ksr("dialog.dlg_db_load_callid")
def dlg_db_load_callid(callid: str) -> int:
    """Reads the dialogs of a Call-ID that another node has written: 1; -1 without any, or without a database."""
    store = _tracker.store
    if store is None:
        return -1
    try:
        return 1 if store.load_call(callid) else -1
    except DatabaseError as error:
        log.error(f"KSR.dialog: the dialogs of {callid} cannot be read: {error}")
        return -1


@ksr("dialog.dlg_db_load_extra")
def dlg_db_load_extra() -> int:
    """Reads all dialogs that other nodes have written and that are not here: 1, or -1 without a database."""
    store = _tracker.store
    if store is None:
        return -1
    try:
        store.load_extra()
        return 1
    except DatabaseError as error:
        log.error(f"KSR.dialog: the dialogs of the database cannot be read: {error}")
        return -1


def _find(callid: str, ftag: str, ttag: str) -> Dialog | None:
    if _tracker.store is not None:
        _tracker.store.need(callid, is_within=True)
    return _tracker.dialogs.find(callid, ftag, ttag)


def _counters() -> dict[str, int]:
    dialogs = _tracker.dialogs
    return {
        "active_dialogs": dialogs.active(),
        "early_dialogs": dialogs.count(EARLY),
        "processed_dialogs": dialogs.processed,
        "expired_dialogs": dialogs.expired,
        "failed_dialogs": dialogs.failed,
    }
