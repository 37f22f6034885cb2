"""Settings of the load balancer; names as in Kamailio's module dispatcher."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from sipwright.settings.section import Count, Positive, Section

IGNORED_MODPARAMS: Final = {
    "ds_timer_mode": "keep-alives run beside the engine's timers in any case",
    "ds_dns_ttl": "the engine's resolver keeps to the TTL of the records; the settings of `dns` bound it",
}


def _codes(value: object) -> object:
    """`class=2;code=403`, as Kamailio writes it; `code` and `class` may repeat."""
    if isinstance(value, str):
        for part in filter(None, (part.strip() for part in value.split(";"))):
            kind, _, number = part.partition("=")
            if kind.strip() not in ("code", "class") or not number.strip().isdigit():
                raise ValueError(f'{part!r} is neither "code=NUMBER" nor "class=NUMBER"')
    return value


class DispatcherSettings(Section):
    """Load balancer: `KSR.dispatcher`; names as in Kamailio's module dispatcher."""

    list_file: str = Field(
        "",
        description="File with the destinations, one a line: `SET URI [FLAGS [PRIORITY [ATTRIBUTES]]]`; empty for none "
        "(Kamailio: `/etc/kamailio/dispatcher.list`).",
    )
    db_url: str = Field("", description="Database with the destinations, instead of the file.")
    table_name: str = Field("dispatcher", description="Its table.")
    setid_col: str = Field("setid", description="Column with the number of the set.")
    destination_col: str = Field("destination", description="Column with the URI.")
    flags_col: str = Field("flags", description="Column with the flags.")
    priority_col: str = Field("priority", description="Column with the priority.")
    attrs_col: str = Field("attrs", description="Column with the attributes.")
    ds_db_extra_attrs: str = Field(
        "", description="Further columns that become attributes: `attribute=column;attribute=column`."
    )
    ds_load_mode: Literal[0, 1] = Field(
        0, description="A destination that is not valid: 0 is left out with a warning, 1 refuses the whole list."
    )
    ds_attrs_none: bool = Field(False, description="Whether a destination without attributes gets `none=yes`.")
    reload_delta_s: Count = Field(5, description="Seconds that must pass between two reloads; 0 for no limit.")
    force_dst: bool = Field(
        True, description="Whether a destination URI that is set already is replaced; otherwise selecting fails."
    )
    flags: int = Field(
        0,
        ge=0,
        le=3,
        description="Sum of 1: hashes over URIs take the user only; 2: the other destinations are kept for failover.",
    )
    use_default: bool = Field(
        False, description="Whether the last destination of a set is used only when no other one can be."
    )
    xavp_dst: str = Field("_dsdst_", description="XAVP with the destinations that were selected, best first.")
    xavp_dst_mode: int = Field(
        0,
        ge=0,
        le=7,
        description="Its fields: `grp`, `uri` and `dstid` always; 1 takes `attrs` away, 2 adds `socket`, 4 adds "
        "`sockname`.",
    )
    xavp_ctx: str = Field("_dsctx_", description="XAVP with `cnt`, the number of destinations selected.")
    xavp_ctx_mode: Literal[0, 1] = Field(0, description="1 leaves `cnt` out.")
    hash_pvar: str = Field("", description="Text with variables that algorithm 7 hashes, such as `$fU@$ci`.")
    setid_pvname: str = Field("", description="Variable for the set in which `ds_is_from_lists` found the source.")
    attrs_pvname: str = Field("", description="Variable for the attributes of the destination that it found.")
    ds_ping_method: str = Field("OPTIONS", pattern=r"^[A-Za-z]+$", description="Method of keep-alives.")
    ds_ping_from: str = Field("sip:dispatcher@localhost", description="From of keep-alives.")
    ds_ping_interval_s: Count = Field(0, description="Seconds between keep-alives; 0 for none.")
    ds_ping_reply_codes: Annotated[str, BeforeValidator(_codes)] = Field(
        "",
        description="Responses besides 200 that show that a destination is alive: `class=2;code=403;code=488`.",
    )
    ds_ping_latency_stats: bool = Field(False, description="Whether the time to the response is measured.")
    ds_latency_estimator_alpha: int = Field(
        900, ge=0, le=1000, description="Weight of earlier measurements in the estimated latency, in thousandths."
    )
    ds_probing_mode: Literal[0, 1, 2, 3] = Field(
        0,
        description="Who gets keep-alives: 0 those in state probing, until they have answered; 1 all; 2 those that are "
        "inactive and probing; 3 those with the flag for probing, which they keep.",
    )
    ds_probing_threshold: Positive = Field(1, description="Failures in a row that make a destination inactive.")
    ds_inactive_threshold: Positive = Field(1, description="Successes in a row that make it active again.")
    ds_hash_size: int = Field(
        0, ge=0, le=30, description="0 switches algorithm 10 (call load) off; any other number, on."
    )
    ds_hash_expire_s: Positive = Field(7200, description="Seconds after which a call no longer counts as load.")
    ds_hash_initexpire_s: Positive = Field(7200, description="The same for a call that was not answered.")
    ds_hash_check_interval_s: Positive = Field(30, description="Seconds between searches for such calls.")
    max_calls: Positive = Field(
        1_000_000, description="Calls that algorithm 10 counts at a time; more are spread without being counted."
    )
    outbound_proxy: str = Field("", description="URI of the proxy that keep-alives go to.")
    ds_default_socket: str = Field(
        "", description="Our socket for destinations that name none, `proto:address:port`; empty for any."
    )
    ds_default_sockname: str = Field("", description="The same by name; it goes first.")
    ds_dns_mode: int = Field(
        1,
        ge=0,
        le=15,
        description="When `ds_is_from_list` learns the addresses of names, a sum of 1: after loading; 2: at each match; "
        "4: every `ds_dns_interval_s`; 8: with NAPTR and SRV, not A and AAAA alone.",
    )
    ds_dns_interval_s: Positive = Field(600, description="Seconds between those look-ups.")
    event_callback: str = Field(
        "",
        description="Method of the script for `dispatcher:dst-down` and `dispatcher:dst-up`, called when a destination "
        "goes out of use or comes back.",
    )
