"""Numbers in texts that others wrote."""

from typing import Final

_MAX_DIGITS: Final = 20


def decimal(text: str, most: int) -> int | None:
    """The number that ASCII digits stand for; None for anything else, and for one above `most`.

    `str.isdigit` takes digits of every script, of which `int` refuses some, and thousands of them, which it refuses too.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    number = int(text)
    return number if number <= most else None
