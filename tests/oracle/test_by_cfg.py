"""The server started by the very kamailio.cfg that Kamailio gets sends what Kamailio sends."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from oracle import differences
from oracle.pair import BY_CFG, run_all
from oracle.scenario import MISSED, SCENARIOS
from oracle.transcript import REMARKS, Transcript, side_by_side
from oracle.transcript import differences as diff

for module in sorted(Path(__file__).parent.glob("scenarios/[a-z]*.py")):
    importlib.import_module(f"oracle.scenarios.{module.stem}")

# Of each profile all in these groups: calls, failures and registrations, and modules whose settings are all modparams.
GROUPS = (
    "basic",
    "routes",
    "replies",
    "failure",
    "transports",
    "nat",
    "nathelper",
    "path",
    "registrar",
    "headers",
    "dispatcher",
    "pike",
)
CHOSEN = [one for one in SCENARIOS.values() if one.group in GROUPS]
Runs = Callable[[str], list[dict[str, Transcript]]]


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """What Kamailio and Sipwright send in the chosen scenarios of a profile."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    names = {item.callspec.params.get("cfg_scenario") for item in items if hasattr(item, "callspec")}

    @cache
    def done(profile: str) -> list[dict[str, Transcript]] | str:
        wanted = [one for one in CHOSEN if one.profile == profile and one.name in names]
        directory = tmp_path_factory.mktemp(f"cfg-{profile}")
        try:
            return [run_all(kind, profile, wanted, directory / kind) for kind in ("kamailio", BY_CFG)]
        except (RuntimeError, TimeoutError, AssertionError) as error:
            return "".join(traceback.format_exception(error))

    def get(profile: str) -> list[dict[str, Transcript]]:
        found = done(profile)
        if isinstance(found, str):
            pytest.fail(found, pytrace=False)
        return found

    return get


@pytest.mark.timeout(120)
@pytest.mark.parametrize("cfg_scenario", [pytest.param(one.name, id=f"{one.group}-{one.name}") for one in CHOSEN])
def test_same(cfg_scenario: str, runs: Runs) -> None:
    scenario = SCENARIOS[cfg_scenario]
    kamailio, sipwright = (run[cfg_scenario] for run in runs(scenario.profile))
    shown = side_by_side(kamailio, sipwright)
    assert sipwright.routes() == kamailio.routes() == scenario.routes, shown
    assert not [remark for remark in kamailio.sections[REMARKS] if remark.startswith(MISSED)], shown
    listed = differences.listed_for(cfg_scenario)
    found = diff(
        differences.applied(differences.KAMAILIO, kamailio, listed),
        differences.applied(differences.SIPWRIGHT, sipwright, listed),
    )
    if found:
        pytest.fail("\n\n".join([cfg_scenario, shown, *found]), pytrace=False)
