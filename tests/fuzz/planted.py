"""A target with a fault, by which a test sees that faults are found."""

from __future__ import annotations

from sipwright.settings.listen import Listen


def planted(data: bytes) -> None:
    """Takes every error of the reader for a fault, documented or not."""
    Listen.parse(data.decode("utf-8", "replace"))
