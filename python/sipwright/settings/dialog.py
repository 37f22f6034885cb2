"""Settings of dialog tracking; names as in Kamailio's module dialog."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from sipwright.settings.section import Count, Positive, Section

_NO_DATABASE: Final = "dialogs are kept in memory"
_COLUMN: Final = "dialogs are kept in memory, there are no columns"
IGNORED_MODPARAMS: Final = {
    "hash_size": "the table grows by itself; `$dlg(h_entry)` is below 4096",
    "dlg_flag": "call KSR.dialog.dlg_manage() instead of setting the flag",
    "detect_spirals": "a spiral is always the same dialog",
    "initial_cbs_inscript": "there are no callbacks of other modules at the creation",
    "wait_ack": "the transaction absorbs the ACK of a failure",
    "timer_procs": "timeouts run in script workers",
    "enable_dmq": "one node keeps its dialogs",
    "dlg_filter_mode": "every dialog is of this node",
    "track_cseq_updates": "KSR.uac.uac_auth does not change the sequence number",
    "h_id_start": "dialogs are not shared with other nodes",
    "h_id_step": "dialogs are not shared with other nodes",
    "keep_proxy_rr": "requests of our own go straight to the next hop",
    "enable_stats": "counters are always kept",
    "bridge_controller": "KSR.dialog.dlg_bridge does not exist here",
    "bridge_contact": "KSR.dialog.dlg_bridge does not exist here",
    "db_url": _NO_DATABASE,
    "db_update_period": _NO_DATABASE,
    "db_fetch_rows": _NO_DATABASE,
    "db_skip_load": _NO_DATABASE,
    "table_name": _NO_DATABASE,
    "vars_table_name": _NO_DATABASE,
    **dict.fromkeys(
        (
            "call_id_column",
            "from_uri_column",
            "from_tag_column",
            "to_uri_column",
            "to_tag_column",
            "from_cseq_column",
            "to_cseq_column",
            "from_route_column",
            "to_route_column",
            "from_contact_column",
            "to_contact_column",
            "from_sock_column",
            "to_sock_column",
            "h_id_column",
            "h_entry_column",
            "state_column",
            "start_time_column",
            "timeout_column",
            "sflags_column",
            "toroute_name_column",
            "vars_h_id_column",
            "vars_h_entry_column",
            "vars_key_column",
            "vars_value_column",
        ),
        _COLUMN,
    ),
}


def _names(value: object) -> object:
    """Names with ";" between them, as Kamailio has it; a list of names too."""
    if isinstance(value, str):
        return [name for name in (part.strip() for part in value.split(";")) if name]
    return value


Names = Annotated[list[str], BeforeValidator(_names)]


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
    db_mode: Literal[0] = Field(0, description="Only 0, in memory, is there yet.")
    max_dialogs: Positive = Field(1_000_000, description="Dialogs at a time; more are not tracked, which is logged.")
