"""The known differences from Kamailio, each with its reason.

A difference is data: edits that turn one server's transcript into what the other's should be. A scenario that lists it
must become equal with it and must not be equal without it, so that an entry which no longer holds fails a test.
docs/reference/differences.md is made from this table by `python -m oracle.reference` in tests/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from oracle.transcript import Transcript

KAMAILIO = "kamailio"
SIPWRIGHT = "sipwright"


@dataclass(frozen=True)
class Drop:
    """Leave out the blocks of a section that the pattern matches from their beginning on."""

    side: str
    section: str
    pattern: str

    def apply(self, blocks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(block for block in blocks if not re.match(self.pattern, block, re.DOTALL))


@dataclass(frozen=True)
class Replace:
    """Replace what the pattern matches in the blocks of a section ("" for all sections)."""

    side: str
    section: str
    pattern: str
    text: str

    def apply(self, blocks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(re.sub(self.pattern, self.text, block) for block in blocks)


@dataclass(frozen=True)
class Difference:
    """What Kamailio does, what Sipwright does instead, why, and the scenarios in which it shows."""

    title: str
    kamailio: str
    sipwright: str
    why: str
    scenarios: tuple[str, ...]
    edits: tuple[Drop | Replace, ...]


def both(kind: type[Drop] | type[Replace], *arguments: str) -> tuple[Drop | Replace, Drop | Replace]:
    """The same edit for either side."""
    return kind(KAMAILIO, *arguments), kind(SIPWRIGHT, *arguments)


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "Place of Reason in a CANCEL",
        "adds the Reason of a CANCEL after Content-Length",
        "before it",
        "The order of header fields of different names has no meaning (RFC 3261 section 7.3.1).",
        ("cancel_with_reason",),
        (Replace(KAMAILIO, "bob", r"(Content-Length: <fits>\n)(Reason: .*\n)", r"\2\1"),),
    ),
    Difference(
        "Answers to a request that cannot be forwarded",
        "`t_relay` returns -478 and answers 478 a moment later, although the script has answered with "
        "`sl_reply_error` by then: the caller gets two final responses",
        "`t_relay` answers 478 itself and returns 1, so that the script does not answer again",
        "A request has one final response (RFC 3261 section 17.2.1).",
        ("unresolvable_next_hop", "unresolvable_next_hop_after_newtran"),
        (
            Drop(KAMAILIO, "alice", r"SIP/2.0 500 I'm terribly sorry, server error occurred \(1/SL\)"),
            Replace(KAMAILIO, "alice", "<tag 2>", "<tag 1>"),
            *both(Replace, "script", "t_relay -?[0-9]+", "t_relay"),
            *both(Drop, "script", "  sl_reply_error"),
            *both(Drop, "script", "ksr_request_route: ACK"),
        ),
    ),
)


def applied(side: str, one: Transcript, listed: tuple[Difference, ...]) -> Transcript:
    """The transcript of one side after the edits of the differences."""
    sections = dict(one.sections)
    for difference in listed:
        for edit in difference.edits:
            if edit.side == side:
                for section in [edit.section] if edit.section else list(sections):
                    sections[section] = edit.apply(sections.get(section, ()))
    return replace(one, sections=sections)


def listed_for(scenario: str) -> tuple[Difference, ...]:
    return tuple(difference for difference in DIFFERENCES if scenario in difference.scenarios)
