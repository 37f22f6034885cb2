"""Settings of tracing; names as in Kamailio's module siptrace."""

from typing import Any, Final, Literal

from pydantic import Field, field_validator

from sipwright.settings.media import VARIABLE, DatabaseUrl
from sipwright.settings.section import Count, Section

# Parameters of Kamailio that mean nothing here.
IGNORED_MODPARAMS: Final = {
    "trace_db_mode": "rows are always written later, by the queue of the database",
    "trace_delayed": "rows are always written later, by the queue of the database",
    "send_sock_addr": "copies leave by a socket of their own; `force_send_sock` names its address",
    "send_sock_name": "copies leave by a socket of their own; `force_send_sock` names its address",
    "trace_init_mode": "tracing begins when the server does",
    "trace_flag": "`sip_trace` of scripts copies one message whatever its flags, as Kamailio's does; `sip_trace_mode` says more",
    "data_mode": "copies are only sent or stored, as the other parameters say",
}


def _column(name: str, meaning: str) -> Any:
    return Field(name, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description=f"Column of the table for {meaning}.")


class SiptraceSettings(Section):
    """Copies of messages for a capture server or a table."""

    trace_on: bool = Field(False, description="Whether traces are made; `siptrace.status` changes it.")
    trace_mode: int = Field(
        0,
        ge=0,
        le=7,
        description="Where every message that is received or sent is copied to, whatever the script does, as a sum: 1 to "
        "`duplicate_uri` in HEP, 2 to the table, 4 to `duplicate_uri` as it is.",
    )
    evcb_msg: str = Field(
        "",
        description="Method of the script for `siptrace:msg`, which sees each message that `trace_mode` copies and may drop the "
        "copy by `set_drop`; empty for none.",
    )
    duplicate_uri: str = Field("", description="Where copies are sent, as `sip:host:port`; empty for nowhere.")
    force_send_sock: str = Field("", description="Our address for these copies, as `sip:host[:port]`.")
    hep_mode_on: bool = Field(
        False, description="Whether copies are wrapped in HEP; otherwise they are sent as they are."
    )
    hep_version: Literal[1, 2, 3] = Field(1, description="Version of HEP.")
    hep_capture_id: Count = Field(1, description="Our number in HEP 2 and 3.")
    auth_key: str = Field("", description="Key in HEP 3; empty for none.")
    trace_to_database: bool = Field(
        True,
        description="Whether traces are written to the table, where `siptrace.db_url` or `database.url` names one.",
    )
    db_url: DatabaseUrl = Field("", description="Database of the table; empty for that of `database.url`.")
    table: str = Field("sip_trace", description="That table.")
    date_column: str = _column("time_stamp", "the time")
    callid_column: str = _column("callid", "the Call-ID")
    traced_user_column: str = _column("traced_user", "the user of `traced_user_avp`")
    msg_column: str = _column("msg", "the message")
    method_column: str = _column("method", "the method")
    status_column: str = _column("status", "the status code of a response")
    fromip_column: str = _column("fromip", "where it came from")
    toip_column: str = _column("toip", "where it went")
    fromtag_column: str = _column("fromtag", "the tag of From")
    totag_column: str = _column("totag", "the tag of To")
    direction_column: str = _column("direction", "`in` or `out`")
    traced_user_avp: str = Field("", pattern=VARIABLE, description="Variable with the user for the column traced_user.")
    trace_table_avp: str = Field("", pattern=VARIABLE, description="Variable with a table instead of `siptrace.table`.")
    trace_local_ip: str = Field("", description="Our address in traces of what we send, as `proto:ip:port`.")
    trace_sl_acks: bool = Field(True, description="Whether ACKs to our stateless replies are traced too.")
    xheaders_write: bool = Field(False, description="Whether plain copies get `X-Siptrace-*` header fields.")
    xheaders_read: bool = Field(
        False, description="Whether such header fields of what is traced are taken for its path."
    )

    @field_validator("duplicate_uri", "force_send_sock")
    @classmethod
    def _uri(cls, uri: str) -> str:
        if uri and not uri.startswith("sip:"):
            raise ValueError(f"{uri!r} is not sip:host:port")
        return uri
