"""Every setting of Sipwright with its type, default, unit and meaning: the one place where defaults live.

`docs/reference/settings.md` is generated from this file and `tls.py`. How values get here from sipwright.toml, the environment
and the command line is in `sources.py`.
"""

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator

from sipwright.settings.acc import AccSettings
from sipwright.settings.addresses import name_server
from sipwright.settings.auth import AuthDbSettings, AuthEphemeralSettings, AuthSettings
from sipwright.settings.cfg import CfgSettings
from sipwright.settings.ctl import CtlSettings
from sipwright.settings.database import DatabaseSettings
from sipwright.settings.dialog import DialogSettings
from sipwright.settings.dispatcher import DispatcherSettings
from sipwright.settings.http import HttpSettings
from sipwright.settings.http_clients import HttpAsyncClientSettings, HttpClientSettings
from sipwright.settings.jsonrpcs import JsonrpcsSettings
from sipwright.settings.listen import Listen
from sipwright.settings.lookups import (
    AliasDbSettings,
    DomainSettings,
    GroupSettings,
    PermissionsSettings,
    SpeeddialSettings,
    SqlopsSettings,
    UriDbSettings,
)
from sipwright.settings.nathelper import NathelperSettings
from sipwright.settings.outbound import OutboundSettings
from sipwright.settings.path import PathSettings
from sipwright.settings.pike import PikeSettings, PipelimitSettings, RatelimitSettings
from sipwright.settings.process import ProcessSettings
from sipwright.settings.record import RecordSettings
from sipwright.settings.registrar import RegistrarSettings
from sipwright.settings.requests import CorexSettings, MaxfwdSettings, PvSettings, SanitySettings, SiputilsSettings
from sipwright.settings.rtpengine import RtpengineSettings
from sipwright.settings.rtpproxy import RtpproxySettings
from sipwright.settings.section import Count, Positive, Section
from sipwright.settings.siptrace import SiptraceSettings
from sipwright.settings.small import CfgutilsSettings, CountersSettings, ExecSettings, MqueueSettings, RtimerSettings
from sipwright.settings.tcp import TcpSettings
from sipwright.settings.tls import TlsSettings
from sipwright.settings.uac import UacSettings
from sipwright.settings.usrloc import UsrlocSettings
from sipwright.settings.websocket import WebsocketSettings
from sipwright.settings.xhttp import XhttpSettings
from sipwright.syslog import FACILITIES


def _listen(value: Any) -> Listen:
    if isinstance(value, Listen):
        return value
    if not isinstance(value, str):
        raise ValueError('must be text such as "udp:0.0.0.0:5060"')
    return Listen.parse(value)


ListenAddress = Annotated[Listen, BeforeValidator(_listen), PlainSerializer(str)]


class ScriptSettings(Section):
    """The routing script and the threads that run it."""

    path: Path | None = Field(None, description="Python routing script; without it the built-in registrar and proxy.")
    workers: int = Field(2, ge=1, le=256, description="Script worker threads.")
    isolation: Literal["per-worker", "shared"] = Field(
        "shared",
        description="Whether each worker has its own instance of the script's modules, as Kamailio's processes do, "
        "or all workers share one.",
    )
    on_error: Literal["500", "drop"] = Field(
        "500", description="What happens to a request whose script raised before a reply was sent."
    )
    strict: bool = Field(
        False, description="Raise TypeError where a KSR function gets a wrong argument, instead of logging it."
    )
    slow_call_ms: int = Field(500, ge=1, description="A script call that takes longer is logged with file and line.")
    stall_after_ms: int = Field(
        10_000, ge=1, description="A script call that takes longer has the stacks of all workers logged."
    )
    request_route: str = Field(
        "ksr_request_route", description="Method of the handler for requests (Kamailio's kemi.request_route_callback)."
    )
    reply_route: str = Field(
        "ksr_reply_route",
        description="Method of the handler for every response (kemi.reply_route_callback); empty for none.",
    )
    onsend_route: str = Field(
        "ksr_onsend_route",
        description="Method of the handler for every message that leaves (kemi.onsend_route_callback); empty for none.",
    )
    event_route: str = Field(
        "",
        description="Method of the handler for `core:worker-one-init`, run once before the first message "
        "(kemi.event_route_callback).",
    )
    pre_routing: str = Field(
        "",
        description="Method of the handler for `core:pre-routing`, called with each request before the request route, which "
        "`KSR.set_drop()` in it keeps from running (kemi.pre_routing_callback).",
    )
    received_route: str = Field(
        "",
        description="Method of the handler that is called with each message that a route is to run for, before all "
        "others; `KSR.set_drop()` in it drops the message (kemi.received_route_callback).",
    )
    mod_init: str = Field("mod_init", description="Function of the script that makes the handler object.")
    child_init: str = Field("child_init", description="Method of the handler that is called once in each worker.")


class LimitSettings(Section):
    """Bounds on memory, connections and queues; what exceeds one is refused and counted."""

    max_message_bytes: int = Field(65_536, ge=1_024, le=16_777_216, description="Largest SIP message on a stream.")
    connections: Positive = Field(16_384, description="Open TCP and TLS connections.")
    connections_per_source: Positive = Field(
        1_024, description="Open connections from one IPv4 address or one IPv6 /64 network."
    )
    handshakes: Positive = Field(4_096, description="TLS handshakes in progress.")
    write_buffer_bytes: int = Field(
        1_048_576, ge=4_096, description="Bytes that may wait to be written on one connection."
    )
    queue_messages: Positive = Field(8_192, description="Messages that may wait for a script worker; then 503.")
    queue_wait_ms: Count = Field(
        4_000,
        description="Messages of the queue may wait so long; requests outside of dialogs that wait longer, or would, although the "
        "workers take messages up, get 503. 0 for no bound.",
    )
    retry_after_s: Count = Field(10, description="Retry-After of these 503, in seconds.")
    drain_ms: Count = Field(5_000, description="Longest time that a stop waits for work in progress.")


class TimerSettings(Section):
    """Transaction timers (RFC 3261 section 17), in milliseconds."""

    t1_ms: Positive = Field(500, description="T1, the round-trip estimate.")
    t2_ms: Positive = Field(4_000, description="T2, the longest interval between retransmissions.")
    t4_ms: Positive = Field(5_000, description="T4, the longest time a message stays in the network.")
    fr_ms: Positive = Field(30_000, description="Wait for any response (Kamailio's fr_timer).")
    fr_inv_ms: Positive = Field(
        120_000, description="Wait for a final response after a provisional one (Kamailio's fr_inv_timer)."
    )
    max_inv_ms: Positive = Field(180_000, description="Longest life of an INVITE transaction.")
    max_noninv_ms: Positive = Field(32_000, description="Longest life of any other transaction.")


class TmSettings(Section):
    """Transactions; names and numbers as in Kamailio's module tm."""

    event_callback: str = Field(
        "",
        description="Method of the script for `tm:local-request`, called for each request that the server itself sends.",
    )
    failure_reply_mode: Literal[0, 1, 2, 3] = Field(
        3,
        description="Which failures a failure route leaves to be compared with those of the branches it adds: 0 all, "
        "1 none, 2 those before the last set of branches, 3 none if it adds a branch and else all. `t_drop_replies` "
        "says it for one transaction.",
    )
    auto_inv_100: bool = Field(True, description="Whether an INVITE gets a 100 by itself.")
    auto_inv_100_reason: str = Field(
        "Trying", max_length=200, pattern=r"^[^\r\n\x00]*$", description="Reason phrase of that 100."
    )
    remap_503_500: bool = Field(True, description="Whether a 503 of a branch goes back as 500 (RFC 3261 section 16.7).")
    restart_fr_on_each_reply: bool = Field(
        True,
        description="Whether every provisional response starts `timers.fr_inv_ms` anew; otherwise the first one does, "
        "and rising codes from 180 on. Serial forking wants it off.",
    )
    cancel_b_method: Literal[0, 1, 2] = Field(
        1,
        description="How a branch is cancelled that has not answered at all: 0 it counts as answered with 487, 1 when "
        "its first provisional response comes (RFC 3261 section 9.1), 2 at once.",
    )
    unmatched_cancel: Literal[0, 1, 2] = Field(
        0,
        description="What `t_relay` does with a CANCEL without its INVITE: 0 forwards it with state, 1 without, 2 "
        "drops it.",
    )
    local_cancel_reason: bool = Field(True, description="Whether CANCELs of our own say why, with Reason (RFC 3326).")
    e2e_cancel_reason: bool = Field(
        True, description="Whether the Reason of a CANCEL that comes goes into the CANCELs that are sent for it."
    )
    noisy_ctimer: bool = Field(
        True,
        description="Whether an INVITE without a failure route, whose only branch never said a word, is answered with "
        "408; otherwise it is dropped.",
    )
    ruri_matching: bool = Field(
        True, description="Whether a retransmission of an RFC 2543 client must have the same request-URI."
    )
    via1_matching: bool = Field(
        True, description="Whether a retransmission of an RFC 2543 client must have the same top Via."
    )
    loop_detection: bool = Field(
        True,
        description="Whether `t_relay` answers a request with 482 that was forwarded here before and came back with the "
        "same request-URI, Route and source (RFC 5393 section 4).",
    )
    max_breadth: int = Field(
        60,
        ge=0,
        le=255,
        description="Most branches that a request may have at a time, here and further on: what its Max-Breadth may be at "
        "most, and is when it forks without one; too little is answered with 440 (RFC 5393 section 5). 0 to let "
        "Max-Breadth alone.",
    )


class TimeoutSettings(Section):
    """How long connections wait, in milliseconds."""

    connect_ms: Positive = Field(5_000, description="Opening a TCP connection.")
    handshake_ms: Positive = Field(10_000, description="A TLS handshake, from its first byte.")
    idle_ms: Positive = Field(120_000, description="A connection without traffic.")
    message_ms: Positive = Field(20_000, description="The rest of a message that has begun.")
    close_ms: Positive = Field(1_000, description="Flushing and the other side's farewell when we close.")


class UdpSettings(Section):
    """UDP sockets."""

    receive_buffer_bytes: Positive = Field(8_388_608, description="Receive buffer asked of the kernel.")
    send_buffer_bytes: Positive = Field(2_097_152, description="Send buffer asked of the kernel.")
    batch: int = Field(32, ge=1, le=1_024, description="Datagrams read by one system call.")
    relief_after_ms: Positive = Field(
        10,
        description="A network thread reads UDP too once no worker has waited for this long, or for a millisecond while messages "
        "wait for longer than `limits.queue_wait_ms`.",
    )


class DnsSettings(Section):
    """Names of servers (RFC 3263): what is looked up, where, and how long it is kept."""

    naptr: bool = Field(True, description="Whether NAPTR records are asked for (Kamailio's dns_try_naptr).")
    srv: bool = Field(True, description="Whether SRV records are asked for.")
    failover: bool = Field(
        True,
        description="Whether the next target of a domain is tried when one fails (Kamailio's use_dns_failover).",
    )
    prefer_ipv6: bool = Field(False, description="Whether IPv6 addresses of a host are tried before IPv4 ones.")
    nameservers: list[str] = Field(
        default_factory=list,
        description="Name servers, `address` or `address:port`; without any those of /etc/resolv.conf.",
    )
    timeout_ms: Positive = Field(2_000, description="Wait for one reply (Kamailio's dns_retr_time).")
    retries: int = Field(1, ge=0, le=10, description="Further tries of each name server (Kamailio's dns_retr_no).")
    total_ms: Positive = Field(6_000, description="Longest wait for one next hop, all queries together.")
    cache_entries: Count = Field(10_000, description="Answers kept.")
    cache_min_ttl_s: Count = Field(0, description="Shortest time that records are kept (Kamailio's dns_cache_min_ttl).")
    cache_max_ttl_s: Count = Field(
        86_400, description="Longest time that records are kept (Kamailio's dns_cache_max_ttl)."
    )
    cache_negative_ttl_s: Count = Field(
        60, description="Longest time that the absence of records is kept (Kamailio's dns_cache_negative_ttl)."
    )
    cache_failure_ttl_s: Count = Field(5, description="Time that no name server is asked again after none answered.")
    hosts_file: Path = Field(Path("/etc/hosts"), description="Host names that no name server is asked for.")
    hosts: dict[str, list[IPv4Address | IPv6Address]] = Field(
        default_factory=dict, description="Addresses of host names, before `dns.hosts_file`."
    )
    records: list[str] = Field(
        default_factory=list,
        description="Records as zone files write them, of type A, AAAA, SRV or NAPTR, for laboratories: "
        "`_sip._udp.example.com SRV 10 60 5060 a.example.com`. No name server is asked for their domains.",
    )

    @field_validator("nameservers")
    @classmethod
    def _addresses(cls, servers: list[str]) -> list[str]:
        return [name_server(server) for server in servers]


class ForwardSettings(Section):
    """Transport and socket of requests that leave."""

    mhomed: bool = Field(
        False,
        description="Ask the kernel's routing table for the socket to send from even where the one that the message "
        "came in on would do (Kamailio's mhomed).",
    )
    force_rport: bool = Field(
        False,
        description="Whether responses go to the source port whatever the Via asks (Kamailio's force_rport), as by "
        "`KSR.force_rport()`.",
    )
    local_rport: bool = Field(
        False, description="Whether our own Via asks for rport (Kamailio's local_rport; RFC 3581)."
    )
    stray_responses: Literal["ours", "any"] = Field(
        "ours",
        description="Which responses without a transaction are forwarded by their Via: those to requests that this server "
        "forwarded, or any whose top Via names it, as Kamailio does. With `any`, whoever sends a response has the server send "
        "it wherever its second Via says; several servers behind one address may need that.",
    )
    tos: int = Field(
        0,
        ge=0,
        le=255,
        description="Type of service of packets that leave (RFC 2474; Kamailio's tos); 0 for the system's.",
    )
    udp_mtu_bytes: Count = Field(
        1_300,
        description="A request larger than this does not leave by UDP if its next hop names no transport and a socket "
        "for `forward.udp_mtu_try_proto` listens (RFC 3261 section 18.1.1; Kamailio's udp_mtu); 0 for no bound.",
    )
    udp_mtu_try_proto: Literal["tcp", "tls"] = Field(
        "tcp", description="What it is tried over instead; when there is no connection it leaves by UDP after all."
    )


class RrSettings(Section):
    """Record-Route and Route; names and defaults as in Kamailio's module rr."""

    enable_full_lr: bool = Field(False, description="Write `;lr=on` instead of `;lr`.")
    append_fromtag: bool = Field(True, description="Write `;ftag=`, by which `is_direction()` knows who called.")
    enable_double_rr: Literal[0, 1, 2] = Field(
        1,
        description="Two Record-Routes: 0 never, 1 for a request that leaves by another socket than it came in on, "
        "2 always.",
    )
    add_username: bool = Field(False, description="Write the user of the request-URI into the Record-Route.")
    ignore_user: str = Field("", description="A Route with this user is not ours, whatever its host; empty for none.")
    force_send_socket: bool = Field(
        True, description="Send from the socket that the second of our two Routes names, after `loose_route()`."
    )


class LogSettings(Section):
    """The server's log."""

    level: Literal["error", "warning", "notice", "info", "debug"] = Field(
        "info", description="Least severe level shown."
    )
    format: Literal["text", "json"] = Field("text", description="Lines for people, or one JSON object a line.")
    output: Literal["stderr", "syslog"] = Field(
        "stderr", description="Standard error, or the system's logger once the sockets are bound."
    )
    facility: str = Field(
        "daemon", pattern=f"^({'|'.join(FACILITIES)})$", description="Facility for syslog: daemon, local0, ..."
    )
    name: str = Field(
        "sipwright", pattern=r"^[!-~]{1,48}$", description="Name for syslog, before the number of the process."
    )
    prefix: str = Field(
        "",
        description="Text with pseudo-variables before the lines that are written while a route runs for a message (Kamailio's "
        "log_prefix).",
    )
    prefix_mode: Literal[0, 1] = Field(
        0, description="When its variables are read: 0 once for each message, 1 for each line (log_prefix_mode)."
    )
    syslog_socket: Path = Field(Path("/dev/log"), description="Socket of the system's logger.")


class TableSettings(Section):
    """One hash table; names as in Kamailio's module htable."""

    autoexpire_s: Count = Field(0, description="Seconds an item lives after its last write; 0 for ever.")
    initval: int | str | None = Field(None, description="Value of an item that is not there.")
    updateexpire: bool = Field(True, description="Whether a write renews the life of an item.")
    max_items: Positive = Field(1_000_000, description="Items kept; a write of one more fails.")
    size: int = Field(
        8, ge=0, le=31, description="Slots that `htable.dump` shows, as a power of two; no limit of items."
    )
    dbtable: str = Field("", description="Table of `htable.db_url` that it is loaded from; empty for none.")
    cols: str = Field(
        "",
        description="Columns instead of those of Kamailio's layout, the key first; several values are joined by commas. "
        "Such a table is not written back.",
    )
    dbmode: Literal[0, 1] = Field(0, description="1 to write the items back to `dbtable` at the end.")
    dmqreplicate: bool = Field(
        False, description="Whether the table is shared with other servers by `htable.share_url`."
    )


class HtableSettings(Section):
    """Hash tables for scripts: `KSR.htable` and `$sht(table=>key)`."""

    tables: dict[str, TableSettings] = Field(default_factory=dict, description="The tables, by name.")
    db_url: str = Field("", description="Database of tables with a `dbtable`; empty for that of `database.url`.")
    key_name_column: str = Field("key_name", description="Column with the key.")
    key_type_column: str = Field("key_type", description="Column with its type: 0 plain, 1 one of an array.")
    value_type_column: str = Field("value_type", description="Column with the type of the value: 0 text, 1 number.")
    key_value_column: str = Field("key_value", description="Column with the value.")
    expires_column: str = Field("expires", description="Column with the time at which the item ends.")
    array_size_suffix: str = Field("::size", description="Behind the key of an array, for the item with its length.")
    db_expires: bool = Field(False, description="Whether the ends of items are loaded and written too.")
    fetch_rows: Positive = Field(100, description="Without effect: rows are read as they come.")
    timer_interval_s: Positive = Field(20, description="Seconds between searches for ended items.")
    event_callback: str = Field(
        "",
        description="Method of the script for `htable:mod-init`, at the start, and `htable:expired:TABLE`, for each item "
        "that has ended.",
    )
    share_url: str = Field(
        "",
        description="Redis or Valkey by which several servers share the tables with `dmqreplicate`, as `usrloc.share_url`.",
    )
    share_tombstone_s: Positive = Field(
        3_600,
        description="Seconds that a removed item is remembered at least, so that a server that was cut off does not bring "
        "it back.",
    )


class Settings(Section):
    """All settings of one server."""

    listen: list[ListenAddress] = Field(
        default_factory=list,
        description='Addresses: `[proto:]host[:port] [advertise host[:port]] [name "x"]`, proto one of udp, tcp, tls, '
        "ws, wss; "
        "without any, loopback: UDP and TCP on 5060, TLS on 5061.",
    )
    aliases: list[str] = Field(
        default_factory=list, description="Names that are this server too, `[proto:]host[:port]`, for `is_myself`."
    )
    auto_aliases: bool = Field(
        False,
        description="Whether the names that reverse DNS has for the listening addresses are aliases too; wildcard "
        "addresses have none.",
    )
    modules: list[str] | None = Field(
        None,
        description="Kamailio's modules whose functions `KSR` shows, as a kamailio.cfg loads them; without it those of "
        "all modules.",
    )
    data_dir: Path | None = Field(
        None, description="Where state lives; without it `$XDG_STATE_HOME/sipwright` (`~/.local/state/sipwright`)."
    )
    server_header: str = Field(
        "Sipwright", max_length=200, pattern=r"^[^\r\n\x00]*$", description="Server of responses; empty for none."
    )
    user_agent_header: str | None = Field(
        None,
        max_length=200,
        pattern=r"^[^\r\n\x00]*$",
        description="User-Agent of requests of the server's own; empty for none, without it as `server_header`.",
    )
    xavp_via_params: str = Field(
        "", description="Extended AVP whose fields `via_add_xavp_params` makes parameters of our Via; empty for none."
    )
    xavp_via_fields: str = Field(
        "", description="Extended AVP with `address` and `port` of our Via for `via_use_xavp_fields`; empty for none."
    )
    server_id: int = Field(
        0,
        ge=0,
        le=2_147_483_647,
        description="Number of this server among those that share a database (Kamailio's server_id).",
    )
    script: ScriptSettings = ScriptSettings()
    tls: TlsSettings = TlsSettings()
    process: ProcessSettings = ProcessSettings()
    cfg: CfgSettings = CfgSettings()
    limits: LimitSettings = LimitSettings()
    timers: TimerSettings = TimerSettings()
    tm: TmSettings = TmSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    udp: UdpSettings = UdpSettings()
    tcp: TcpSettings = TcpSettings()
    dns: DnsSettings = DnsSettings()
    forward: ForwardSettings = ForwardSettings()
    rr: RrSettings = RrSettings()
    log: LogSettings = LogSettings()
    record: RecordSettings = RecordSettings()
    registrar: RegistrarSettings = RegistrarSettings()
    usrloc: UsrlocSettings = UsrlocSettings()
    nathelper: NathelperSettings = NathelperSettings()
    path: PathSettings = PathSettings()
    outbound: OutboundSettings = OutboundSettings()
    htable: HtableSettings = HtableSettings()
    acc: AccSettings = AccSettings()
    alias_db: AliasDbSettings = AliasDbSettings()
    domain: DomainSettings = DomainSettings()
    group: GroupSettings = GroupSettings()
    permissions: PermissionsSettings = PermissionsSettings()
    speeddial: SpeeddialSettings = SpeeddialSettings()
    sqlops: SqlopsSettings = SqlopsSettings()
    uri_db: UriDbSettings = UriDbSettings()
    auth: AuthSettings = AuthSettings()
    auth_db: AuthDbSettings = AuthDbSettings()
    auth_ephemeral: AuthEphemeralSettings = AuthEphemeralSettings()
    database: DatabaseSettings = DatabaseSettings()
    dialog: DialogSettings = DialogSettings()
    dispatcher: DispatcherSettings = DispatcherSettings()
    pike: PikeSettings = PikeSettings()
    ratelimit: RatelimitSettings = RatelimitSettings()
    pipelimit: PipelimitSettings = PipelimitSettings()
    http: HttpSettings = HttpSettings()
    http_client: HttpClientSettings = HttpClientSettings()
    http_async_client: HttpAsyncClientSettings = HttpAsyncClientSettings()
    mqueue: MqueueSettings = MqueueSettings()
    cfgutils: CfgutilsSettings = CfgutilsSettings()
    counters: CountersSettings = CountersSettings()
    exec: ExecSettings = ExecSettings()
    rtimer: RtimerSettings = RtimerSettings()
    rtpengine: RtpengineSettings = RtpengineSettings()
    rtpproxy: RtpproxySettings = RtpproxySettings()
    siptrace: SiptraceSettings = SiptraceSettings()
    uac: UacSettings = UacSettings()
    xhttp: XhttpSettings = XhttpSettings()
    jsonrpcs: JsonrpcsSettings = JsonrpcsSettings()
    ctl: CtlSettings = CtlSettings()
    websocket: WebsocketSettings = WebsocketSettings()
    pv: PvSettings = PvSettings()
    corex: CorexSettings = CorexSettings()
    sanity: SanitySettings = SanitySettings()
    siputils: SiputilsSettings = SiputilsSettings()
    maxfwd: MaxfwdSettings = MaxfwdSettings()
