"""What `sipwright check --strict` says of functions that do nothing in a route is what they do there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sipwright.script.strict import (
    BRANCH,
    BRANCH_FAILURE,
    FAILURE,
    ON_REPLY,
    ONSEND,
    REPLY,
    REQUEST,
    WITHOUT_EFFECT,
)
from sipwright.testing import VirtualServer

SCRIPT = """
import KSR

wanted = None
results = []

def mod_init():
    return Handler()

def probe(kind):
    if wanted and kind == wanted[0]:
        function = KSR
        for part in wanted[1].split("."):
            function = getattr(function, part)
        results.append(function(*wanted[2]))

class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_ACK():
            return 1
        probe("request")
        KSR.tm.t_on_failure("failed")
        KSR.tm.t_on_branch("branch")
        KSR.tm.t_on_branch_failure("branch_failed")
        KSR.tm.t_on_reply("answered")
        KSR.seturi("sip:x@192.0.2.9")
        if wanted[0] != "request":
            KSR.tm.t_relay()
        return 1

    def ksr_reply_route(self, msg):
        probe("reply")

    def ksr_onsend_route(self, msg):
        probe("onsend")

    def failed(self, msg):
        probe("failure")

    def branch(self, msg):
        probe("branch")

    def branch_failed(self, msg, event=None):
        probe("branch failure")

    def answered(self, msg):
        probe("t_on_reply")
"""
ARGUMENTS = {
    **dict.fromkeys(("sl.send_reply", "sl.sl_send_reply", "tm.t_reply"), (404, "Not Found")),
    "tm.t_replicate": ("sip:x@192.0.2.44",),
    "registrar.lookup": ("location",),
    "auth.auth_challenge": ("example.com", 0),
}
KINDS = (REQUEST, REPLY, ON_REPLY, FAILURE, BRANCH, BRANCH_FAILURE, ONSEND)


@pytest.mark.parametrize("name", sorted(WITHOUT_EFFECT))
def test_they_fail_there_and_work_in_requests(
    name: str, tmp_path: Path, sip_server: Callable[..., VirtualServer]
) -> None:
    script = tmp_path / "probe.py"
    script.write_text(SCRIPT)
    sip = sip_server(script)
    results: list[int] = []
    sip.script.__dict__["results"] = results
    gateway = sip.peer("192.0.2.9")
    answers = {}
    for kind in KINDS:
        results.clear()
        sip.script.__dict__["wanted"] = (kind, name, ARGUMENTS.get(name, ()))
        sip.invite("alice", "sip:x@192.0.2.1")
        if kind != REQUEST:
            gateway.reply(404)
        assert results, f"no {kind} route ran"
        answers[kind] = results[0]
    failing = {kind for kind, answer in answers.items() if answer < 0}
    assert WITHOUT_EFFECT[name].keys() <= failing
    assert answers[REQUEST] > 0 or name == "registrar.lookup"
