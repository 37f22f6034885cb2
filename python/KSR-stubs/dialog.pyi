# Written by `python -m sipwright.kemi.stubs`.
"""KSR.dialog: functions of Kamailio's module."""


def dlg_bridge(from_uri: str, to_uri: str, op: str, /) -> int:
    """Calls `from_uri`, by way of the proxy `op` if one is named, and sends it on to `to_uri` by REFER: 1, or -1."""

def dlg_bye(side: str, /) -> int:
    """Sends BYE to `caller`, `callee` or `all`: 1, or -1 without an answered dialog."""

def dlg_db_load_callid(callid: str, /) -> int:
    """Reads the dialogs of a Call-ID that another node has written: 1; -1 without any, or without a database."""

def dlg_db_load_extra() -> int:
    """Reads all dialogs that other nodes have written and that are not here: 1, or -1 without a database."""

def dlg_get(callid: str, ftag: str, ttag: str, /) -> int:
    """Makes a dialog the one that the functions and variables of this module work on: 1, or -1."""

def dlg_get_var(callid: str, ftag: str, ttag: str, key: str, /) -> str | int | None:
    """A variable of another dialog, or None."""

def dlg_isflagset(flag: int, /) -> int:
    """Whether a flag of the dialog is set."""

def dlg_manage() -> int:
    """Begins to follow the dialog of an INVITE, or takes a request of a dialog to it: 1; -1 for other requests."""

def dlg_refer_cid(callid: str, side: str, to: str, /) -> int:
    """Sends REFER to `caller` or `callee` of the dialog with that Call-ID: 1, or -1."""

def dlg_refer_did(h_entry: int, h_id: int, side: str, to: str, /) -> int:
    """As `dlg_refer_cid`, for the dialog with these numbers."""

def dlg_req_within4(side: str, method: str, ctype: str, body: str, /) -> int:
    """Sends a request within the dialog to `caller` or `callee`: 1, or -1. A body is not sent."""

def dlg_reset_property(attr: str, /) -> int:
    """Switches it off: 1, or -1."""

def dlg_resetflag(flag: int, /) -> int:
    """Takes a flag of the dialog back: 1, or -1."""

def dlg_set_property(attr: str, /) -> int:
    """Switches `ka-src`, `ka-dst` (keep-alives to caller, callee) or `timeout-noreset` on: 1, or -1."""

def dlg_set_ruri() -> int:
    """Makes the Contact of the side that a request of the dialog goes to its request-URI: 1, or -1."""

def dlg_set_state(state: str, /) -> int:
    """Brings the dialog to a later state, 1 to 5: 1, or -1."""

def dlg_set_timeout(timeout: int, /) -> int:
    """Sets the seconds from now, or from the answer, after which the dialog is given up: 1, or -1."""

def dlg_set_timeout_by_profile(profile: str, value: str, timeout: int, /) -> int:
    """The same, for all dialogs of a profile, with this value if it has values and one is given: 1, or -1."""

def dlg_set_timeout_id(timeout: int, h_entry: int, h_id: int, /) -> int:
    """The same, for the dialog with these numbers."""

def dlg_set_var(callid: str, ftag: str, ttag: str, key: str, val: str, /) -> int:
    """Sets a variable of another dialog: 1, or -1."""

def dlg_setflag(flag: int, /) -> int:
    """Sets a flag of the dialog, 0 to 31: 1, or -1."""

def dlg_update_contact() -> int:
    """Makes the Contact of the message that of its side of the dialog: 1, or -1."""

def dlg_update_socket() -> int:
    """Makes the socket that the message came by ours towards its side of the dialog: 1, or -1."""

def dlg_update_state() -> int:
    """Takes the request to its dialog, as `loose_route` does: 1, or -1 without one."""

def get_profile_size(profile: str, value: str, spv: str, /) -> int:
    """Writes how many dialogs are in a profile, with this value if it has values, into a variable: 1, or -1."""

def get_profile_size_static(profile: str, spv: str, /) -> int:
    """The same for a profile whose members have no value."""

def is_in_profile(profile: str, value: str, /) -> int:
    """Whether the dialog is in a profile, with this value if its members have one."""

def is_in_profile_static(profile: str, /) -> int:
    """The same for a profile whose members have no value."""

def is_known_dlg() -> int:
    """Whether the message belongs to a dialog that is followed."""

def set_dlg_profile(profile: str, value: str, /) -> int:
    """Makes the dialog a member of a profile: 1, or -1."""

def set_dlg_profile_static(profile: str, /) -> int:
    """The same for a profile whose members have no value."""

def unset_dlg_profile(profile: str, value: str, /) -> int:
    """Takes the dialog out of a profile: 1, or -1 when it is not in it."""

def unset_dlg_profile_static(profile: str, /) -> int:
    """The same for a profile whose members have no value."""

def var_get(key: str, /) -> str | int | None:
    """A variable of the dialog, or None."""

def var_gete(key: str, /) -> str | int | None:
    """A variable of the dialog, or an empty text."""

def var_getw(key: str, /) -> str | int | None:
    """A variable of the dialog, or `<null>`."""

def var_is_null(key: str, /) -> int:
    """As in Kamailio 5.6: 1 when the variable has a value, -1 when it has none."""

def var_rm(key: str, /) -> int:
    """Removes a variable of the dialog: 1, even if there is none; -1 without a dialog."""

def var_sets(key: str, value: str, /) -> int:
    """Sets a variable of the dialog: 1, or -1."""
