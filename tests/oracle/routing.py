"""Profiles of the modules that choose where requests go and how many may come."""

from __future__ import annotations

from oracle.profile import Profile

DESTINATIONS = """\
# Each scenario that changes states has a set of its own.
1 sip:127.0.0.1:6001
1 sip:127.0.0.1:6002
1 sip:127.0.0.1:6003;transport=tcp 0 0 class=4
1 sip:127.0.0.1:6004 0 5 duid=d;my=x
2 sip:127.0.0.1:6011;transport=tcp 0 0 class=4;my=x
2 sip:127.0.0.2
2 sips:127.0.0.4
2 sip:127.0.0.5;transport=TLS
3 sip:127.0.0.1:6021 9
3 sip:127.0.0.1:6022
3 sip:127.0.0.1:6023
4 sip:127.0.0.1:6031 0 0 duid=a;maxload=1
4 sip:127.0.0.1:6032 0 0 duid=b;maxload=2
5 sip:127.0.0.1:6041
5 sip:127.0.0.1:6042
5 sip:127.0.0.1:6043
6 sip:127.0.0.1:6051
6 sip:127.0.0.1:6052
7 sip:127.0.0.1:6061 0 2
7 sip:127.0.0.1:6062 0 9
7 sip:127.0.0.1:6063 0 9
8 sip:127.0.0.1:6071
8 sip:127.0.0.1:6072 0 0 weight=100
9 sip:127.0.0.1:6081
9 sip:127.0.0.1:6082 0 0 rweight=100
14 sip:127.0.0.1:6141 0 0 weight=100
14 sip:127.0.0.1:6142
10 sip:127.0.0.1:6091
10 sip:127.0.0.1:6092 0 0 rweight=50;weight=7
11 sip:127.0.0.1:6101 0 0 duid=k;maxload=5
12 sip:127.0.0.1
13 sip:127.0.0.1:6121
13 sip:127.0.0.1:6122
"""

DISPATCHER = """
loadmodule "dispatcher.so"
modparam("dispatcher", "list_file", "@HERE@/dispatcher.list")
modparam("dispatcher", "hash_pvar", "$avp(hash)")
modparam("dispatcher", "setid_pvname", "$avp(set)")
modparam("dispatcher", "attrs_pvname", "$avp(attrs)")
modparam("dispatcher", "xavp_dst_mode", 6)
"""
DISPATCHER_SETTINGS = {
    "dispatcher.list_file": "@HERE@/dispatcher.list",
    "dispatcher.hash_pvar": "$avp(hash)",
    "dispatcher.setid_pvname": "$avp(set)",
    "dispatcher.attrs_pvname": "$avp(attrs)",
    "dispatcher.xavp_dst_mode": 6,
}

OUTBOUND = Profile(
    """
modparam("outbound", "flow_token_secret", "a secret of twenty b")
modparam("outbound", "force_outbound_flag", 5)
modparam("outbound", "force_no_outbound_flag", 6)
""",
    {
        "outbound.enabled": "true",
        "outbound.flow_token_secret": "a secret of twenty b",
        "outbound.force_outbound_flag": 5,
        "outbound.force_no_outbound_flag": 6,
    },
    loads_first=("outbound",),
)

PROFILES = {
    "outbound": OUTBOUND,
    "dispatcher": Profile(
        DISPATCHER
        + """
modparam("dispatcher", "flags", 2)
modparam("dispatcher", "ds_hash_size", 4)
""",
        {**DISPATCHER_SETTINGS, "dispatcher.flags": 2, "dispatcher.ds_hash_size": 4},
        {"dispatcher.list": DESTINATIONS},
    ),
    "dispatcher_default": Profile(
        DISPATCHER
        + """
modparam("dispatcher", "flags", 3)
modparam("dispatcher", "use_default", 1)
modparam("dispatcher", "force_dst", 0)
modparam("dispatcher", "ds_probing_threshold", 2)
modparam("dispatcher", "ds_inactive_threshold", 2)
modparam("dispatcher", "ds_attrs_none", 1)
modparam("dispatcher", "xavp_dst_mode", 1)
""",
        {
            **DISPATCHER_SETTINGS,
            "dispatcher.flags": 3,
            "dispatcher.use_default": "true",
            "dispatcher.force_dst": "false",
            "dispatcher.ds_probing_threshold": 2,
            "dispatcher.ds_inactive_threshold": 2,
            "dispatcher.ds_attrs_none": "true",
            "dispatcher.xavp_dst_mode": 1,
        },
        {"dispatcher.list": DESTINATIONS},
    ),
    "floods": Profile(
        """
loadmodule "pike.so"
loadmodule "pipelimit.so"
loadmodule "ratelimit.so"
modparam("pike", "sampling_time_unit", 600)
modparam("pike", "reqs_density_per_unit", 8)
modparam("pipelimit", "timer_interval", 600)
modparam("ratelimit", "timer_interval", 1000)
modparam("ratelimit", "queue", "0:INFO")
modparam("ratelimit", "pipe", "0:RED:4")
""",
        {
            "pike.sampling_time_unit_s": 600,
            "pike.reqs_density_per_unit": 8,
            "pipelimit.timer_interval_s": 600,
            "ratelimit.timer_interval_s": 1000,
            "ratelimit.queue": "0:INFO",
            "ratelimit.pipe": "0:RED:4",
        },
    ),
    "ipops": Profile('loadmodule "ipops.so"\n'),
    "sdpops": Profile('loadmodule "sdpops.so"\n'),
    "via": Profile(
        """
server_id=7
xavp_via_params="vp"
modparam("corex", "alias_subdomains", "domain.test")
modparam("corex", "alias_subdomains", "udp:port.test:5061")
modparam("sanity", "noreply", 1)
modparam("sanity", "proxy_require", "foo, bar")
modparam("maxfwd", "max_limit", 16)
modparam("pv", "shvset", "n=i:7")
modparam("pv", "varset", "gw=s:sip:10.0.0.1;transport=tcp")
modparam("pv", "avp_aliases", "other=s:name")
""",
        {
            "server_id": 7,
            "xavp_via_params": "vp",
            "corex.alias_subdomains": '["domain.test", "udp:port.test:5061"]',
            "sanity.noreply": "true",
            "sanity.proxy_require": "foo, bar",
            "maxfwd.max_limit": 16,
            "pv.shvset": "n=i:7",
            "pv.varset": "gw=s:sip:10.0.0.1;transport=tcp",
            "pv.avp_aliases": "other=s:name",
        },
    ),
}
