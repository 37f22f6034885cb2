"""What the lexer of kamailio.cfg makes, and where it stands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sipwright.settings.errors import SettingsError

Kind = Literal["id", "number", "string", "ip", "variable", "mark", "end"]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `text` is the value of a string, the digits of a number, an address without its brackets.

    `via` is the define that it came out of, if any. `first` says that it is the first of its line.
    """

    kind: Kind
    text: str
    place: Place
    via: str = ""
    first: bool = False

    @property
    def number(self) -> int:
        """The value of a number: decimal, 0x with hexadecimal, 0 with octal, or binary digits with b."""
        text = self.text.lower()
        if text.startswith("0x"):
            return int(text, 16)
        if text.endswith("b"):
            return int(text[:-1], 2)
        return int(text, 8 if len(text) > 1 and text.startswith("0") else 10)

    def is_mark(self, *marks: str) -> bool:
        """Whether it is one of these punctuation marks."""
        return self.kind == "mark" and self.text in marks

    def is_id(self, *names: str) -> bool:
        """Whether it is one of these names; without any, whether it is a name at all."""
        return self.kind == "id" and (not names or self.text in names)

    def __str__(self) -> str:
        shown = {"end": "the end of the file", "string": f'"{self.text}"'}.get(self.kind, repr(self.text))
        return f"{shown} (from the define {self.via})" if self.via else shown


INCLUDES: Final = ("include_file", "import_file")
ROUTES: Final = (
    *("request_route", "route", "reply_route", "onreply_route", "failure_route", "branch_route", "onsend_route"),
    "event_route",
)
_MODULE: Final = ("loadmodule", "loadmodulex", "modparam", "modparamx", "loadpath", "mpath")
WORDS: Final = (*ROUTES, *INCLUDES, *_MODULE, "cfgengine", "flags", "avpflags", "listen", "alias", "socket")
# Words that are numbers: Kamailio reads them in small letters only.
BOOLEANS: Final = {
    **dict.fromkeys(("yes", "true", "on", "enable"), 1),
    **dict.fromkeys(("no", "false", "off", "disable"), 0),
}


class CfgError(SettingsError):
    """What cannot be read, with its place; `files` are those that were read until then."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(f"{place}: {text}")
        self.place = place
        self.files: tuple[Path, ...] = ()
