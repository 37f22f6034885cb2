"""Configurations of the registrar and of clients behind NAT for scenarios."""

from __future__ import annotations

from oracle.profile import Profile

PROFILES = {
    # What edge proxies and phones with flows need.
    "registrar": Profile(
        """
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 1)
modparam("registrar", "outbound_mode", 1)
modparam("registrar", "flow_timer", 25)
modparam("registrar", "gruu_enabled", 1)
modparam("registrar", "xavp_cfg", "reg")
modparam("registrar", "xavp_rcd", "rcd")
modparam("registrar", "max_contacts", 3)
modparam("registrar", "retry_after", 7)
modparam("registrar", "min_expires_mode", 1)
modparam("registrar", "method_filtering", 1)
modparam("registrar", "sock_flag", 5)
modparam("registrar", "sock_hdr_name", "Sock-Info")
modparam("tm|usrloc", "xavp_contact", "ulattrs")
""",
        {
            "registrar.use_path": True,
            "registrar.path_mode": 1,
            "registrar.outbound_mode": 1,
            "registrar.flow_timer_s": 25,
            "registrar.xavp_cfg": "reg",
            "registrar.xavp_rcd": "rcd",
            "registrar.max_contacts": 3,
            "registrar.retry_after_s": 7,
            "registrar.min_expires_mode": 1,
            "registrar.method_filtering": True,
            "registrar.sock_flag": 5,
            "registrar.sock_hdr_name": "Sock-Info",
            "usrloc.xavp_contact": "ulattrs",
        },
    ),
    # The other way round.
    "registrar_strict": Profile(
        """
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 2)
modparam("registrar", "min_expires", 60)
modparam("registrar", "max_expires", 600)
modparam("registrar", "default_expires", 300)
modparam("registrar", "default_q", 300)
modparam("registrar", "case_sensitive", 1)
modparam("registrar", "append_branches", 0)
modparam("registrar", "gruu_enabled", 0)
modparam("registrar", "received_param", "rcv")
modparam("registrar", "realm_prefix", "sip.")
modparam("registrar", "contact_max_size", 60)
modparam("usrloc", "use_domain", 1)
modparam("usrloc", "matching_mode", 1)
""",
        {
            "registrar.use_path": True,
            "registrar.path_mode": 2,
            "registrar.min_expires_s": 60,
            "registrar.min_expires_mode": 0,
            "registrar.max_expires_s": 600,
            "registrar.default_expires_s": 300,
            "registrar.default_q": 300,
            "registrar.case_sensitive": True,
            "registrar.append_branches": False,
            "registrar.gruu_enabled": False,
            "registrar.received_param": "rcv",
            "registrar.realm_prefix": "sip.",
            "registrar.contact_max_size_bytes": 60,
            "usrloc.use_domain": True,
            "usrloc.matching_mode": 1,
        },
    ),
    "registrar_outbound": Profile(
        """
modparam("registrar", "outbound_mode", 2)
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 2)
""",
        {"registrar.outbound_mode": 2, "registrar.use_path": True, "registrar.path_mode": 2},
    ),
    "registrar_newest": Profile(
        """
modparam("registrar", "path_use_received", 1)
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 0)
modparam("usrloc", "desc_time_order", 1)
modparam("usrloc", "matching_mode", 3)
modparam("usrloc", "nat_bflag", 6)
""",
        {
            "registrar.path_use_received": True,
            "registrar.use_path": True,
            "registrar.path_mode": 0,
            "usrloc.desc_time_order": True,
            "usrloc.matching_mode": 3,
            "usrloc.nat_bflag": 6,
        },
    ),
    "nathelper": Profile(
        """
modparam("nathelper", "alias_name", "saddr")
modparam("nathelper", "nat_addr_mode", 0)
modparam("nathelper", "append_sdp_oldmediaip", 0)
modparam("nathelper", "nortpproxy_str", "a=mangled:yes\\r\\n")
""",
        {
            "nathelper.alias_name": "saddr",
            "nathelper.nat_addr_mode": 0,
            "nathelper.append_sdp_oldmediaip": False,
            "nathelper.nortpproxy_str": "a=mangled:yes\\r\\n",
            "nathelper.received_avp": "$avp(RECEIVED)",
            "registrar.received_avp": "$avp(RECEIVED)",
        },
    ),
    "path": Profile(
        """
modparam("path", "use_received", 1)
modparam("path", "received_format", 1)
modparam("path", "enable_r2", 1)
""",
        {"path.use_received": True, "path.received_format": 1, "path.enable_r2": True},
    ),
    "path_named": Profile(
        """
modparam("path", "use_received", 1)
modparam("path", "received_name", "rcv")
""",
        {"path.use_received": True, "path.received_name": "rcv"},
    ),
}
