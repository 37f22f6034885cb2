"""Records of accounting: lines, comments, further times."""

from __future__ import annotations

import pytest

from sipwright.modules.acc import Record, comment, extra_columns, line, times
from sipwright.settings.acc import AccSettings

RECORD = Record("INVITE", "a", "b", "c@h", "200", "OK", 1_795_802_144.25)


def test_lines_are_those_of_kamailio() -> None:
    assert line("transaction answered", RECORD, [("ua", "test/1"), ("ru", "sip:x")], []) == (
        "ACC: transaction answered: timestamp=1795802144;method=INVITE;from_tag=a;to_tag=b;call_id=c@h;code=200;reason=OK"
        ";ua=test/1;ru=sip:x"
    )
    legs = Record(
        "INVITE", "a", "b", "c", "200", "OK", 0.0, ((("src", "1"), ("dst", None)), (("src", "2"), ("dst", "3")))
    )
    assert line("x", legs, [], []).endswith(";reason=OK;src=1;dst=;src=2;dst=3")


def test_no_value_makes_a_second_line() -> None:
    assert "\n" not in line("x", RECORD, [("ua", "a\r\nACC: forged")], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("404 Not here", ("404", "Not here")),
        ("404", ("404", "")),
        ("Not here", ("", "Not here")),
        ("4040", ("", "4040")),
    ],
)
def test_comments(text: str, expected: tuple[str, str]) -> None:
    assert comment(text) == expected


def test_further_columns() -> None:
    assert extra_columns("a=$si; b=$hdr(X;Y) ;c=$(avp(x)[1])") == [
        ("a", "$si"),
        ("b", "$hdr(X;Y)"),
        ("c", "$(avp(x)[1])"),
    ]
    assert extra_columns("") == []
    for wrong in ("a", "a=b", "a b=$x", "=$x"):
        with pytest.raises(ValueError):
            AccSettings(db_extra=wrong)


def test_further_times() -> None:
    assert times(0, RECORD.at, "t", "u", "%Y") == []
    assert times(1, RECORD.at, "t", "u", "%Y") == [("t", 1795802144), ("u", 250_000)]
    assert times(2, RECORD.at, "t", "u", "%Y") == [("t", 1795802144.25)]
    assert times(4, RECORD.at, "t", "u", "%Y-%m-%d") == [("t", "2026-11-27")]


def test_flags_of_the_settings() -> None:
    assert AccSettings().flags() == ()
    assert AccSettings(log_flag=0, db_missed_flag=3).flags() == (0, 3)
