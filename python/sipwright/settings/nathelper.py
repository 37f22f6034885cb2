"""Settings of clients behind NAT; names as in Kamailio's module nathelper."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from sipwright.settings.section import Count, Section


def _line(value: Any) -> Any:
    r"""A kamailio.cfg may write its line end as `\r\n`."""
    return value.replace("\\r", "\r").replace("\\n", "\n") if isinstance(value, str) else value


class NathelperSettings(Section):
    """Clients behind NAT: aliases, SDP, and pings that keep their way open."""

    natping_interval_s: Count = Field(
        0, description="Seconds in which every contact is pinged once, spread evenly; 0 for no pings."
    )
    ping_nated_only: bool = Field(
        False, description="Whether only contacts with the branch flag `usrloc.nat_bflag` are pinged."
    )
    sipping_bflag: int = Field(
        -1,
        ge=-1,
        le=31,
        description="Branch flag of contacts that get a SIP request instead of four bytes over UDP; -1 for none.",
    )
    sipping_from: str = Field("", description="From of these requests; without it no SIP request is sent.")
    sipping_method: str = Field("OPTIONS", pattern=r"^[A-Za-z0-9.!%*_+`'~-]+$", description="Method of these requests.")
    sipping_headers: Annotated[str, BeforeValidator(_line)] = Field(
        "",
        pattern=r"^([!-9;-~]+:[^\r\n]*\r\n)*$",
        description="Further header lines of these requests, each with `\\r\\n` at its end.",
    )
    natping_disable_bflag: int = Field(
        -1, ge=-1, le=31, description="Branch flag of contacts that are never pinged; -1 for none."
    )
    keepalive_timeout_s: Count = Field(
        0,
        description="A UDP contact that has answered no SIP ping for so long is removed; several times "
        "`nathelper.natping_interval_s`. 0: never.",
    )
    force_socket: str = Field(
        "",
        description="Socket that pings leave from, `proto:address:port`; without it that of the registration.",
    )
    filter_server_id: bool = Field(
        False, description="Whether only contacts that were registered with this `server_id` are pinged."
    )
    received_avp: str = Field(
        "",
        description="AVP that `fix_nated_register` sets too, such as `$avp(RECEIVED)`; the registrar needs none.",
    )
    alias_name: str = Field(
        "alias",
        pattern=r"^[A-Za-z0-9.!%*_+`'~-]+$",
        description="Parameter of contact URIs with the real address of a client.",
    )
    nat_addr_mode: Literal[0, 1] = Field(
        1,
        description="What `nat_uac_test` takes for private addresses: 0 those of RFC 1918, RFC 6598 and RFC 7335, 1 all of "
        "192.0.0.0/24 too.",
    )
    nortpproxy_str: Annotated[str, BeforeValidator(_line)] = Field(
        "a=nortpproxy:yes\r\n",
        pattern=r"^([a-z]=[^\r\n]*\r\n)?$",
        description="Line that `fix_nated_sdp` marks a body with, with its line end; empty for none.",
    )
    append_sdp_oldmediaip: bool = Field(
        True, description="Whether `fix_nated_sdp` tells the old addresses as `a=oldmediaip`."
    )

    def received_avp_name(self) -> str:
        """The name inside of `$avp(..)`."""
        found = re.fullmatch(r"\$avp\((.*)\)", self.received_avp)
        return found[1] if found else self.received_avp.lstrip("$")


IGNORED_MODPARAMS: Final = {
    "natping_processes": "pings leave beside the workers",
    "natping_socket": "no packet leaves with an address that is not ours; `nathelper.force_socket` names one that is",
    "udpping_from_path": "no packet leaves with an address that is not ours",
}
