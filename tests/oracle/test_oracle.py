"""Kamailio and Sipwright send the same, scenario by scenario."""

from __future__ import annotations

import importlib
import traceback
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from oracle import differences, reference
from oracle.pair import run_all
from oracle.scenario import MISSED, SCENARIOS, Event, Net, Peer
from oracle.transcript import REMARKS, Transcript, side_by_side, transcript
from oracle.transcript import differences as diff

for module in sorted(Path(__file__).parent.glob("scenarios/[a-z]*.py")):
    importlib.import_module(f"oracle.scenarios.{module.stem}")

KINDS = ("kamailio", "sipwright")
Pair = tuple[Transcript, Transcript]


class Unsteady(UserWarning):
    """A scenario differed between the servers once and not when played again: named at the end of the run."""


@pytest.fixture(scope="session")
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Pair]:
    """The transcripts of a scenario from both servers; all chosen ones of its profile run at once, when first asked."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    chosen = {item.callspec.params.get("name") for item in items if hasattr(item, "callspec")}

    @cache
    def runs(profile: str) -> list[dict[str, Transcript]] | str:
        wanted = [one for one in SCENARIOS.values() if one.name in chosen and one.profile == profile]
        directory = tmp_path_factory.mktemp(f"oracle-{profile}")
        try:
            return [run_all(kind, profile, wanted, directory / kind) for kind in KINDS]
        except (RuntimeError, TimeoutError, AssertionError) as error:
            return "".join(traceback.format_exception(error))

    def transcripts(name: str) -> Pair:
        done = runs(SCENARIOS[name].profile)
        if isinstance(done, str):
            pytest.fail(done, pytrace=False)
        kamailio, sipwright = done
        return kamailio[name], sipwright[name]

    return transcripts


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("default::oracle.test_oracle.Unsteady")
@pytest.mark.parametrize("name", [pytest.param(one.name, id=f"{one.group}-{one.name}") for one in SCENARIOS.values()])
def test_same(name: str, pair: Callable[[str], Pair], tmp_path: Path) -> None:
    """Both servers run in real time beside many other scenarios. A difference counts when it shows up again in the
    scenario played alone; one that does not is a matter of time, in either server, and is told as a warning."""
    found = faults(name, *pair(name))
    if not found:
        return
    scenario = SCENARIOS[name]
    kamailio, sipwright = (run_all(kind, scenario.profile, [scenario], tmp_path / kind)[name] for kind in KINDS)
    if again := faults(name, kamailio, sipwright):
        pytest.fail("\n\n".join([name, side_by_side(kamailio, sipwright), *again]), pytrace=False)
    warnings.warn(Unsteady("\n\n".join([name, *found])), stacklevel=1)


def faults(name: str, kamailio: Transcript, sipwright: Transcript) -> list[str]:
    """What is wrong with the two transcripts, as texts: routes that did not run, exceptions, differences not listed."""
    scenario, found = SCENARIOS[name], []
    for kind, run in zip(KINDS, (kamailio, sipwright), strict=True):
        if run.routes() != scenario.routes:
            found.append(f"routes that ran in {kind}: {run.routes()}, not {scenario.routes}")
        if run.raised() != scenario.raises:
            found.append(f"exceptions in {kind}: {run.raised()}, not {scenario.raises}")
    if any(remark.startswith(MISSED) for remark in kamailio.sections[REMARKS]):
        found.append("the scenario waits for what Kamailio does not send")
    listed = differences.listed_for(name)
    found += compared(kamailio, sipwright, listed)
    for one in listed:
        others = tuple(other for other in listed if other is not one)
        if not compared(kamailio, sipwright, others):
            found.append(f"{one.title!r} no longer occurs in {name}: take it off the list")
    return found


def compared(kamailio: Transcript, sipwright: Transcript, listed: tuple[differences.Difference, ...]) -> list[str]:
    return diff(
        differences.applied(differences.KAMAILIO, kamailio, listed),
        differences.applied(differences.SIPWRIGHT, sipwright, listed),
    )


def test_differences_name_scenarios() -> None:
    named = {name for one in differences.DIFFERENCES for name in one.scenarios}
    assert named <= set(SCENARIOS), named - set(SCENARIOS)


def test_the_page_of_differences_is_current() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run in tests/: python -m oracle.reference"


# The comparison itself must see what differs.

SENT = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=%s\r\nTo: <sip:b@h>;tag=%s\r\nContent-Length: %d\r\n\r\n"
)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"port": 6002}, True),
        ({"branch": b"z9hG4bKzz"}, True),
        ({"tag": b"other"}, True),
        ({"tag": b"alice"}, False),
        ({"branch": b"z9hG4bK-alice-1"}, False),
        ({"length": 7}, False),
        ({"code": b"202 OK"}, False),
        ({"copies": 2}, False),
        ({"copies": 0}, False),
        ({"notes": ("ksr_request_route: INVITE", "  t_relay -1")}, False),
    ],
)
def test_the_comparison(change: dict[str, Any], same: bool) -> None:
    def one(
        port: int = 6001,
        branch: bytes = b"z9hG4bKxy",
        tag: bytes = b"abc",
        length: int = 0,
        code: bytes = b"200 OK",
        copies: int = 1,
        notes: tuple[str, ...] = ("ksr_request_route: INVITE", "  t_relay 1"),
    ) -> Transcript:
        net = Net(SCENARIOS["stateless_reply"], ("127.0.0.1", 5060), ("127.0.0.1", 5061))
        net.peers["alice"] = Peer("alice", net)
        net.peers["alice"].address = ("127.0.0.1", port)
        data = (SENT % (port, branch, tag, length)).replace(b"200 OK", code)
        net.events += [Event(0.0, "alice", True, data)] * copies
        return transcript(net, notes)

    assert (diff(one(), one(**change)) == []) is same


def test_a_tag_that_changes_is_seen() -> None:
    """Names are given by first use: two responses with one tag are not two with two tags."""

    def one(*tags: bytes) -> Transcript:
        net = Net(SCENARIOS["stateless_reply"], ("127.0.0.1", 5060), ("127.0.0.1", 5061))
        net.peers["alice"] = Peer("alice", net)
        net.events += [Event(0.0, "alice", True, SENT % (1, b"z9hG4bK1", tag, 0)) for tag in tags]
        return transcript(net, [])

    assert diff(one(b"x", b"x"), one(b"y", b"y")) == []
    assert diff(one(b"x", b"x"), one(b"x", b"y")) != []
