"""The pytest plugin of the test kit: where its servers come from, and what it reports."""

from __future__ import annotations

import subprocess
import sys

import pytest

# pytester forgets what is first imported inside, and an extension cannot be imported twice.
import sipwright.testing.coverage
import sipwright.testing.server  # noqa: F401

ROUTE = """
import KSR

def mod_init():
    return Handler()

class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.tm.t_on_failure("never")
        KSR.sl.send_reply(%d, "OK")
        return 1

    def never(self, msg):
        return 1
"""
PLUGIN = ("-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "sipwright.testing.plugin")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    for code in (200, 480, 486, 503):
        (pytester.path / f"route{code}.py").write_text(ROUTE % code)
    (pytester.path / "pytest.ini").write_text("[pytest]\nsip_script = route200.py\nsip_domain = example.org\n")
    return pytester


def test_the_closest_says_what_to_start(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_ini="""
        def test_ini(sip):
            call = sip.phone("alice").request("OPTIONS", "bob")
            call.expect(200)
            assert call.request.uri == "sip:bob@example.org"
        """,
        test_options="""
        import pathlib, pytest

        @pytest.fixture
        def sip_options():
            return {"script": pathlib.Path(__file__).parent / "route480.py"}

        def test_options(sip):
            sip.phone("alice").request("OPTIONS", "bob").expect(480)

        @pytest.mark.sip(script="route486.py")
        def test_marker(sip):
            sip.phone("alice").request("OPTIONS", "bob").expect(486)

        def test_factory(sip_server):
            sip = sip_server(pathlib.Path(__file__).parent / "route503.py")
            sip.phone("alice").request("OPTIONS", "bob").expect(503)
        """,
    )
    project.runpytest_inprocess(*PLUGIN, "--strict-markers").assert_outcomes(passed=4)


def test_a_failed_assertion_has_the_ladder_too(project: pytest.Pytester) -> None:
    project.makepyfile(
        'def test_it(sip):\n    sip.phone("alice").request("OPTIONS", "bob")\n    assert sip.routes == []\n'
    )
    result = project.runpytest_inprocess(*PLUGIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*-- SIP --*", "*-OPTIONS sip:bob@example.org*", "routes: ksr_request_route"])


def test_routes_that_ran(project: pytest.Pytester) -> None:
    project.makepyfile('def test_it(sip):\n    sip.phone("alice").request("OPTIONS", "bob").expect(200)\n')
    result = project.runpytest_inprocess(*PLUGIN, "--sip-routes")
    assert result.ret == 0
    lines = [
        "*SIP routes*",
        "*route200.py: 1 of 2 routes ran",
        "*ksr_request_route*route200.py:11* 1",
        "*never*:16*never",
    ]
    result.stdout.fnmatch_lines(lines)
    failed = project.runpytest_inprocess(*PLUGIN, "--sip-routes-fail-under=60")
    assert failed.ret == 1
    failed.stdout.fnmatch_lines("50.0 % of the routes ran, 60 % are wanted")
    assert project.runpytest_inprocess(*PLUGIN, "--sip-routes-fail-under=50").ret == 0


def test_it_costs_nothing_where_it_is_not_used() -> None:
    """The plugin is imported in every pytest run on a machine that has Sipwright."""
    code = (
        "import sys, pytest; before = set(sys.modules); import sipwright.testing.plugin; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.strip() == "['sipwright', 'sipwright.testing', 'sipwright.testing.plugin']"
