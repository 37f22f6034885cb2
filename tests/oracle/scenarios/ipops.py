"""IP addresses as texts, and names that nobody knows."""

from __future__ import annotations

from oracle.scenario import Peer, scenario


def register(name: str, body: str) -> None:
    """A scenario in which one request runs these lines."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    route = f"I = KSR.ipops\ndef ksr_request_route(self, msg):\n{lines}\n    KSR.sl.sl_send_reply(200, 'OK')\n"

    @scenario(route, name=name, profile="ipops")
    async def one_request(alice: Peer) -> None:
        alice.request("OPTIONS", "sip:bob@oracle.test")
        await alice.expect(200)


ADDRESSES = (
    "1.2.3.4 1.2.3 256.1.1.1 01.2.3.4 0.0.0.0 ::1 [::1] :: [::1 ::1] 1080:0:0:0:8:800:200C:417A fe80::1%eth0 "
    "::ffff:1.2.3.4 [1.2.3.4] example.com 1:2:3:4:5:6:7:8:9 2001:db8::g"
)
TESTS = ("is_ip", "is_pure_ip", "is_ip4", "is_ip6", "is_ip6_reference", "ip_type", "is_ip_rfc1918")
register(
    "kinds_of_address",
    f"""
for text in [*{ADDRESSES!r}.split(), "", " 1.2.3.4"]:
    note(text, [getattr(I, test)(text) for test in {TESTS!r}])
""",
)
PRIVATE = "10.0.0.1 10.255.255.255 172.15.0.1 172.16.0.1 172.31.255.255 172.32.0.0 192.168.1.1 192.169.0.1 100.64.0.1"
register("private_addresses", f"for text in {PRIVATE!r}.split(): note(text, I.is_ip_rfc1918(text))")

REGISTERED = (
    "8.8.8.8 10.0.0.1 172.16.0.1 192.168.0.1 100.64.0.1 127.0.0.1 169.254.1.1 192.0.0.1 192.0.2.1 198.51.100.1 203.0.113.1 "
    "192.88.99.1 198.18.0.1 198.20.0.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 0.0.0.0 0.1.1.1 bad :: ::1 ::2 "
    "::ffff:1.2.3.4 100::1 100:0:0:1::1 64:ff9b::1 2001:db8::1 2001::1 2001:1::1 2001:2::1 2001:10::1 2001:20::1 2002::1 2003::1 "
    "2600::1 3000::1 4000::1 5f00::1 fc00::1 fd00::1 fe00::1 fe80::1 fec0::1 ff02::1 [2001:db8::1] [::1]"
)
register(
    "registered_kinds",
    f"""
for text in {REGISTERED!r}.split():
    for function in (I.detailed_ip_type, I.detailed_ipv4_type, I.detailed_ipv6_type):
        KSR.pv.unset("$avp(kind)")
        note(text, function(text, "$avp(kind)"), KSR.pv.get("$avp(kind)"))
""",
)
register(
    "comparisons",
    """
for first, second in (("1.2.3.4", "1.2.3.4"), ("1.2.3.4", "1.2.3.5"), ("::1", "[::1]"), ("::1", "0:0::1"), ("1.2.3.4", "::1"),
                      ("[::1]", "[0::1]"), ("bad", "bad"), ("::ffff:1.2.3.4", "1.2.3.4"), ("FE80::1", "fe80::1")):
    note(first, second, I.compare_ips(first, second), I.compare_pure_ips(first, second))
""",
)
register(
    "subnets",
    """
for address, subnets in (
    ("10.0.0.1", "10.0.0.0/8"), ("10.0.0.1", "10.1.2.3/8"), ("10.0.0.1", "11.0.0.0/8"), ("10.0.0.1", "1.1.1.1/32,10.0.0.0/24"),
    ("10.0.0.1", "1.1.1.1/32, 10.0.0.0/24"), ("10.0.0.1", "10.0.0.1"), ("10.0.0.1", "10.0.0.0/33"), ("10.0.0.1", "10.0.0.0/0"),
    ("2001:db8::1", "2001:db8::/32"), ("2001:db8::1", "[2001:db8::]/32"), ("[2001:db8::1]", "2001:db8::/32"),
    ("2001:db8::1", "10.0.0.0/8"), ("bad", "10.0.0.0/8"), ("10.0.0.1", "bad"), ("10.0.0.1", "bad,10.0.0.0/8"), ("10.0.0.1", ""),
    ("10.0.0.1", "10.0.0.0/8;11.0.0.0/8"), ("2001:db8::1", "2001:db8::/129")):
    note(address, subnets, I.is_in_subnet(address, subnets), I.ip_is_in_subnet(address, subnets))
""",
)
register(
    "answers_about_an_address",
    """
note(I.dns_query("127.0.0.1", "x"))
pv(*("$dns(x=>%s)" % field for field in ("count", "ipv4", "ipv6", "addr", "addr[0]", "type[0]", "type", "addr[1]", "addr[-1]", "zz")))
pv("$dns(y=>count)", "$dns(x)")
""",
)
register(
    "names_that_nobody_knows",
    """
note(I.dns_query("nobody.invalid", "z"))
pv("$dns(z=>count)", "$dns(z=>addr)")
note(I.dns_sys_match_ip("nobody.invalid", "1.1.1.1"), I.dns_int_match_ip("nobody.invalid", "1.1.1.1"))
note(I.dns_sys_match_ip("localhost", "127.0.0.1"), I.dns_sys_match_ip("localhost", "127.0.0.2"), I.dns_sys_match_ip("localhost", "bad"))
note(I.dns_int_match_ip("127.0.0.1", "127.0.0.1"), I.dns_int_match_ip("127.0.0.1", "127.0.0.2"))
note(I.dns_set_local_ttl(5), I.dns_set_local_ttl(0))
pv("$srvquery(q=>count)", "$srvquery(q=>port[0])", "$naptrquery(q=>count)", "$naptrquery(q=>order)")
""",
)
