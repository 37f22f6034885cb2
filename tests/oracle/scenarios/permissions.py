"""Look-ups in tables: addresses and peers, aliases, domains, groups, users' URIs, short numbers, SQL of scripts."""

from __future__ import annotations

from oracle.databases import REALM, USERS
from oracle.scenario import Peer, scenario
from support.digest import challenge_of, credentials

HOME = "sip:oracle.test"
TAG = """
def tag():
    value = KSR.pv.get("$avp(tag)")
    KSR.pv.unset("$avp(tag)")
    return value
"""


def answering(body: str, more: str = "") -> str:
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f'{more}\ndef ksr_request_route(self, msg):\n{lines}    note(KSR.sl.send_reply(200, "OK"))\n'


async def asked(peer: Peer, uri: str = HOME, caller: str = "") -> None:
    peer.request("OPTIONS", uri, *((("From", f"<{caller}>;tag={peer.name}"),) if caller else ()))
    await peer.expect(200)


@scenario(
    answering(
        """
for group in range(0, 8):
    note("allow_source_address", group, KSR.permissions.allow_source_address(group), tag())
note("allow_source_address_group", KSR.permissions.allow_source_address_group(), tag())
""",
        TAG,
    ),
    profile="tables",
)
async def the_group_of_the_source(alice: Peer) -> None:
    await asked(alice)


@scenario(
    answering(
        """
hosts = "127.0.0.1 10.1.2.3 10.2.0.1 11.0.0.1 192.0.2.1 gw.example.com other.example.com 2001:db8::1 [2001:db8::1] junk"
for host in hosts.split():
    for port in (0, 5060, 5070):
        found = [KSR.permissions.allow_address(group, host, port) for group in range(1, 7)]
        note("allow_address", host, port, found, tag())
        note("allow_address_group", KSR.permissions.allow_address_group(host, port), tag())
""",
        TAG,
    ),
    profile="tables",
)
async def groups_of_addresses(alice: Peer) -> None:
    await asked(alice)


@scenario(answering('note("allow_trusted", KSR.permissions.allow_trusted(), tag())', TAG), profile="tables")
async def trusted_peers(alice: Peer) -> None:
    """By From and request-URI, the highest priority first."""
    for caller in ("sip:alice@h", "sip:bob@h", "sip:carol@h"):
        for uri in ("sip:oracle.test", "sip:y@oracle.test"):
            await asked(alice, uri, caller)


@scenario(
    answering(
        """
for group in range(1, 5):
    found = [KSR.permissions.allow_address(group, host, port) for host in HOSTS for port in (0, 5060)]
    note("allow_address", group, found, tag())
""",
        TAG + '\nHOSTS = ("127.0.0.1", "10.1.2.3", "10.2.3.4", "gw.example.com", "2001:db8::1")\n',
    ),
    profile="address_file",
)
async def addresses_of_a_file(alice: Peer) -> None:
    await asked(alice)


@scenario(
    answering(
        """
note("lookup", KSR.alias_db.lookup("dbaliases"), KSR.pv.get("$ru"))
""",
    ),
    profile="tables",
)
async def aliases_of_users(alice: Peer) -> None:
    for uri in ("sip:sales@oracle.test", "sip:sales@elsewhere.test", "sip:nobody@oracle.test", "sip:oracle.test"):
        await asked(alice, uri)


@scenario(
    answering(
        """
for flags in ("", "d", "u", "r"):
    KSR.pv.sets("$ru", KSR.pv.get("$ou"))
    note("lookup_ex", flags, KSR.alias_db.lookup_ex("dbaliases", flags), KSR.pv.get("$ru"))
note("no table", KSR.alias_db.lookup("nowhere"))
""",
    ),
    profile="tables",
)
async def aliases_by_flags(alice: Peer) -> None:
    for uri in ("sip:sales@oracle.test", "sip:sales@elsewhere.test", "sip:bob@oracle.test;x=y"):
        await asked(alice, uri)


@scenario(
    answering(
        """
for domain in ("home.test", "HOME.test", "plain.test", "nowhere.test"):
    note("is_domain_local", domain, KSR.domain.is_domain_local(domain))
    note("lookup_domain", KSR.domain.lookup_domain(domain), KSR.pv.get("$avp(quota)"), KSR.pv.get("$avp(greeting)"))
    note("prefix", KSR.domain.lookup_domain_prefix(domain, "p_"), KSR.pv.get("$avp(p_quota)"))
note("message", KSR.domain.is_from_local(), KSR.domain.is_uri_host_local())
""",
    ),
    profile="tables",
)
async def domains(alice: Peer) -> None:
    await asked(alice, "sip:home.test", "sip:x@plain.test")
    await asked(alice, "sip:x@nowhere.test", "sip:x@nowhere.test")


@scenario(
    answering(
        """
for uri in ("sip:alice@oracle.test", "sip:alice@elsewhere.test", "sip:bob@oracle.test", "nobody"):
    note("is_user_in", uri, KSR.group.is_user_in(uri, "vip"), KSR.group.is_user_in(uri, "none"))
""",
    ),
    profile="tables",
)
async def groups_of_users(alice: Peer) -> None:
    await asked(alice)


@scenario(
    """
def ksr_request_route(self, msg):
    note("exists", KSR.uri_db.does_uri_exist())
    note("before", KSR.uri_db.check_from(), KSR.uri_db.check_to())
    if KSR.auth_db.auth_check("oracle.test", "subscriber", 0) < 0:
        KSR.auth.auth_challenge("oracle.test", 0)
        return
    note("after", KSR.uri_db.check_from(), KSR.uri_db.check_to())
    for uri in ("sip:alice@oracle.test", "sip:alice@elsewhere.test", "sip:bob@oracle.test", "nobody"):
        note("check_uri", uri, KSR.uri_db.check_uri(uri))
        for user, realm in (("alice", "oracle.test"), ("bob", "oracle.test"), ("alice", "elsewhere.test")):
            note("check_uri_realm", user, realm, KSR.uri_db.check_uri_realm(uri, user, realm))
    KSR.sl.send_reply(200, "OK")
""",
    profile="tables",
)
async def uris_that_users_may_use(alice: Peer) -> None:
    to = "sip:bob@oracle.test"
    alice.request("OPTIONS", to)
    challenge = challenge_of(await alice.expect(407))
    value = credentials(challenge, "OPTIONS", to, "alice", USERS["alice"])
    alice.request("OPTIONS", to, ("Proxy-Authorization", value), ("From", f"<sip:alice@{REALM}>;tag=alice"))
    await alice.expect(200)


@scenario(
    answering(
        """
note("lookup", KSR.speeddial.lookup("speed_dial"), KSR.pv.get("$ru"))
KSR.pv.sets("$ru", KSR.pv.get("$ou"))
note("lookup_owner", KSR.speeddial.lookup_owner("speed_dial", "sip:bob@oracle.test"), KSR.pv.get("$ru"))
KSR.pv.sets("$ru", KSR.pv.get("$ou"))
note("no table", KSR.speeddial.lookup("nowhere"), KSR.pv.get("$ru"))
""",
    ),
    profile="tables",
)
async def short_numbers(alice: Peer) -> None:
    for uri in ("sip:22@oracle.test", "sip:23@oracle.test", "sip:oracle.test"):
        await asked(alice, uri)


@scenario(
    answering(
        """
sql = KSR.sqlops
note("query", sql.sql_query("ca", "select username, id, domain from subscriber order by id", "r"))
note("size", sql.sql_num_rows("r"), sql.sql_num_columns("r"))
pv("$dbr(r=>rows)", "$dbr(r=>cols)", "$dbr(r=>[0,0])", "$dbr(r=>[1,1])", "$dbr(r=>colname[1])", "$dbr(r=>[9,9])")
for row, column in ((0, 0), (1, 1), (0, 9), (9, 0)):
    values = [function("r", row, column) for function in (sql.sql_result_get, sql.sql_result_gete, sql.sql_result_getz)]
    note("value", row, column, values)
note("is_null", sql.sql_is_null("r", 0, 0), sql.sql_is_null("r", 9, 0))
note("free", sql.sql_result_free("r"), sql.sql_num_rows("r"), sql.sql_result_free("none"))
note("null", sql.sql_query("ca", "select tag from address where grp = 5", "n"), sql.sql_is_null("n", 0, 0))
note(sql.sql_result_get("n", 0, 0), sql.sql_result_gete("n", 0, 0), sql.sql_result_getz("n", 0, 0))
note("none", sql.sql_query("ca", "select * from grp where id = 0", "e"), sql.sql_num_rows("e"), sql.sql_num_columns("e"))
note("errors", sql.sql_query("ca", "garbage", "x"), sql.sql_query("zz", "select 1", "x"))
note("update", sql.sql_query("ca", "update grp set grp = grp", "u"), sql.sql_query("ca", "select 1", ""))
""",
    ),
    profile="tables",
)
async def results_of_queries(alice: Peer) -> None:
    await asked(alice)


@scenario(
    answering(
        """
sql = KSR.sqlops
rows = "select username, id from subscriber order by id"
note("pvquery", sql.sql_pvquery("ca", rows, "$var(a);$avp(b)"))
pv("$var(a)", "$avp(b)", "$(avp(b)[1])")
note("none", sql.sql_pvquery("ca", "select username, id from subscriber where id = 0", "$var(a);$avp(b)"))
note("errors", sql.sql_pvquery("ca", "garbage", "$var(a)"))
note("xquery", sql.sql_xquery("ca", rows, "x"))
pv("$xavp(x=>username)", "$xavp(x[0]=>id)", "$xavp(x[1]=>username)", "$xavp(x[1]=>id)")
note("none", sql.sql_xquery("ca", "select username from subscriber where id = 0", "y"))
pv("$xavp(y=>username)")
""",
    ),
    profile="tables",
)
async def rows_in_variables(alice: Peer) -> None:
    await asked(alice)


@scenario(
    """
def ksr_request_route(self, msg):
    for name in ("home.test", "HOME.test", "plain.test", "elsewhere.test", "sip:a@home.test", "sip:a@home.test:5099",
                 "sip:a@home.test;transport=tcp", "sip:a@elsewhere.test"):
        note("is_myself", name, KSR.is_myself(name))
    note("is_myself_furi", KSR.is_myself_furi())
    KSR.sl.send_reply(200, "OK")
""",
    profile="own_domains",
)
async def domains_that_are_names_of_the_server(alice: Peer) -> None:
    alice.request("OPTIONS", "sip:oracle.test", from_header="<sip:alice@home.test>;tag=alice")
    await alice.expect(200)
