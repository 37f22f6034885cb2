"""Blocking of senders and limits: which request is the first to be refused, and when it ends."""

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipwright import _engine
from sipwright.control.rpc import RpcError
from sipwright.host import Host
from sipwright.kemi import pike, pipelimit, ratelimit
from sipwright.modules.limits import Pid, Pipe, Pipes
from sipwright.modules.load import CpuLoad, waiting_bytes
from sipwright.modules.pike import AddressTree
from sipwright.settings import Settings
from sipwright.settings.pike import PikeSettings, PipelimitSettings, RatelimitSettings


def runs(results: list[int]) -> list[tuple[int, int]]:
    return [(value, len(list(group))) for value, group in itertools.groupby(results)]


def hits(tree: AddressTree, address: str, count: int, now: float = 0.0) -> list[tuple[int, int]]:
    return runs([tree.hit(bytes(int(part) for part in address.split(".")), now) for _ in range(count)])


# Pike: the figures are those of Kamailio with a limit of 8.


def test_how_many_requests_block_an_address() -> None:
    tree = AddressTree(8, 120, 1000)
    assert hits(tree, "10.0.0.1", 60) == [(1, 11), (-2, 1), (-1, 48)]
    assert hits(tree, "10.0.0.2", 40) == [(1, 8), (-2, 1), (-1, 31)]
    assert hits(tree, "10.0.1.2", 40) == [(1, 9), (-2, 1), (-1, 30)]
    assert hits(tree, "11.0.1.2", 60) == [(1, 11), (-2, 1), (-1, 48)]
    assert tree.blocked == 49 + 32 + 31 + 49


def test_an_address_is_free_after_an_interval_below_the_limit() -> None:
    tree = AddressTree(8, 120, 1000)
    hits(tree, "10.0.0.1", 60)
    assert tree.turn() == []
    assert hits(tree, "10.0.0.1", 2) == [(-1, 2)]
    assert hits(tree, "10.0.0.3", 20) == [(1, 8), (-2, 1), (-1, 11)]
    assert tree.turn() == ["10.0.0.1"]
    assert hits(tree, "10.0.0.1", 20) == [(1, 7), (-2, 1), (-1, 12)]


def test_addresses_are_forgotten_and_bounded() -> None:
    tree = AddressTree(8, 120, 1000)
    hits(tree, "10.0.0.1", 10, now=0.0)
    hits(tree, "10.9.0.1", 10, now=100.0)
    tree.sweep(150.0)
    assert [leaf.address for leaf in tree.leaves(150.0)] == ["10.9.0.1"]
    tree.sweep(300.0)
    assert len(tree) == 0
    small = AddressTree(8, 120, 3)
    assert hits(small, "10.0.0.1", 50) == [(1, 50)]
    assert len(small) == 3


def test_ipv6_has_a_longer_way() -> None:
    tree = AddressTree(8, 120, 1000)
    address = bytes.fromhex("20010db8" + "0" * 23 + "1")
    assert runs([tree.hit(address, 0.0) for _ in range(30)]) == [(1, 23), (-2, 1), (-1, 6)]


def test_pike_functions_and_its_table() -> None:
    pike.configure(Host(Settings(pike=PikeSettings(reqs_density_per_unit=8))))
    try:
        assert runs([pike.pike_check_ip("192.0.2.1") for _ in range(13)]) == [(1, 11), (-2, 1), (-1, 1)]
        assert pike.pike_check_ip("nonsense") == -1
        shown = pike.top()
        assert (shown["max_hits"], shown["number_of_rows"]) == (8, 1)
        assert shown["list"][0]["ip_addr"] == "192.0.2.1"
        assert shown["list"][0]["status"] == "HOT"
        _engine.begin_fake()
        assert pike.pike_check_req() == 1
        _engine.end_fake()
    finally:
        pike.configure(Host(Settings()))


# Pipes


def test_taildrop_counts_to_the_limit_in_each_interval() -> None:
    pipe, pid = Pipe("TAILDROP", 3), Pid()
    assert [pipe.check(pid, 0) for _ in range(5)] == [1, 1, 1, -1, -1]
    pipe.turn()
    assert (pipe.last_counter, pipe.check(pid, 0)) == (5, 1)


def test_red_spreads_what_passes() -> None:
    pipe, pid = Pipe("RED", 3), Pid()
    assert [pipe.check(pid, 0) for _ in range(9)] == [1] * 9
    pipe.turn()
    assert [pipe.check(pid, 0) for _ in range(6)] == [-1, -1, 1, -1, -1, 1]


def test_network_feedback_and_none() -> None:
    pid = Pid()
    assert [Pipe("NETWORK", 100).check(pid, waiting) for waiting in (100, 101)] == [1, -1]
    assert Pipe("NOP", 0).check(pid, 0) == 2
    pid.setpoint = 0.5
    pid.take(0.9)
    assert 0 < pid.drop_rate < 100
    pipe = Pipe("FEEDBACK", 50)
    refused = [pipe.check(pid, 0) for _ in range(100)].count(-1)
    assert refused == int(pid.drop_rate)
    for _ in range(50):
        pid.take(0.0)
    assert pid.drop_rate == 0


def test_pipes_are_made_bounded_and_cleaned() -> None:
    pipes = Pipes(1)
    assert pipes.check("a") is None
    assert pipes.make("a", "TAILDROP", 1)
    assert not pipes.make("b", "TAILDROP", 1)
    assert pipes.make("a", "RED", 5)
    assert (pipes.by_name["a"].algorithm, pipes.by_name["a"].limit) == ("TAILDROP", 5)
    for _ in range(2):
        pipes.turn(2)
    assert pipes.by_name == {}


def test_the_machine_is_measured() -> None:
    cpu = CpuLoad()
    assert cpu.read() == 0.0
    assert 0.0 <= cpu.read() <= 1.0
    assert waiting_bytes() >= 0


@pytest.fixture
def message() -> Iterator[None]:
    _engine.begin_fake()
    yield
    _engine.end_fake()


@pytest.mark.usefixtures("message")
def test_pipelimit_functions() -> None:
    """Kamailio's results."""
    host = Host(Settings(pipelimit=PipelimitSettings(max_pipes=3)))
    pipelimit.configure(host)
    try:
        assert (pipelimit.pl_active("a"), pipelimit.pl_check("a")) == (-1, -2)
        assert [pipelimit.pl_check_limit("a", "TAILDROP", 3) for _ in range(5)] == [1, 1, 1, -1, -1]
        assert (pipelimit.pl_active("a"), pipelimit.pl_check("a")) == (1, -1)
        assert pipelimit.pl_check_limit("c", "XX", 3) == -2
        assert pipelimit.pl_check_limit("d", "TAILDROP", 0) == -1
        assert pipelimit.pl_check_limit("n", "NOP", 9) == 2
        assert pipelimit.pl_check_limit("one too many", "TAILDROP", 0) == 1
        assert pipelimit.show("a")[0]["counter"] == 6
        assert pipelimit.set_pipe("a", "red", 7) == {}
        assert "PIPE: id=a algorithm=RED limit=7 counter=6" in pipelimit.get_pipes()
        assert pipelimit.stats()[0] == "PIPE: id=a load=0 counter=0"
        for name, algorithm in (("zz", "RED"), ("a", "X")):
            with pytest.raises(RpcError):
                pipelimit.set_pipe(name, algorithm, 1)
        with pytest.raises(RpcError):
            pipelimit.push_load(2)
    finally:
        pipelimit.configure(Host(Settings()))


def test_pipes_from_a_table(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "k.db") as made:
        made.execute('create table pl_pipes (pipeid text, algorithm text, "limit" int)')
        made.execute("insert into pl_pipes values ('calls', 'taildrop', 2)")
    settings = PipelimitSettings(db_url=f"sqlite://{tmp_path / 'k.db'}")
    host = Host(Settings(pipelimit=settings, data_dir=tmp_path))
    try:
        pipelimit.configure(host)
        assert [pipelimit.pl_check("calls") for _ in range(3)] == [1, 1, -1]
    finally:
        host.close()
        pipelimit.configure(Host(Settings()))


@pytest.mark.usefixtures("message")
def test_ratelimit_functions() -> None:
    settings = RatelimitSettings(timer_interval_s=2, pipe=["0:TAILDROP:1", "1:NOP:0"], queue=["1:invite", "0:*"])
    ratelimit.configure(Host(Settings(ratelimit=settings)))
    try:
        assert [ratelimit.rl_check() for _ in range(4)] == [1, 1, -1, -1]
        assert ratelimit.rl_check_pipe(1) == 2
        assert ratelimit.rl_check_pipe(9) == -1
        assert ratelimit.get_queues() == ["QUEUE[0]: 1:INVITE", "QUEUE[1]: 0:*"]
        ratelimit.set_queue(1, "BYE", 1)
        assert ratelimit.rl_check() == -1
        ratelimit.set_pipe(4, "RED", 10)
        assert "PIPE[4]: RED 0/10 (drop rate: 0) [0]" in ratelimit.get_pipes()
    finally:
        ratelimit.configure(Host(Settings()))


@pytest.mark.parametrize("bad", [{"pipe": ["x"]}, {"pipe": ["0:XX:1"]}, {"queue": ["REGISTER"]}])
def test_pipes_and_queues_are_checked(bad: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match=r"is no (pipe|queue)"):
        RatelimitSettings.model_validate(bad)
