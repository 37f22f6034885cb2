"""Settings of module rtpengine; names as in Kamailio."""

from typing import Any, Final, Literal

from pydantic import Field, field_validator

from sipwright.settings.media import VARIABLE, DatabaseUrl, Sockets, pv
from sipwright.settings.section import Count, Positive, Section

# Parameters of Kamailio that mean nothing here.
IGNORED_MODPARAMS: Final = {
    "hash_table_size": "the table of calls grows as it needs to",
    "control_cmd_tos": "commands leave with the default type of service",
    "force_send_interface": "the kernel chooses the address that commands are sent from",
    "wsapi": "rtpengine is reached by UDP",
    "enable_dmq": "states of instances are not shared between servers",
}


def _event(meaning: str, name: str) -> Any:
    default = f"$avp(dtmf_event_{name})" if name else "$avp(dtmf_event)"
    return Field(
        default, pattern=VARIABLE, description=f"Variable that gets {meaning}, in the route for an event of DTMF."
    )


class RtpengineSettings(Section):
    """rtpengine (Kamailio's module rtpengine)."""

    rtpengine_sock: Sockets = Field(
        default_factory=list,
        description="Control sockets, each `[set == ]udp:host:port[=weight]`, several with spaces between.",
    )
    rtpengine_disable_tout_s: Count = Field(
        60, description="Seconds that an instance which did not answer is left alone."
    )
    aggressive_redetection: bool = Field(
        True, description="Whether instances that are left alone are asked again when no other is there."
    )
    rtpengine_tout_ms: Positive = Field(1_000, description="Wait for an answer to one try.")
    rtpengine_retr: Positive = Field(5, description="Tries of a command before an instance counts as not answering.")
    rtpengine_allow_op: bool = Field(
        False, description="Whether calls that an instance has stay with it after it was switched off."
    )
    ping_mode: Literal[0, 1] = Field(
        1, description="1 asks an instance whether it is there before it gets its first call; 0 takes it for granted."
    )
    queried_nodes_limit: int = Field(
        30, ge=1, le=30, description="Instances that one command is tried with, where one refuses or does not answer."
    )
    hash_table_tout_s: Positive = Field(
        3_600, description="Seconds after the last offer or answer that a call is known to be at its instance."
    )
    hash_algo: Literal[0, 1, 2] = Field(
        0, description="How the instance of a new call follows from its Call-ID: 0 Kamailio's sum, 1 and 2 a hash."
    )
    setid_default: Count = Field(0, description="Set of calls for which the script chooses none.")
    setid_avp: str = Field("", pattern=VARIABLE, description="Variable with the set of the call, before that default.")
    extra_id_pv: str = Field("", pattern=VARIABLE, description="Variable whose value `via-branch=extra` sends.")
    read_sdp_pv: str = Field("", pattern=VARIABLE, description="Variable with the description, in place of the body.")
    write_sdp_pv: str = Field(
        "", pattern=VARIABLE, description="Variable that gets the new description; the body is left as it is then."
    )
    rtp_inst_pvar: str = pv("the URL of the instance that serves the call")
    media_duration: str = pv("the milliseconds that `play_media` will take")
    db_url: DatabaseUrl = Field("", description="Database with the table of instances; without one the sockets above.")
    table_name: str = Field("rtpengine", description="That table.")
    setid_col: str = Field("setid", description="Column of the set.")
    url_col: str = Field("url", description="Column of the URL.")
    weight_col: str = Field("weight", description="Column of the weight.")
    disabled_col: str = Field("disabled", description="Column that says whether an instance is switched off.")
    mos_A_label_pv: str = Field("", pattern=VARIABLE, description="Variable with the label of the caller's side.")
    mos_B_label_pv: str = Field("", pattern=VARIABLE, description="Variable with the label of the callee's side.")
    mos_min_pv: str = pv("the lowest MOS of the call")
    mos_min_at_pv: str = pv("when the lowest MOS of the call was, `minutes:seconds` after its begin")
    mos_min_packetloss_pv: str = pv("the packet loss of the call at its lowest MOS")
    mos_min_jitter_pv: str = pv("the jitter of the call at its lowest MOS")
    mos_min_roundtrip_pv: str = pv("the round trip of the call at its lowest MOS")
    mos_max_pv: str = pv("the highest MOS of the call")
    mos_max_at_pv: str = pv("when the highest MOS of the call was, `minutes:seconds` after its begin")
    mos_max_packetloss_pv: str = pv("the packet loss of the call at its highest MOS")
    mos_max_jitter_pv: str = pv("the jitter of the call at its highest MOS")
    mos_max_roundtrip_pv: str = pv("the round trip of the call at its highest MOS")
    mos_average_pv: str = pv("the average MOS of the call")
    mos_average_packetloss_pv: str = pv("the average packet loss of the call")
    mos_average_jitter_pv: str = pv("the average jitter of the call")
    mos_average_roundtrip_pv: str = pv("the average round trip of the call")
    mos_average_samples_pv: str = pv("how many samples the average of the call has")
    mos_min_A_pv: str = pv("the lowest MOS of the caller's side")
    mos_min_at_A_pv: str = pv("when the lowest MOS of the caller's side was, `minutes:seconds` after its begin")
    mos_min_packetloss_A_pv: str = pv("the packet loss of the caller's side at its lowest MOS")
    mos_min_jitter_A_pv: str = pv("the jitter of the caller's side at its lowest MOS")
    mos_min_roundtrip_A_pv: str = pv("the round trip of the caller's side at its lowest MOS")
    mos_max_A_pv: str = pv("the highest MOS of the caller's side")
    mos_max_at_A_pv: str = pv("when the highest MOS of the caller's side was, `minutes:seconds` after its begin")
    mos_max_packetloss_A_pv: str = pv("the packet loss of the caller's side at its highest MOS")
    mos_max_jitter_A_pv: str = pv("the jitter of the caller's side at its highest MOS")
    mos_max_roundtrip_A_pv: str = pv("the round trip of the caller's side at its highest MOS")
    mos_average_A_pv: str = pv("the average MOS of the caller's side")
    mos_average_packetloss_A_pv: str = pv("the average packet loss of the caller's side")
    mos_average_jitter_A_pv: str = pv("the average jitter of the caller's side")
    mos_average_roundtrip_A_pv: str = pv("the average round trip of the caller's side")
    mos_average_samples_A_pv: str = pv("how many samples the average of the caller's side has")
    mos_min_B_pv: str = pv("the lowest MOS of the callee's side")
    mos_min_at_B_pv: str = pv("when the lowest MOS of the callee's side was, `minutes:seconds` after its begin")
    mos_min_packetloss_B_pv: str = pv("the packet loss of the callee's side at its lowest MOS")
    mos_min_jitter_B_pv: str = pv("the jitter of the callee's side at its lowest MOS")
    mos_min_roundtrip_B_pv: str = pv("the round trip of the callee's side at its lowest MOS")
    mos_max_B_pv: str = pv("the highest MOS of the callee's side")
    mos_max_at_B_pv: str = pv("when the highest MOS of the callee's side was, `minutes:seconds` after its begin")
    mos_max_packetloss_B_pv: str = pv("the packet loss of the callee's side at its highest MOS")
    mos_max_jitter_B_pv: str = pv("the jitter of the callee's side at its highest MOS")
    mos_max_roundtrip_B_pv: str = pv("the round trip of the callee's side at its highest MOS")
    mos_average_B_pv: str = pv("the average MOS of the callee's side")
    mos_average_packetloss_B_pv: str = pv("the average packet loss of the callee's side")
    mos_average_jitter_B_pv: str = pv("the average jitter of the callee's side")
    mos_average_roundtrip_B_pv: str = pv("the average round trip of the callee's side")
    mos_average_samples_B_pv: str = pv("how many samples the average of the callee's side has")
    dtmf_events_sock: str = Field(
        "",
        description="Address `ip:port` on which events of DTMF come from rtpengine (`dtmf-log-dest`); empty for none.",
    )
    event_callback: str = Field("", description="Method of the script for `rtpengine:dtmf-event`; empty for none.")
    dtmf_event_callid: str = _event("the Call-ID", "callid")
    dtmf_event_source_tag: str = _event("the tag of the side that pressed the key", "source_tag")
    dtmf_event_source_label: str = _event("the label of that side", "source_label")
    dtmf_event_tags: str = _event("the tags of all sides, with commas between them", "tags")
    dtmf_event_type: str = _event("`DTMF`", "type")
    dtmf_event_timestamp: str = _event("the time, in seconds since 1970", "timestamp")
    dtmf_event_source_ip: str = _event("the address that it came from", "source_ip")
    dtmf_event: str = _event("the key: 0 to 9, 10 for the asterisk, 11 for the number sign", "")
    dtmf_event_duration: str = _event("how long it was pressed, in milliseconds", "duration")
    dtmf_event_volume: str = _event("its volume, in dB below the reference", "volume")

    @field_validator("dtmf_events_sock")
    @classmethod
    def _address(cls, text: str) -> str:
        host, _, port = text.removeprefix("udp:").rpartition(":")
        if text and not (host and port.isdigit() and 0 < int(port) < 65_536):
            raise ValueError(f"{text!r} is not ip:port")
        return text

    def dtmf_address(self) -> tuple[str, int]:
        """Host and port of `dtmf_events_sock`."""
        host, _, port = self.dtmf_events_sock.removeprefix("udp:").rpartition(":")
        return host.strip("[]"), int(port)
