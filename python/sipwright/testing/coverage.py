"""Which routes of a script ran in a test session, and which never did."""

from collections import Counter
from pathlib import Path

from sipwright.script.lint import routes_of


class RouteCoverage:
    """Counts the routes that the engine called, by script."""

    def __init__(self) -> None:
        self._runs: dict[Path, Counter[str]] = {}

    def ran(self, script: Path, route: str) -> None:
        """A route of a script ran."""
        self._runs.setdefault(script, Counter())[route] += 1

    def loaded(self, script: Path) -> None:
        """A script was loaded; its routes count from now on, even if none runs."""
        self._runs.setdefault(script, Counter())

    def counts(self, script: Path) -> list[tuple[str, str, int, int]]:
        """Every route of a script as `(file, name, line, runs)`, in the order of the files' lines."""
        runs = self._runs.get(script, Counter())
        found = routes_of(script, set(runs))
        known = [(place[0].name, name, place[1], runs[name]) for name, place in found.items()]
        return sorted(known, key=lambda row: (row[0], row[2], row[1]))

    def percent(self) -> float:
        """How many of all routes ran; 100 if there are none."""
        rows = [row for script in self._runs for row in self.counts(script)]
        return 100.0 * sum(1 for row in rows if row[3]) / len(rows) if rows else 100.0

    def lines(self) -> list[str]:
        """The summary, a line for each route."""
        lines: list[str] = []
        for script in sorted(self._runs):
            rows = self.counts(script)
            ran = sum(1 for row in rows if row[3])
            lines.append(f"{script}: {ran} of {len(rows)} routes ran")
            lines += [f"  {name:<40} {f'{file}:{line}':<32} {runs or 'never':>8}" for file, name, line, runs in rows]
        return lines
