"""Kamailio and Sipwright come to the same value, expression by expression."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oracle.evaluate import evaluate
from oracle.expressions import DIFFERENCES, TABLES

Values = dict[str, list[str]]


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> tuple[Values, Values]:
    """What all tables are in Kamailio and in Sipwright."""
    directory: Path = tmp_path_factory.mktemp("expressions")
    return evaluate("kamailio", TABLES, directory / "kamailio"), evaluate("sipwright", TABLES, directory / "sipwright")


def different(values: tuple[Values, Values], name: str) -> list[tuple[str, str, str]]:
    lines = next(table.lines for table in TABLES if table.name == name)
    kamailio, sipwright = values[0][name], values[1][name]
    assert len(kamailio) == len(sipwright) == len(lines)
    return [row for row in zip(lines, kamailio, sipwright, strict=True) if row[1] != row[2]]


def listed(line: str) -> bool:
    return any(re.match(pattern, line) for pattern in DIFFERENCES)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", [table.name for table in TABLES])
def test_same_values(name: str, values: tuple[Values, Values]) -> None:
    found = [row for row in different(values, name) if not listed(row[0])]
    assert not found, "\n".join(f"{line}\n  kamailio  {first}\n  sipwright {second}" for line, first, second in found)


def test_listed_differences_occur(values: tuple[Values, Values]) -> None:
    lines = [line for table in TABLES for line, _, _ in different(values, table.name)]
    assert [pattern for pattern in DIFFERENCES if not any(re.match(pattern, line) for line in lines)] == []


def test_there_are_many_expressions(values: tuple[Values, Values]) -> None:
    assert sum(map(len, values[0].values())) > 1000
    assert sum(value not in ("None", "True", "1") for table in values[0].values() for value in table) > 600
