"""Settings of being a client; names as in Kamailio's module uac."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from sipwright.settings.media import VARIABLE, DatabaseUrl
from sipwright.settings.section import Count, Positive, Section

# Parameters of Kamailio that mean nothing here.
IGNORED_MODPARAMS: Final = {
    "restore_dlg": "what later requests need is in the Record-Route",
    "restore_from_avp": "responses are restored from the request as it came, whatever msg_apply_changes did since",
    "restore_to_avp": "responses are restored from the request as it came, whatever msg_apply_changes did since",
    "reg_hash_size": "the table of registrations grows as it needs to",
}


def _lines(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _credentials(lines: list[str]) -> list[str]:
    for line in lines:
        if len(line.split(":", 2)) != 3 or not all(line.split(":", 2)[:2]):
            raise ValueError("a credential is user:realm:password")
    return lines


class UacSettings(Section):
    """Being a client: other From and To, credentials, requests of our own, registrations elsewhere."""

    restore_mode: Literal["none", "manual", "auto"] = Field(
        "auto",
        description="What becomes of From and To that the script replaced: `none` nothing, `manual` responses get the "
        "original ones back, `auto` later requests of the dialog are changed both ways too, by `loose_route`.",
    )
    rr_from_store_param: str = Field(
        "vsf", pattern=r"^[A-Za-z0-9_]+$", description="Parameter of Record-Route that keeps From."
    )
    rr_to_store_param: str = Field(
        "vst", pattern=r"^[A-Za-z0-9_]+$", description="Parameter of Record-Route that keeps To."
    )
    restore_passwd: str = Field("", description="Mixed into these parameters; empty for nothing.")
    credential: Annotated[list[str], BeforeValidator(_lines), AfterValidator(_credentials)] = Field(
        default_factory=list, description="Credentials `user:realm:password` for `uac_auth`."
    )
    auth_realm_avp: str = Field(
        "", pattern=VARIABLE, description="Variable with the realm of the next two; without a value any realm."
    )
    auth_username_avp: str = Field("", pattern=VARIABLE, description="Variable with the user name for `uac_auth`.")
    auth_password_avp: str = Field("", pattern=VARIABLE, description="Variable with its password, or HA1.")
    default_socket: str = Field("", description="Socket that requests of our own leave by, `proto:host:port`.")
    event_callback: str = Field(
        "", description="Method of the script for `uac:reply`, the responses to requests of `uac_req_send`."
    )
    reg_db_url: DatabaseUrl = Field("", description="Database with the table of registrations; empty for none.")
    reg_db_table: str = Field("uacreg", description="That table.")
    reg_contact_addr: str = Field(
        "", description="Host, port and parameters of our Contact, without `sip:`; needed for registrations."
    )
    reg_timer_interval_s: Positive = Field(
        90, description="Seconds before its end that a registration is refreshed, and between looks at them all."
    )
    reg_retry_interval_s: Count = Field(
        0, description="Seconds after which a registration that failed is tried again; 0 for never."
    )
    reg_random_delay_s: Count = Field(
        0, description="First registrations without `reg_delay` wait a random part of so many seconds."
    )
    reg_keep_callid: bool = Field(False, description="Whether refreshes keep the Call-ID (RFC 3261 section 10.2.4).")
    reg_active: bool = Field(True, description="Whether registrations are done at all.")
    reg_gc_interval_s: Positive = Field(150, description="Seconds that must lie between two reloads of the table.")
