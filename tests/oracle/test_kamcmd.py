"""Debian's kamcmd sees the same in Kamailio and in Sipwright: names, order, nesting, kinds of values, texts and errors."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator

import pytest

from support.peers import UdpPeer, options, register
from support.process import wait_until
from support.servers import Kamailio, Listen, SipwrightByCfg
from support.tools import tool

SCRIPT = """
import KSR

class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.pv.get("$rm") == "REGISTER":
            KSR.registrar.save("location", 0)
        else:
            KSR.counters.inc("calls")
            KSR.sl.send_reply(200, "OK")
        return 1

def mod_init():
    return Handler()
"""
CONFIG = """
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
loadmodule "counters.so"
loadmodule "pike.so"
loadmodule "dispatcher.so"
loadmodule "dialog.so"
loadmodule "cfgutils.so"
loadmodule "debugger.so"
alias="oracle.test"
modparam("ctl", "binrpc", "unixs:{socket}")
modparam("dispatcher", "list_file", "{list}")
modparam("dispatcher", "reload_delta", 0)
modparam("htable", "htable", "t=>size=4")
modparam("counters", "script_counter", "calls calls so far")
modparam("counters", "script_counter", "other")
modparam("counters", "script_counter", "g.x:text y")
modparam("cfgutils", "hash_file", "{list}")
"""
DESTINATIONS = "1 sip:127.0.0.1:6004 0 5 weight=50;duid=a\n1 sip:127.0.0.1:6005 0 1\n"

# What is the same to the letter.
SAME = [
    "core.echo a b",
    "core.printi 5 -7 0",
    "core.prints x y",
    "core.udp4_raw_info",
    "core.aliases_list",
    "core.modules",
    "core.tcp_list",
    "corex.list_aliases",
    "htable.seti t k 5",
    "htable.sets t s text",
    "htable.dump t",
    "htable.get t k",
    "htable.get t nothing",
    "htable.listTables",
    "htable.stats",
    "htable.delete t k",
    "htable.setxi t k 5 60",
    "htable.setxs t s text 60",
    "htable.setxs t never text 0",
    "htable.dump t",
    "htable.get t never",
    "htable.setxi nothing k 5 60",
    "htable.setxs nothing s text 60",
    "htable.flush t",
    "htable.dump nothing",
    "dispatcher.list",
    "pv.shvSet n int 7",
    "pv.shvSet s str text",
    "pv.shvGet n",
    "pv.shvGet s",
    "pv.shvGet nothing",
    "dispatcher.hash 4 bob x",
    "dispatcher.ping_active",
    "dispatcher.set_state ip 1 sip:127.0.0.1:6004",
    "dispatcher.set_state zz 1 all",
    "dispatcher.list",
    "dispatcher.set_state d 1 sip:127.0.0.1:6004",
    "dispatcher.set_state ap 1 sip:127.0.0.1:6005",
    "dispatcher.list",
    "dispatcher.set_state dp 1 sip:127.0.0.1:6004",
    "dispatcher.set_state tp 1 sip:127.0.0.1:6005",
    "dispatcher.list",
    "dispatcher.set_state dix 1 sip:127.0.0.1:6004",
    "dispatcher.set_state px 1 sip:127.0.0.1:6005",
    "dispatcher.list",
    "dispatcher.reload",
    "dlg.list",
    "dlg.stats_active",
    "pike.top",
    "pike.list",
    "tm.list",
    "tm.clean",
    "tm.stats",
    "tm.cancel a s:1",
    "tm.reply_callid 486 Busy a s:1 tag . .",
    "tm.reply",
    "tm.reply Busy",
    "tm.reply 486",
    "tm.reply 486 Busy",
    "tm.reply 486 Busy 1:1",
    "tm.reply 486 Busy 1-1 tag",
    "tm.reply 486 Busy 1:1 tag",
    "tm.reply 486 Busy 1:1 tag .",
    "sl.stats",
    "ul.lookup location nobody",
    "ul.rm location nobody",
    "stats.get_statistics rcv_requests",
    "stats.get_statistics nothing",
    "stats.get_statistics",
    "stats.fetch rcv_requests_options core:rcv_requests_register",
    "stats.fetchn sl:",
    "stats.fetchn usrloc:",
    "stats.fetch nothing",
    "stats.clear_statistics rcv_requests",
    "stats.get_statistics rcv_requests",
    "cnt.get sl 200_replies",
    "cnt.get sl nothing",
    "cnt.get nothing nothing",
    "cnt.get script calls",
    "cnt.get_raw script calls",
    "cnt.get_raw script nothing",
    "cnt.grp_get_all usrloc",
    "cnt.grp_get_all script",
    "cnt.get_vars sl",
    "cnt.get_vars script",
    "cnt.get_vars nothing",
    "cnt.list_vars script",
    "cnt.var_list g",
    "cnt.var_list nothing",
    "cnt.help script calls",
    "cnt.help script other",
    "cnt.help g x",
    "cnt.help g nothing",
    "cnt.reset script calls",
    "cnt.reset script nothing",
    "cnt.get script calls",
    "cfgutils.rand_get_prob",
    "cfgutils.rand_set_prob 40",
    "cfgutils.rand_set_prob 400",
    "cfgutils.rand_get_prob",
    "cfgutils.rand_reset_prob",
    "cfgutils.rand_get_prob",
    "cfgutils.get_config_hash",
    "cfgutils.check_config_hash",
    "cfg.get core nothing",
    "cfg.set core nothing 5",
    "cfg.get core debug",
    "cfg.set core debug 1",
    "cfg.get core debug",
    "cfg.reset pike",
    "corex.debug",
    "corex.debug 0",
    "ctl.connections",
    "system.methodHelp nothing.such",
    "system.methodHelp",
    "system.methodSignature core.uptime",
    "nothing.such",
]
# What has the same names, order, nesting and kinds of values.
ALIKE = [
    "core.uptime",
    "core.runinfo",
    "core.version",
    "core.shmmem",
    "core.shmmem k",
    "core.sockets_list",
    "core.tcp_info",
    "core.tcp_options",
    "corex.list_sockets",
    "ctl.listen",
    "ctl.who",
    "shm.info",
    "shm.stats",
    "pkg.info",
    "ul.dump",
    "ul.dump brief",
    "ul.lookup location bob",
]
# What may have more rows than the other server has.
FIRST_ROW = ["core.psx", "core.psa", "pkg.stats"]


class Pair:
    """Both servers, after the same traffic."""

    def __init__(self, kamailio: Kamailio, sipwright: SipwrightByCfg) -> None:
        self.servers = {"kamailio": kamailio, "sipwright": sipwright}

    def ask(self, command: str) -> tuple[str, str]:
        return kamcmd(self.servers["kamailio"], command), kamcmd(self.servers["sipwright"], command)


def kamcmd(server: Kamailio, command: str) -> str:
    argv = [tool("kamcmd"), "-s", f"unixs:{server.directory / 'ctl'}", *command.split()]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    top = tmp_path_factory.mktemp("kamcmd")
    script = top / "route.py"
    script.write_text(SCRIPT)
    destinations = top / "dispatcher.list"
    destinations.write_text(DESTINATIONS)

    def made(kind: type[Kamailio], name: str) -> Kamailio:
        directory = top / name
        config = CONFIG.format(socket=directory / "ctl", list=destinations)
        listen = (Listen("udp"), Listen("tcp"))
        return kind(script, directory, listen, workers=1, extra_config=config, counted=True)

    kamailio, sipwright = made(Kamailio, "k"), made(SipwrightByCfg, "s")
    assert isinstance(sipwright, SipwrightByCfg)
    with kamailio, sipwright:
        for server in (kamailio, sipwright):
            wait_until(lambda: kamcmd(server, "core.printi 2") == "2\n", 20, "kamcmd is answered")  # noqa: B023
            asyncio.run(traffic(server))
            assert server.route_calls("REGISTER")
            assert server.route_calls("OPTIONS")
        yield Pair(kamailio, sipwright)


async def traffic(server: Kamailio) -> None:
    address = server.address("udp")
    async with UdpPeer.open() as peer:
        assert (await register(peer, address, "bob", "sip:bob@127.0.0.1:7777", "oracle.test")).status == 200
        for _ in range(3):
            assert (await peer.ask(options(peer, address), address)).status == 200


def shape(text: str) -> list[str]:
    """The lines, with what kind of value is there instead of the value."""
    return [_shape(line) for line in text.splitlines()]


def _shape(line: str) -> str:
    found = re.fullmatch(r"(\t*)(?:([^:\s][^:]*): )?(.*)", line)
    assert found is not None
    tabs, name, value = found.groups(default="")
    shown = value if value in ("{", "}", "") else kind(value)
    return f"{tabs}{name}: {shown}" if name else f"{tabs}{shown}"


def kind(value: str) -> str:
    return "<number>" if re.fullmatch(r"-?\d+", value) else "<text>"


def test_shapes() -> None:
    assert shape("{\n\ta: 5\n\tb: {\n\t\tc: x y: z\n\t}\n}\n7\n") == [
        *("{", "\ta: <number>", "\tb: {", "\t\tc: <text>", "\t}", "}", "<number>")
    ]


def test_the_same(pair: Pair) -> None:
    different = {}
    for command in SAME:
        theirs, ours = pair.ask(command)
        # Some of Kamailio's texts end with an empty line.
        if theirs.rstrip("\n") != ours.rstrip("\n"):
            different[command] = (theirs, ours)
    shown = "\n".join(f"{command}\n{theirs}\n{ours}" for command, (theirs, ours) in different.items())
    assert different == {}, shown


@pytest.mark.parametrize("command", ALIKE)
def test_alike(pair: Pair, command: str) -> None:
    theirs, ours = pair.ask(command)
    assert shape(ours) == shape(theirs)


@pytest.mark.parametrize("command", FIRST_ROW)
def test_rows(pair: Pair, command: str) -> None:
    theirs, ours = (shape(text.partition("\n}\n")[0]) for text in pair.ask(command))
    assert ours == theirs


def test_more_is_told(pair: Pair) -> None:
    """core.info has Kamailio's members first."""
    theirs, ours = map(shape, pair.ask("core.info"))
    assert ours[: len(theirs) - 1] == theirs[:-1]
    missing = set(kamcmd_names(pair, 0)) - set(kamcmd_names(pair, 1))
    assert missing == MISSING


# Methods that Kamailio has with these modules and Sipwright has not; docs/reference/rpc.md says why.
_MISSING = """
    cfg.add_group_inst cfg.commit cfg.del cfg.del_delayed cfg.del_group_inst cfg.diff cfg.rollback
    cfg.set_delayed cfg.set_delayed_int cfg.set_delayed_string cfgutils.get_gflags cfgutils.is_gflag cfgutils.reset_gflag
    cfgutils.set_gflag core.ppdefines core.ppdefines_full corex.pkg_summary corex.shm_status corex.shm_summary
    dbg.bp dbg.get_mod_facility dbg.get_mod_level dbg.ls dbg.reset_msgid dbg.set_mod_facility dbg.set_mod_level dbg.trace
    dns.add_a dns.add_aaaa dns.add_srv dns.debug dns.debug_all dns.delete_a dns.delete_aaaa dns.delete_all_force
    dns.delete_cname dns.delete_ebl dns.delete_naptr dns.delete_ptr dns.delete_srv dns.delete_txt dns.mem_info
    dst_blocklist.add dst_blocklist.debug dst_blocklist.delete_all dst_blocklist.mem_info dst_blocklist.view
    mod.mem_stats mod.mem_statsx mod.stats shm.report tm.hash_stats
"""
MISSING = set(_MISSING.split())


def test_the_log_level_is_reset(pair: Pair) -> None:
    """Kamailio does reset it, and calls it a failure all the same."""
    assert pair.ask("cfg.reset core")[1] == ""
    before = pair.ask("cfg.get core debug")
    pair.ask("cfg.set core debug 3")
    assert pair.ask("cfg.get core debug") == ("3\n", "3\n")
    assert pair.ask("cfg.reset core") == ("error: 500 - Reset failed\n", "")
    assert pair.ask("cfg.get core debug") == before == ("0\n", "0\n")


def kamcmd_names(pair: Pair, index: int) -> list[str]:
    return pair.ask("system.listMethods")[index].split()
