"""The global parameters of Kamailio 5.6's core: which setting each is, or why it means nothing here.

`docs/reference/kamailio-cfg.md` is generated from these tables. Parameters that decide about addresses together (listen,
port, disable_tcp, enable_tls, ...) are in `addresses.py`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["number", "flag", "text", "word"]


@dataclass(frozen=True, slots=True)
class Target:
    """The setting that a parameter is. `convert` makes its value; None leaves the setting as it is."""

    setting: str
    kind: Kind = "number"
    convert: Callable[[Any], Any] = lambda value: value
    note: str = ""


def _seconds(value: int) -> int:
    return max(1, value * 1000)


def _between(low: int, high: int) -> Callable[[int], int]:
    return lambda value: min(max(value, low), high)


def log_level(debug: int) -> str:
    """The level of `debug`: -1 and below errors, 0 warnings, 1 notices, 2 infos, 3 and above everything."""
    return ("error", "warning", "notice", "info", "debug")[min(max(debug, -1), 3) + 1]


def _header_value(name: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        head, colon, value = text.partition(":")
        return value.strip() if colon and head.strip().lower() == name else text.strip()

    return convert


def _callback(text: str) -> str:
    return "" if text == "none" else text


HONOURED: Final[dict[str, Target]] = {
    "auto_aliases": Target("auto_aliases", "flag", bool),
    "children": Target("script.workers", "number", _between(1, 256), "for all sockets together"),
    "debug": Target("log.level", "number", log_level),
    "dns_cache_flags": Target("dns.prefer_ipv6", "number", lambda flags: bool(flags & 4), "flag 4; the others not"),
    "dns_cache_max_ttl": Target("dns.cache_max_ttl_s"),
    "dns_cache_min_ttl": Target("dns.cache_min_ttl_s"),
    "dns_cache_negative_ttl": Target("dns.cache_negative_ttl_s"),
    "dns_retr_no": Target("dns.retries", "number", _between(0, 10)),
    "dns_retr_time": Target("dns.timeout_ms", "number", _seconds),
    "dns_try_naptr": Target("dns.naptr", "flag", bool),
    "force_rport": Target("forward.force_rport", "flag", bool),
    "kemi.event_route_callback": Target("script.event_route", "text", _callback),
    "kemi.onsend_route_callback": Target("script.onsend_route", "text", _callback),
    "kemi.pre_routing_callback": Target("script.pre_routing", "text", _callback),
    "kemi.received_route_callback": Target("script.received_route", "text", _callback),
    "kemi.reply_route_callback": Target("script.reply_route", "text", _callback),
    "kemi.request_route_callback": Target("script.request_route", "text"),
    "latency_limit_action": Target(
        "script.slow_call_ms",
        "number",
        lambda us: -(-us // 1000) or None,
        "for calls of routes, not of single functions",
    ),
    "log_facility": Target("log.facility", "word", lambda word: str(word).removeprefix("LOG_").lower()),
    "log_name": Target("log.name", "text", lambda text: re.sub(r"[^!-~]", "_", text)[:48] or None),
    "log_prefix": Target(
        "log.prefix", "text", note="before the lines that are written while a route runs for a message"
    ),
    "log_prefix_mode": Target("log.prefix_mode", "number", lambda mode: mode & 1),
    "log_stderror": Target("log.output", "flag", lambda on: "stderr" if on else "syslog"),
    "local_rport": Target("forward.local_rport", "flag", bool),
    "maxbuffer": Target("udp.receive_buffer_bytes", "number", _between(1, 1 << 30)),
    "mhomed": Target("forward.mhomed", "flag", bool),
    "rundir": Target("data_dir", "text", note="the control socket and all other state lie there"),
    "server_id": Target("server_id", "number"),
    "server_header": Target("server_header", "text", _header_value("server")),
    "server_signature": Target("server_header", "flag", lambda on: None if on else "", "no: without a Server header"),
    "tcp_accept_no_cl": Target("tcp.accept_no_cl", "flag", bool),
    "tcp_conn_wq_max": Target("limits.write_buffer_bytes", "number", _between(4096, 1 << 30)),
    "tcp_connect_timeout": Target("timeouts.connect_ms", "number", _seconds),
    "tcp_connection_lifetime": Target("timeouts.idle_ms", "number", _seconds),
    "tcp_max_connections": Target("limits.connections", "number", _between(1, 1 << 30), "of TCP and TLS together"),
    "tcp_rd_buf_size": Target("limits.max_message_bytes", "number", _between(1024, 16_777_216)),
    "tls_threads_mode": Target("tls.threads_mode"),
    "udp_mtu": Target("forward.udp_mtu_bytes", "number", _between(0, 65_535)),
    "user_agent_header": Target("user_agent_header", "text", _header_value("user-agent")),
    "use_dns_cache": Target("dns.cache_entries", "flag", lambda on: None if on else 0, "off: nothing is kept"),
    "use_dns_failover": Target("dns.failover", "flag", bool),
    "xavp_via_fields": Target("xavp_via_fields", "text"),
    "xavp_via_params": Target("xavp_via_params", "text"),
}

# Parameters with code of their own, in `addresses.py` and `translate.py`: what they do here.
SPECIAL: Final[dict[str, tuple[Kind, str]]] = {
    "advertised_address": ("text", "`advertise` of every address that has none"),
    "advertised_port": ("number", "the port of that"),
    "disable_tcp": ("flag", "no TCP and no TLS address is listened on"),
    "disable_tls": ("flag", "`enable_tls` the other way round"),
    "enable_tls": ("flag", "TLS addresses are listened on; without it they are left out, as in Kamailio"),
    "port": ("number", "port of addresses that name none"),
    "tos": ("word", "`forward.tos`; IPTOS_LOWDELAY and its kin, or a number"),
    "tls_port_no": ("number", "port of TLS addresses that name none"),
    "udp_mtu_try_proto": ("word", "`forward.udp_mtu_try_proto`; UDP: `forward.udp_mtu_bytes` 0"),
}

# Values of `tos` by name, as the system's headers number them.
TOS: Final = {
    "IPTOS_LOWDELAY": 0x10,
    "IPTOS_THROUGHPUT": 0x08,
    "IPTOS_RELIABILITY": 0x04,
    "IPTOS_MINCOST": 0x02,
}

_MEMORY: Final = "there is no memory manager of its own"
_SCTP: Final = "SCTP is not offered"
_PROCESSES: Final = "there is one process, whose workers are threads"
_NATIVE: Final = "belongs to native routes, which are not run"
_POLL: Final = "the engine polls with epoll and reads as the sockets become ready"
_REAL_TIME: Final = "give the service a priority instead, for example systemd's CPUSchedulingPolicy"
_BLOCKLIST: Final = "there is no blocklist of destinations; `dns.failover` tries the next target"

IGNORED: Final[dict[str, str]] = {
    "async_nonblock": _PROCESSES,
    "async_usleep": _PROCESSES,
    "async_workers": "asynchronous work runs in the workers and in threads, as many as needed",
    "async_workers_group": "asynchronous work runs in the workers and in threads, as many as needed",
    "corelog": "`log.level` decides; what cannot be parsed is counted",
    "description": "no meaning in Kamailio either",
    "disable_core_dump": "ulimit or systemd's LimitCORE decides",
    "disable_sctp": _SCTP,
    "dns_cache_del_nonexp": "the cache drops the oldest entries when it is full",
    "dns_cache_gc_interval": "the cache cleans itself as it is used",
    "dns_cache_init": "the cache costs nothing while it is empty",
    "dns_cache_mem": "`dns.cache_entries` bounds the cache",
    "dns_cache_rec_pref": "newer records replace older ones",
    "dns_naptr_ignore_rfc": "NAPTR records are ordered as RFC 3263 says",
    "dns_search_full_match": "names are looked up as they are, without a search list",
    "dns_servers_no": "all name servers are used, see `dns.nameservers`",
    "dns_srv_lb": "SRV weights always count (RFC 2782)",
    "dns_try_ipv6": "IPv6 addresses are looked up where a socket can send to them",
    "dns_use_search_list": "names are looked up as they are, without a search list",
    "enable_sctp": _SCTP,
    "exit_timeout": "`limits.drain_ms` bounds the stop, after which the process ends",
    "fork": "the server stays in the foreground; systemd or a container keeps it",
    "fork_delay": _PROCESSES,
    "http_reply_parse": "HTTP is read by a parser of its own",
    "ip_free_bind": "the system decides: sysctl net.ipv4.ip_nonlocal_bind",
    "ipv6_hex_style": "IPv6 addresses are written as RFC 5952 says",
    "latency_cfg_log": "`script.slow_call_ms` logs slow calls with file and line",
    "latency_limit_cfg": "`script.slow_call_ms` logs slow calls with file and line",
    "latency_limit_db": "slow statements are for the database's own log",
    "latency_log": "slow calls are logged as warnings",
    "max_recursive_level": _NATIVE,
    "max_while_loops": _NATIVE,
    "mem_join": _MEMORY,
    "mem_safety": _MEMORY,
    "mem_status_mode": _MEMORY,
    "mem_summary": _MEMORY,
    "memdbg": _MEMORY,
    "memlog": _MEMORY,
    "mlock_pages": _MEMORY,
    "modinit_delay": "modules are initialised at once",
    "mpath": "modules are built in",
    "onsend_route_reply": "the onsend route runs for replies too, if the script has one that does something",
    "pv_buffer_size": "texts may be of any length",
    "pv_buffer_slots": "texts may be of any length",
    "pv_cache_action": "the cache is bounded",
    "pv_cache_limit": "the cache is bounded",
    "real_time": _REAL_TIME,
    "received_route_mode": "`script.received_route` runs when it is set",
    "route_locks_size": "messages of one call are taken in order of their arrival by any worker",
    "rt_policy": _REAL_TIME,
    "rt_prio": _REAL_TIME,
    "rt_timer1_policy": _REAL_TIME,
    "rt_timer1_prio": _REAL_TIME,
    "rt_timer2_policy": _REAL_TIME,
    "rt_timer2_prio": _REAL_TIME,
    "sctp_asocmaxrxt": _SCTP,
    "sctp_assoc_reuse": _SCTP,
    "sctp_assoc_tracking": _SCTP,
    "sctp_autoclose": _SCTP,
    "sctp_children": _SCTP,
    "sctp_hbinterval": _SCTP,
    "sctp_init_max_attempts": _SCTP,
    "sctp_init_max_timeo": _SCTP,
    "sctp_max_assocs": _SCTP,
    "sctp_max_burst": _SCTP,
    "sctp_pathmaxrxt": _SCTP,
    "sctp_sack_delay": _SCTP,
    "sctp_sack_freq": _SCTP,
    "sctp_send_retries": _SCTP,
    "sctp_send_ttl": _SCTP,
    "sctp_socket_rcvbuf": _SCTP,
    "sctp_socket_sndbuf": _SCTP,
    "sctp_srto_initial": _SCTP,
    "sctp_srto_max": _SCTP,
    "sctp_srto_min": _SCTP,
    "shm_force_alloc": _MEMORY,
    "shm_mem_size": _MEMORY,
    "sip_parser_log": "what cannot be parsed is counted and logged once in a while",
    "sip_parser_mode": "the parser accepts what it can read; KSR.sanity checks further",
    "sip_warning": "responses carry no Warning header of the server's",
    "socket_workers": "all workers read all sockets",
    "sql_buffer_size": "statements may be of any length",
    "statistics": "counters are always on",
    "stats_name_separator": "counters are named as in docs/reference/counters.md",
    "tcp_async": "writes never block",
    "tcp_children": "the workers of `children` take messages of all transports",
    "tcp_clone_rcvbuf": "every message has a buffer of its own",
    "tcp_connection_match": "a connection is found by both of its ends",
    "tcp_crlf_ping": "keep-alives are always answered (RFC 5626)",
    "tcp_defer_accept": _POLL,
    "tcp_delayed_ack": _POLL,
    "tcp_fd_cache": _PROCESSES,
    "tcp_keepalive": "the system decides; `timeouts.idle_ms` closes what is silent",
    "tcp_keepcnt": "the system decides: sysctl net.ipv4.tcp_keepalive_probes",
    "tcp_keepidle": "the system decides: sysctl net.ipv4.tcp_keepalive_time",
    "tcp_keepintvl": "the system decides: sysctl net.ipv4.tcp_keepalive_intvl",
    "tcp_linger2": "the system decides: sysctl net.ipv4.tcp_fin_timeout",
    "tcp_poll_method": _POLL,
    "tcp_script_mode": "an error of the script closes no connection",
    "tcp_send_timeout": "a peer that does not read is cut off by `limits.write_buffer_bytes`",
    "tcp_syncnt": "`timeouts.connect_ms` bounds the attempt",
    "tcp_wait_data": "there is no HAProxy protocol",
    "tcp_wq_blk_size": _POLL,
    "tcp_wq_max": "`limits.write_buffer_bytes` bounds each connection",
    "tls_max_connections": "`limits.connections` counts TCP and TLS together",
    "udp4_raw": "datagrams are sent by the kernel",
    "udp4_raw_mtu": "datagrams are sent by the kernel",
    "udp4_raw_ttl": "datagrams are sent by the kernel",
    "verbose_startup": "`sipwright check` shows what is read",
    "wait_worker1_mode": "worker 1 is ready before the others start",
    "wait_worker1_time": "worker 1 is ready before the others start",
    "wait_worker1_usleep": "worker 1 is ready before the others start",
    "dst_blocklist_expire": _BLOCKLIST,
    "dst_blocklist_gc_interval": _BLOCKLIST,
    "dst_blocklist_init": _BLOCKLIST,
    "dst_blocklist_mem": _BLOCKLIST,
    "dst_blocklist_udp_imask": _BLOCKLIST,
    "dst_blocklist_tcp_imask": _BLOCKLIST,
    "dst_blocklist_tls_imask": _BLOCKLIST,
    "dst_blocklist_sctp_imask": _BLOCKLIST,
    "use_dst_blocklist": _BLOCKLIST,
}

# What Kamailio does by these is not done here: the report warns, with what to do instead.
MISSING: Final[dict[str, str]] = {
    "auto_bind_ipv6": "name the IPv6 addresses with listen",
    "bind_ipv6_link_local": "link-local addresses are not listened on",
    "check_via": "responses are matched to transactions by their branch; others are not checked",
    "chroot": "let systemd (RootDirectory) or a container confine the server",
    "dns": "`received` is added whenever the address differs from the Via",
    "dns_sctp_pref": "NAPTR records are taken in the order of the remote side",
    "dns_tcp_pref": "NAPTR records are taken in the order of the remote side",
    "dns_tls_pref": "NAPTR records are taken in the order of the remote side",
    "dns_udp_pref": "NAPTR records are taken in the order of the remote side",
    "log_engine_data": "logs go to standard error or syslog",
    "log_engine_type": "logs go to standard error or syslog",
    "max_branches": "`tm.max_breadth` bounds the branches of a request",
    "mcast": "multicast is not offered",
    "mcast_loopback": "multicast is not offered",
    "mcast_ttl": "multicast is not offered",
    "phone2tel": "tel URIs in user=phone are not treated apart",
    "pmtu_discovery": "the system decides: sysctl net.ipv4.ip_no_pmtu_disc",
    "reply_to_via": "responses go back to the source, or as Via says (RFC 3261 section 18.2.2)",
    "rev_dns": "`received` is added whenever the address differs from the Via",
    "tcp_accept_aliases": "connections are reused for the registrations that came over them",
    "tcp_accept_haproxy": "let the load balancer pass connections on at the network level",
    "tcp_accept_hep3": "capture servers are not offered",
    "tcp_accept_unique": "connections from one source and port are never double",
    "tcp_no_connect": "connections are opened where a request must go over TCP",
    "tcp_reuse_port": "outgoing connections leave from a port of the system's choice",
    "tcp_source_ipv4": "the system's routing table decides, or KSR.corex.set_send_socket",
    "tcp_source_ipv6": "the system's routing table decides, or KSR.corex.set_send_socket",
    "uri_host_extra_chars": "host names are letters, digits, dots and hyphens",
    "version_table": "tables of versions are named `version`",
    "xavp_via_reply_params": "Via is built from the socket",
}

ALIASES: Final = {
    "desc": "description",
    "descr": "description",
    "dns_cache_delete_nonexpired": "dns_cache_del_nonexp",
    "dns_sctp_preference": "dns_sctp_pref",
    "dns_srv_loadbalancing": "dns_srv_lb",
    "dns_tcp_preference": "dns_tcp_pref",
    "dns_tls_preference": "dns_tls_pref",
    "dns_udp_preference": "dns_udp_pref",
    "dst_blocklist_ttl": "dst_blocklist_expire",
    "http_reply_hack": "http_reply_parse",
    "ip_nonlocal_bind": "ip_free_bind",
    "ipfreebind": "ip_free_bind",
    "mem_dbg": "memdbg",
    "mem_log": "memlog",
    "rt_fast_timer_prio": "rt_timer1_prio",
    "rt_ftimer_policy": "rt_timer1_policy",
    "rt_ftimer_prio": "rt_timer1_prio",
    "rt_stimer_policy": "rt_timer2_policy",
    "rt_stimer_prio": "rt_timer2_prio",
    "run_dir": "rundir",
    "sctp_socket_receive_buffer": "sctp_socket_rcvbuf",
    "sctp_socket_send_buffer": "sctp_socket_sndbuf",
    "ser_kill_timeout": "exit_timeout",
    "shm": "shm_mem_size",
    "tcp_buf_write": "tcp_async",
    "tls_disable": "disable_tls",
    "tls_enable": "enable_tls",
}

# What a kamailio.cfg means by leaving a parameter out, where our own default is another one.
DEFAULTS: Final[dict[str, tuple[str, Any]]] = {
    "auto_aliases": ("auto_aliases", True),
    "children": ("script.workers", 8),
    "dns_try_naptr": ("dns.naptr", False),
    "udp_mtu": ("forward.udp_mtu_bytes", 0),
    "use_dns_failover": ("dns.failover", False),
}


# What values of parameters that are not honoured look like; the others are numbers.
_TEXTS: Final = frozenset(
    {
        *("async_workers_group", "chroot", "ipv6_hex_style", "log_engine_data", "log_engine_type"),
        *("mcast", "mpath", "stats_name_separator", "uri_host_extra_chars"),
        *("version_table", "xavp_via_reply_params"),
    }
)
_WORDS: Final = frozenset({"tcp_poll_method", "tcp_source_ipv4", "tcp_source_ipv6"})
# They have several forms.
_ANY: Final = frozenset({"description", "tos"})


def kind_of(name: str) -> Kind | None:
    """What a value of a parameter looks like; None for any."""
    if name in _ANY:
        return None
    if target := HONOURED.get(name):
        return target.kind
    if special := SPECIAL.get(name):
        return special[0]
    return "text" if name in _TEXTS else "word" if name in _WORDS else "number"


def canonical(name: str) -> str:
    """The name under which a parameter stands in the tables."""
    return ALIASES.get(name, name)


def known() -> set[str]:
    """All names that Kamailio's core knows, other names included."""
    return {*HONOURED, *SPECIAL, *IGNORED, *MISSING, *ALIASES}
