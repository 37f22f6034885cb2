"""Names that someone who mistyped one may have meant."""

import pytest

from sipwright.nearest import nearest

NAMES = ["script.workers", "script.isolation", "tm.t_relay", "tm.t_reply", "tm.t_release", "pv.get", "pv.sets"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("script.worker", ["script.workers"]),
        ("tm.t_rely", ["tm.t_reply", "tm.t_relay"]),
        ("pv.gets", ["pv.get"]),
        ("dispatcher", []),
    ],
)
def test_the_most_like_names(name: str, expected: list[str]) -> None:
    assert sorted(nearest(name, NAMES)) == sorted(expected)
