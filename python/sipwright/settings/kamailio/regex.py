"""Regular expressions of kamailio.cfg, which are POSIX ones, and substitutions `/pattern/replacement/flags`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_CLASSES: Final = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": r" \t",
    "xdigit": "0-9A-Fa-f",
    "punct": r"!-/:-@\[-`{-~",
    "cntrl": r"\x00-\x1f\x7f",
    "print": r"\x20-\x7e",
    "graph": r"\x21-\x7e",
}
_CLASS: Final = re.compile(r"\[:(\w+):\]")


class SubstitutionError(ValueError):
    """A substitution that cannot be read."""


def posix(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A POSIX extended regular expression; ValueError if it is none."""
    translated = _CLASS.sub(lambda found: _CLASSES.get(found[1], found[0]), pattern)
    try:
        return re.compile(translated, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None


@dataclass(frozen=True, slots=True)
class Substitution:
    """`pattern` and `replacement` as written; `compiled` and `parts` do it. A part is a text or the number of a group."""

    pattern: str
    replacement: str
    compiled: re.Pattern[str]
    parts: tuple[str | int, ...]
    everywhere: bool

    @classmethod
    def parse(cls, text: str, expand: Callable[[str], str]) -> "Substitution":
        """Reads `/pattern/replacement/flags`, with any separator; `expand` replaces variables of the replacement."""
        if not text or text[0].isalnum() or text[0] == "\\":
            raise SubstitutionError(f"{text!r} must begin with a separator such as /")
        pieces = _split(text[1:], text[0])
        if len(pieces) != 3:
            raise SubstitutionError(f"{text!r} must be three parts: {text[0]}pattern{text[0]}replacement{text[0]}flags")
        pattern, replacement, flags = pieces
        if unknown := set(flags.strip()) - set("gis"):
            raise SubstitutionError(f"flag {min(unknown)!r} is not known; i: ignore case, g: everywhere")
        options = re.IGNORECASE if "i" in flags else 0
        options |= re.DOTALL if "s" in flags else 0
        try:
            compiled = posix(pattern, options)
        except ValueError as error:
            raise SubstitutionError(str(error)) from None
        value = expand(replacement)
        parts = tuple(_parts(value))
        if max((part for part in parts if isinstance(part, int)), default=0) > compiled.groups:
            raise SubstitutionError(f"{replacement!r} names a group that {pattern!r} does not have")
        return cls(pattern, value, compiled, parts, "g" in flags)

    def apply(self, text: str) -> str:
        """The text with the substitution made."""
        return self.compiled.sub(self._replaced, text, count=0 if self.everywhere else 1)

    def _replaced(self, found: re.Match[str]) -> str:
        return "".join(part if isinstance(part, str) else (found[part] or "") for part in self.parts)


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators; one after a backslash is part of the text."""
    parts, current, at = [], "", 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            current += separator if text[at + 1] == separator else text[at : at + 2]
            at += 2
        elif text[at] == separator:
            parts.append(current)
            current, at = "", at + 1
        else:
            current, at = current + text[at], at + 1
    return [*parts, current]


def _parts(text: str) -> list[str | int]:
    escapes = {"n": "\n", "r": "\r", "t": "\t"}
    parts: list[str | int] = []
    for found in re.finditer(r"\\(\d)|\\([\s\S])|([^\\]+|\\)", text):
        parts.append(int(found[1]) if found[1] else escapes.get(found[2], found[2]) if found[2] else found[3])
    return parts
