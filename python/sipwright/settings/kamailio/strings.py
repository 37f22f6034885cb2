"""Strings of kamailio.cfg."""

import re
from typing import Final

# A string at the beginning of a text: what is in double quotes, with its escapes, or what is in single ones.
QUOTED: Final = re.compile(r"\"((?:[^\"\\]|\\[\s\S])*)\"|'([^']*)'")
_ESCAPES: Final = {"n": "\n", "r": "\r", "a": "\a", "t": "\t", "\\": "\\", '"': '"', "\n": ""}
_ESCAPE: Final = re.compile(r'\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{2,3})|([nrat\\"\n]))')


def unescape(text: str) -> str:
    r"""A double-quoted string without its escapes: \n \r \a \t \\ \" \xHH, octal, and a line end after a backslash.

    Other backslashes stay, as regular expressions need it.
    """

    def one(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        return chr(int(found[2], 8) & 0xFF) if found[2] else _ESCAPES[found[3]]

    return _ESCAPE.sub(one, text) if "\\" in text else text
