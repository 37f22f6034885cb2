"""Curves over time as SVG, one panel under the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, PANEL, LEFT, GAP = 720, 120, 56, 34


@dataclass(frozen=True)
class Curve:
    """What is shown in one panel, from 0 up."""

    name: str
    values: Sequence[float]


def draw(unit: str, times: Sequence[float], curves: Sequence[Curve]) -> str:
    """The panels; `unit` is that of the times."""
    height = len(curves) * (PANEL + GAP) + 30
    style = "text{font:12px sans-serif;fill:#334}path{fill:none;stroke:#1a6;stroke-width:1.5}line{stroke:#ccd;stroke-width:1}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"><style>{style}</style>'
    ]
    for number, curve in enumerate(curves):
        parts += panel(curve, times, 24 + number * (PANEL + GAP))
    parts.append(
        f'<text x="{WIDTH - 8}" y="{height - 6}" text-anchor="end">{times[-1]:.0f} {escape(unit)}</text></svg>\n'
    )
    return "\n".join(parts)


def panel(curve: Curve, times: Sequence[float], top: int) -> list[str]:
    """One curve with its name and the top of its scale."""
    most = max(curve.values) * 1.15 or 1.0
    bottom, across = top + PANEL, WIDTH - LEFT - 8
    points = [
        f"{LEFT + across * at / (times[-1] or 1.0):.1f},{bottom - PANEL * value / most:.1f}"
        for at, value in zip(times, curve.values, strict=True)
    ]
    return [
        f'<text x="{LEFT}" y="{top - 6}">{escape(curve.name)}</text>',
        f'<line x1="{LEFT}" y1="{bottom}" x2="{WIDTH - 8}" y2="{bottom}"/>',
        f'<line x1="{LEFT}" y1="{top}" x2="{WIDTH - 8}" y2="{top}"/>',
        f'<text x="{LEFT - 6}" y="{top + 4}" text-anchor="end">{most:.3g}</text>',
        f'<text x="{LEFT - 6}" y="{bottom + 4}" text-anchor="end">0</text>',
        f'<path d="M{" L".join(points)}"/>',
    ]
