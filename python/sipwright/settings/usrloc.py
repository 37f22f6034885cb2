"""Settings of the location tables; names as in Kamailio's module usrloc."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from sipwright.settings.section import Count, Positive, Section


def _names(value: Any) -> Any:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_names)]


class UsrlocSettings(Section):
    """Location tables: how bindings are matched, kept and written to a database."""

    preload: Names = Field(["location"], description="Tables that are read from the database at the start.")
    use_domain: bool = Field(False, description="Whether the domain is part of an address-of-record, or only the user.")
    matching_mode: Literal[0, 1, 2, 3] = Field(
        0,
        description="Which binding a contact renews: 0 that of the same contact, 1 of contact and Call-ID, 2 of contact "
        "and path, 3 of the same Call-ID. A contact with `+sip.instance` renews that of its instance and reg-id.",
    )
    desc_time_order: bool = Field(
        False, description="Whether the newest contact is tried first, or the one with the highest q."
    )
    cseq_delay_s: Count = Field(
        20,
        description="For so many seconds a REGISTER with the Call-ID and CSeq of a binding counts as a retransmission; "
        "later it is refused. 0: always refused.",
    )
    nat_bflag: int = Field(-1, ge=-1, le=31, description="Branch flag of contacts behind NAT; -1 for none.")
    timer_interval_s: Positive = Field(60, description="Seconds between sweeps for ended bindings.")
    rm_expired_delay_s: Count = Field(0, description="Seconds that an ended binding is kept before it is removed.")
    handle_lost_tcp: bool = Field(
        False, description="Whether a binding goes with the connection that it came by, at the next sweep."
    )
    close_expired_tcp: bool = Field(
        False, description="Whether the connection that a binding came by is closed when the binding ends."
    )
    xavp_contact: str = Field(
        "", description="Name of the XAVP that is kept with a contact and is back after `lookup`; empty for none."
    )
    max_bindings: Positive = Field(
        2_000_000, description="Bindings kept in memory in each table; registrations beyond get 503."
    )
    db_url: str = Field(
        "", description="Database of the tables; without one that of `database.url`, by default our own SQLite file."
    )
    db_mode: Literal[0, 1, 2, 3, 4] = Field(
        2,
        description="0 memory only; 1 written at once; 2 written behind every `usrloc.db_flush_s`; 3 not kept in memory, "
        "but read from the database each time; 4 read at the start and never written. Kamailio's default is 0.",
    )
    db_load: bool = Field(True, description="Whether the tables are read at the start.")
    db_flush_s: Positive = Field(
        5,
        description="Seconds between writes with `usrloc.db_mode` 2; what a crash loses is at most that long ago, and "
        "`database.flush_ms`.",
    )
    db_timer_clean: bool = Field(
        False, description="Whether the database itself is cleared of ended bindings at each sweep; mode 3 always does."
    )
    fetch_rows: Positive = Field(2_000, description="Rows read at a time at the start.")
    server_id_filter: bool = Field(
        False, description="Whether only bindings of this `server_id` are read from the database."
    )
    skip_remote_socket: bool = Field(
        False, description="Whether bindings whose socket is none of ours are left out when the tables are read."
    )
    db_clean_tcp: bool = Field(
        False, description="Whether bindings of this server that came by a connection are removed at the start."
    )
    share_url: str = Field(
        "",
        description="Redis or Valkey by which several servers share their tables: `redis://host:6379/0`, `rediss://` for "
        "TLS, `unix://path`; each server needs a `server_id` of its own. Empty: they are not shared.",
    )
    share_node: str = Field(
        "",
        pattern=r"^(sip:[^\s<>@]+)?$",
        description="SIP URI by which the other servers reach this one; without it that of the first socket of TCP, else of "
        "UDP.",
    )
    share_by_node: Literal["flows", "all", "never"] = Field(
        "flows",
        description="Which contacts that registered at another server are called through it: `flows` those that came over "
        "TCP, TLS or WebSocket or from behind NAT (`received`), `all`, or `never` any.",
    )
    share_tombstone_s: Positive = Field(
        3_600,
        description="Seconds that a removed binding is remembered at least, so that a server that was cut off does not "
        "bring it back.",
    )


_ONE_WRITE: Final = "every write is an update by record id, or an insert when the record is not there"
_COLUMNS: Final = "columns have Kamailio's names"
_PINGS: Final = "nathelper pings contacts: `nathelper.natping_interval_s`, `nathelper.sipping_from` and their kin"
IGNORED_MODPARAMS: Final = {
    "hash_size": "the table grows with its bindings",
    "timer_procs": "sweeps run beside the workers",
    "db_insert_update": _ONE_WRITE,
    "db_check_update": _ONE_WRITE,
    "db_update_as_insert": _ONE_WRITE,
    "db_ops_ruid": _ONE_WRITE,
    "db_insert_null": "all columns are written",
    "db_raw_fetch_type": "the queries fit every database",
    "expires_type": "times have the type that the column has",
    "version_table": "the version of the table is always checked",
    "load_rank": "there is one copy of the tables",
    **{
        f"ka_{name}": _PINGS for name in ["domain", "filter", "from", "loglevel", "logmsg", "method", "mode", "timeout"]
    },
    **{
        f"{name}_column": _COLUMNS
        for name in [
            "user",
            "domain",
            "contact",
            "expires",
            "q",
            "callid",
            "cseq",
            "methods",
            "flags",
            "cflags",
            "user_agent",
            "received",
            "socket",
            "path",
            "ruid",
            "instance",
            "reg_id",
            "server_id",
            "connection_id",
            "keepalive",
            "partition",
        ]
    },
}
