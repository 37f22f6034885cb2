"""Settings of module rtpproxy; names as in Kamailio."""

from typing import Final

from pydantic import Field

from sipwright.settings.media import VARIABLE, Sockets, pv
from sipwright.settings.section import Count, Positive, Section

# Parameters of Kamailio that mean nothing here.
IGNORED_MODPARAMS: Final = {
    "ice_candidate_priority_avp": "candidates of ICE are left to rtpengine",
    "db_url": "proxies are named by rtpproxy_sock",
    "table_name": "proxies are named by rtpproxy_sock",
}


class RtpproxySettings(Section):
    """RTPProxy (Kamailio's module rtpproxy)."""

    rtpproxy_sock: Sockets = Field(
        default_factory=list,
        description="Control sockets, each `[set == ]udp:host:port[=weight]` or `unix:/path`, several with spaces between.",
    )
    rtpproxy_disable_tout_s: Count = Field(60, description="Seconds that a proxy which did not answer is left alone.")
    rtpproxy_tout_s: Positive = Field(1, description="Seconds that one try waits for an answer.")
    rtpproxy_retr: Positive = Field(5, description="Tries of a command before a proxy counts as not answering.")
    nortpproxy_str: str = Field(
        "a=nortpproxy:yes",
        description="Line that marks a description which has been through a proxy; empty for none.",
    )
    timeout_socket: str = Field("", description="Where the proxy tells of sessions that time out; empty for nowhere.")
    extra_id_pv: str = Field("", pattern=VARIABLE, description="Variable whose value the flag `b` adds to the Call-ID.")
    rtp_inst_pvar: str = pv("the URL of the proxy that serves the call")
