"""Settings of dialog tracking; names as in Kamailio's module dialog."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, field_validator

from sipwright.settings.database import checked_url
from sipwright.settings.section import Count, Positive, Section

IGNORED_MODPARAMS: Final = {
    "initial_cbs_inscript": "accounting learns of a dialog when it is made",
    "wait_ack": "the transaction absorbs the ACK of a failure",
    "timer_procs": "timeouts run in script workers",
    "enable_dmq": "nodes that share a database load each other's dialogs: KSR.dialog.dlg_db_load_callid",
    "track_cseq_updates": "KSR.uac.uac_auth does not change the sequence number",
    "enable_stats": "counters are always kept",
}


def _names(value: object) -> object:
    """Names with ";" between them, as Kamailio has it; a list of names too."""
    if isinstance(value, str):
        return [name for name in (part.strip() for part in value.split(";")) if name]
    return value


Names = Annotated[list[str], BeforeValidator(_names)]


def _column(default: str, what: str) -> Any:
    return Field(default, pattern="^[A-Za-z_][A-Za-z0-9_]*$", description=f"Column with {what}.")


def _table(default: str, what: str) -> Any:
    return Field(default, pattern="^[A-Za-z_][A-Za-z0-9_.]*$", description=f"Table with {what}.")


class DialogSettings(Section):
    """Tracking of dialogs: `KSR.dialog`; names as in Kamailio's module dialog."""

    event_callback: str = Field(
        "", description="Method of the script for `dialog:start`, `dialog:end` and `dialog:failed`."
    )
    rr_param: str = Field(
        "did", pattern=r"^[A-Za-z0-9_.-]+$", description="Parameter of our Record-Route that names the dialog."
    )
    dlg_match_mode: Literal[0, 1, 2] = Field(
        0,
        description="How requests find their dialog: 0 only with the parameter in their Route; 1 without it too; 2 the "
        "parameter is not made.",
    )
    dlg_flag: int = Field(
        -1,
        ge=-1,
        le=31,
        description="Message flag of an INVITE whose dialog is followed without `dlg_manage`; -1 for none.",
    )
    detect_spirals: bool = Field(
        True,
        description="Whether an INVITE that comes through again belongs to the dialog that it has; else it makes one more.",
    )
    default_timeout_s: Positive = Field(43200, description="Seconds from the answer after which a dialog is given up.")
    timeout_avp: str = Field("", description="Variable with another timeout in seconds, such as `$avp(timeout)`.")
    timeout_noreset: bool = Field(False, description="Whether requests of the dialog do not start its timeout anew.")
    early_timeout_s: Positive = Field(300, description="Seconds after which a dialog without an answer is forgotten.")
    noack_timeout_s: Positive = Field(
        60, description="Seconds without an ACK after which an answered dialog has 10 seconds left."
    )
    end_timeout_s: Positive = Field(
        300, description="Seconds after which a dialog that has ended is forgotten at last."
    )
    send_bye: bool = Field(False, description="Whether a dialog whose timeout has passed is ended by BYEs from here.")
    dlg_extra_hdrs: str = Field("", description="Header lines, each with CRLF, for requests that are made here.")
    lreq_callee_headers: str = Field("", description="The same, for those to the callee only.")
    ka_timer_s: Count = Field(0, description="Seconds between searches for dialogs that want a keep-alive; 0 for none.")
    ka_interval_s: Count = Field(0, description="Seconds between two keep-alives of a dialog; 0 for none.")
    ka_failed_limit: Positive = Field(
        1, description="Keep-alives without success after which a dialog has 10 seconds left."
    )
    profiles_with_value: Names = Field([], description="Profiles whose members have a value: `caller; callee`.")
    profiles_no_value: Names = Field([], description="Profiles whose members have none.")
    dlg_filter_mode: Literal[0, 1] = Field(
        0, description="1: no timeout and no keep-alives for dialogs of a database whose sockets are not ours."
    )
    keep_proxy_rr: Literal[0, 1, 2, 3] = Field(
        0,
        description="Whether requests that are made here come through this server again: 1 those to the callee, 2 those to "
        "the caller, 3 both.",
    )
    bridge_controller: str = Field(
        "sip:controller@kamailio.org", description="URI of From when `dlg_bridge` calls, and of Referred-By."
    )
    bridge_contact: str = Field("sip:controller@kamailio.org:5060", description="URI of its Contact.")
    hash_size: Positive = Field(
        4096,
        description="Entries that Kamailio's table would have: rows and cookies name an entry. A power of two; others are "
        "rounded down.",
    )
    h_id_start: int = Field(0, ge=-1, description="First id of dialogs; -1 for `server_id`.")
    h_id_step: Positive = Field(
        1, description="Step from one id to the next: nodes with one step and different starts have no id twice."
    )
    db_url: str = Field("", description="Database of the dialogs; empty for `database.url`.")
    db_mode: Literal[0, 1, 2, 3] = Field(
        0,
        description="0 memory only; 1 changes are written at once, 2 every `dialog.db_update_period_s`, 3 at the stop. They "
        "are read at the start.",
    )
    db_update_period_s: Positive = Field(60, description="Seconds between writes with `dialog.db_mode` 2.")
    db_fetch_rows: Count = Field(200, description="Rows read at a time at the start; 0 for all at once.")
    db_skip_load: bool = Field(False, description="Whether the dialogs of the database are not read at the start.")
    table_name: str = _table("dialog", "the dialogs")
    call_id_column: str = _column("callid", "the Call-ID")
    from_uri_column: str = _column("from_uri", "the URI of From")
    from_tag_column: str = _column("from_tag", "the tag of From")
    to_uri_column: str = _column("to_uri", "the URI of To")
    to_tag_column: str = _column("to_tag", "the tag of To")
    from_cseq_column: str = _column("caller_cseq", "the last sequence number of the caller")
    to_cseq_column: str = _column("callee_cseq", "that of the callee")
    from_route_column: str = _column("caller_route_set", "the routes to the caller")
    to_route_column: str = _column("callee_route_set", "those to the callee")
    from_contact_column: str = _column("caller_contact", "the Contact of the caller")
    to_contact_column: str = _column("callee_contact", "that of the callee")
    from_sock_column: str = _column("caller_sock", "our socket towards the caller")
    to_sock_column: str = _column("callee_sock", "that towards the callee")
    h_id_column: str = _column("hash_id", "the id")
    h_entry_column: str = _column("hash_entry", "the entry of the table")
    state_column: str = _column("state", "the state")
    start_time_column: str = _column("start_time", "the time of the answer")
    timeout_column: str = _column("timeout", "the time of the timeout")
    sflags_column: str = _column("sflags", "the flags of scripts")
    toroute_name_column: str = _column("toroute_name", "the event of the timeout")
    vars_table_name: str = _table("dialog_vars", "the variables of dialogs")
    vars_h_id_column: str = _column("hash_id", "the id of the dialog")
    vars_h_entry_column: str = _column("hash_entry", "its entry")
    vars_key_column: str = _column("dialog_key", "the name of a variable")
    vars_value_column: str = _column("dialog_value", "its value")
    max_dialogs: Positive = Field(1_000_000, description="Dialogs at a time; more are not tracked, which is logged.")

    _url = field_validator("db_url")(checked_url)

    @field_validator("hash_size")
    @classmethod
    def _power_of_two(cls, size: int) -> int:
        return 1 << (size.bit_length() - 1)
