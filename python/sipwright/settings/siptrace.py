"""Settings of tracing; names as in Kamailio's module siptrace."""

from typing import Final, Literal

from pydantic import Field, field_validator

from sipwright.settings.media import VARIABLE, DatabaseUrl
from sipwright.settings.section import Count, Section

# Parameters of Kamailio that mean nothing here.
IGNORED_MODPARAMS: Final = {
    "trace_delayed": "rows are always written later, by the queue of the database",
    "send_sock_addr": "copies leave by a socket of their own; `force_send_sock` names its address",
    "send_sock_name": "copies leave by a socket of their own; `force_send_sock` names its address",
    "trace_init_mode": "tracing begins when the server does",
    "evcb_msg": "there is no event route before a message is traced",
    "data_mode": "copies are only sent or stored, as the other parameters say",
}


class SiptraceSettings(Section):
    """Copies of messages for a capture server or a table."""

    trace_on: bool = Field(False, description="Whether traces are made; `siptrace.status` changes it.")
    trace_mode: Literal[0, 1] = Field(
        0, description="1 traces every message that is received or sent, whatever the script does."
    )
    trace_flag: Count = Field(
        0, description="Kamailio's flag of messages to trace; `sip_trace_mode` says it by itself."
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
