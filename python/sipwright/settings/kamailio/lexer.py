"""Cuts kamailio.cfg into tokens.

Names that are defined are replaced by the text of the define, which is cut into tokens in turn; strings go through the
substitutions. An included file is read in the place where its name stands. A comment that ends a define goes on to the
end of the line where the define is used, as in Kamailio.
"""

import glob
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sipwright.nearest import nearest
from sipwright.settings.kamailio.preprocessor import IGNORED, KNOWN, Preprocessor
from sipwright.settings.kamailio.strings import QUOTED, unescape
from sipwright.settings.kamailio.tokens import INCLUDES, CfgError, Kind, Place, Token

# As in Kamailio.
MAX_INCLUDES: Final = 10
MAX_EXPANSIONS: Final = 32
# A bound on memory and time: no configuration for people has as many.
MAX_TOKENS: Final = 1_000_000
MAX_FILE_BYTES: Final = 16 * 1024 * 1024

_DIRECTIVE: Final = re.compile(r"(#!|!!)([A-Za-z_]+)")
_SKIPPED_TO: Final = re.compile(r"(?:#!|!!)(ifdef|ifndef|ifexp|else|endif)\b")
_COMMENT_PART: Final = re.compile(r"/\*|\*/")
_SPACE: Final = re.compile(r"\s+")
_NEXT_STRING: Final = re.compile(r"""\s*(?=["'])""")
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_WORDS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("ip", re.compile(r"\[(?=[^\]\s]*:[^\]\s]*:)([0-9A-Fa-f:.]+)\]")),
    ("ip", re.compile(r"((?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*)?::[0-9A-Fa-f.:]*)(?!\w)", re.ASCII)),
    ("ip", re.compile(r"((?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4})(?![\w:])", re.ASCII)),
    ("ip", re.compile(r"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?![\w.])", re.ASCII)),
    ("number", re.compile(r"(0[xX][0-9A-Fa-f]+|[01]+b|\d+)(?!\w)", re.ASCII)),
    # A host name may begin with a digit, an interface name end with one.
    ("id", re.compile(r"(\w+)", re.ASCII)),
)


@dataclass(slots=True)
class _Frame:
    """A text in work: a file, or the text of a define at the place where it is used."""

    text: str
    file: Path | None
    place: Place
    define: str = ""
    position: int = 0
    at_line_start: bool = True


class Lexer:
    """The tokens of a file and of what it includes. Raises CfgError, and SettingsError for a file that is not there."""

    def __init__(self, path: Path, preprocessor: Preprocessor, warn: Callable[[Place, str], None]) -> None:
        self.preprocessor = preprocessor
        self.files: list[Path] = []
        self._warn = warn
        self._frames: list[_Frame] = []
        self._count = 0
        self._pushed: list[Token] = []
        self._last_place = Place(str(shown(path)), 1)
        self._push_file(path, None)

    # ---- what the statements use -----------------------------------------------------------------------------------

    def next(self) -> Token:
        """The next token; one of kind "end" after the last."""
        while True:
            if self._pushed:
                return self._pushed.pop()
            token = self._step()
            if token is not None:
                self._count += 1
                if self._count > MAX_TOKENS:
                    raise CfgError(token.place, f"the configuration has more than {MAX_TOKENS:,} tokens")
                return token

    def peek(self) -> Token:
        """The next token, which stays."""
        token = self.next()
        self._pushed.append(token)
        return token

    def push_back(self, token: Token) -> None:
        """Has the token come again."""
        self._pushed.append(token)

    def include(self, name: str, place: Place, *, required: bool) -> None:
        """Goes on with a file, or with all that a pattern such as `conf.d/*.cfg` names, in the order of their names.

        A relative name counts from the working directory or, if it is not there, from the directory of the file that
        includes it.
        """
        paths = self._found(name)
        if not paths:
            if required:
                raise CfgError(place, f"include_file: there is no file {name}")
            return
        for path in reversed(paths):
            self._push_file(path, place)

    def prepend(self, text: str, place: Place) -> None:
        """Has a text read before what comes next."""
        self._frames.append(_Frame(text, None, place))

    # ---- files -----------------------------------------------------------------------------------------------------

    def _found(self, name: str) -> list[Path]:
        here = next(frame.file.parent for frame in reversed(self._frames) if frame.file is not None)
        for base in (Path.cwd(), here):
            path = base / Path(name).expanduser()
            if path.is_file():
                return [path]
            if glob.has_magic(name) and (matches := sorted(glob.glob(str(path)))):
                return [Path(match) for match in matches if Path(match).is_file()]
        return []

    def _push_file(self, path: Path, place: Place | None) -> None:
        open_files = [frame.file for frame in self._frames if frame.file is not None]
        real = path.resolve()
        if place is not None and any(file.resolve() == real for file in open_files):
            chain = " -> ".join(str(shown(file)) for file in [*open_files, path])
            raise CfgError(place, f"a file includes itself: {chain}")
        if len(open_files) > MAX_INCLUDES:
            raise CfgError(place or self._last_place, f"more than {MAX_INCLUDES} files include one another")
        name = str(shown(path))
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise CfgError(place or Place(name, 1), f"{name}: is larger than {MAX_FILE_BYTES:,} bytes")
            text = path.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise CfgError(place or Place(name, 1), f"{name}: {error.strerror}") from None
        self.files.append(path)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._frames.append(_Frame(text, path, Place(name, 1)))

    # ---- one step --------------------------------------------------------------------------------------------------

    def _step(self) -> Token | None:
        """Reads on by one token, comment, directive or space; None when there is no token yet."""
        if not self._frames:
            return Token("end", "", self._last_place)
        frame = self._frames[-1]
        if frame.position >= len(frame.text):
            self._last_place = frame.place
            self._frames.pop()
            if not self._frames:
                self.preprocessor.end(frame.place)
            return None
        if frame.file is not None and self.preprocessor.is_skipping:
            self._skip(frame)
            return None
        if space := _SPACE.match(frame.text, frame.position):
            frame.at_line_start = frame.at_line_start or "\n" in space[0]
            self._advance(frame, space.end())
            return None
        if self._comment_or_directive(frame):
            return None
        token = self._token(frame)
        frame.at_line_start = False
        return token

    def _advance(self, frame: _Frame, end: int) -> None:
        if frame.file is not None:
            lines = frame.text.count("\n", frame.position, end)
            if lines:
                frame.place = Place(frame.place.file, frame.place.line + lines)
        frame.position = end

    def _rest_of_line(self, frame: _Frame) -> int:
        end = frame.text.find("\n", frame.position)
        return len(frame.text) if end < 0 else end

    def _skip(self, frame: _Frame) -> None:
        """Leaves out what a condition excludes: only the directives of conditions count, wherever they stand."""
        found = _SKIPPED_TO.search(frame.text, frame.position)
        if found is None:
            self._advance(frame, len(frame.text))
            return
        self._advance(frame, found.start())
        self._directive(frame, found[1], found.end())

    def _comment_or_directive(self, frame: _Frame) -> bool:
        text, at = frame.text, frame.position
        found = _DIRECTIVE.match(text, at)
        if found and found[2] in KNOWN:
            self._directive(frame, found[2], found.end())
        elif text.startswith(("#", "//"), at):
            if found and found[1] == "#!":
                self._looks_like_directive(found[2], frame.place)
            self._line_comment()
        elif text.startswith("/*", at):
            self._block_comment(frame)
        else:
            return False
        return True

    def _line_comment(self) -> None:
        # Out of the defines, whose text ends here, to the end of the line in the file.
        while self._frames[-1].file is None and len(self._frames) > 1:
            frame = self._frames[-1]
            if "\n" in frame.text[frame.position :]:
                break
            self._frames.pop()
        frame = self._frames[-1]
        self._advance(frame, self._rest_of_line(frame))

    def _block_comment(self, frame: _Frame) -> None:
        depth, start = 0, frame.place
        for part in _COMMENT_PART.finditer(frame.text, frame.position):
            depth += 1 if part[0] == "/*" else -1
            if depth == 0:
                self._advance(frame, part.end())
                return
        raise CfgError(start, "a comment that begins with /* does not end; comments within it count, too")

    def _looks_like_directive(self, name: str, place: Place) -> None:
        hint = nearest(name, KNOWN, 0.75)
        meant = f"; did you mean #!{hint[0]}?" if hint else ""
        self._warn(place, f"#!{name} is no directive of Kamailio, so the line is a comment{meant}")

    def _directive(self, frame: _Frame, name: str, end: int) -> None:
        """Carries out a directive whose name ends at `end`."""
        place = frame.place
        if name in IGNORED:
            self._advance(frame, self._rest_of_line(frame))
            return
        if name in INCLUDES:
            # `#!include_file "x"` is the statement `include_file "x"`.
            self._advance(frame, end)
            self._pushed.append(Token("id", name, place, first=True))
            return
        argument, stop = _directive_text(frame.text, end)
        self._advance(frame, stop)
        self.preprocessor.run(name, argument.strip(), place)

    # ---- tokens ----------------------------------------------------------------------------------------------------

    def _token(self, frame: _Frame) -> Token | None:
        text, at = frame.text, frame.position
        character = text[at]
        if character in "\"'":
            return self._string(frame)
        if character == "$":
            return self._make(frame, "variable", text[at : (end := _variable_end(text, at))], end)
        for kind, pattern in _WORDS:
            if found := pattern.match(text, at):
                if kind == "id" and _NAME.fullmatch(found[1]) and self._expand(frame, found[1], found.end()):
                    return None
                return self._make(frame, kind, found[1], found.end())
        return self._make(frame, "mark", character, at + 1)

    def _make(self, frame: _Frame, kind: Kind, text: str, end: int) -> Token:
        token = Token(kind, text, frame.place, frame.define, frame.at_line_start)
        self._advance(frame, end)
        return token

    def _string(self, frame: _Frame) -> Token:
        """A string; those that follow with nothing but space between are part of it."""
        place, first = frame.place, frame.at_line_start
        parts: list[str] = []
        while True:
            found = QUOTED.match(frame.text, frame.position)
            if found is None:
                raise CfgError(frame.place, f"a string that begins with {frame.text[frame.position]} does not end")
            part = unescape(found[1]) if found[1] is not None else found[2]
            self._advance(frame, found.end())
            parts.append(self.preprocessor.substituted(part))
            following = _NEXT_STRING.match(frame.text, frame.position)
            if following is None:
                return Token("string", "".join(parts), place, frame.define, first)
            self._advance(frame, following.end())

    def _expand(self, frame: _Frame, name: str, end: int) -> bool:
        value = self.preprocessor.value_of(name)
        if value is None:
            return False
        if sum(1 for other in self._frames if other.define) >= MAX_EXPANSIONS or any(
            other.define == name for other in self._frames
        ):
            raise CfgError(frame.place, f"the define {name} leads back to itself")
        self._advance(frame, end)
        self._frames.append(_Frame(value, None, frame.place, name, at_line_start=frame.at_line_start))
        frame.at_line_start = False
        return True


def _directive_text(text: str, start: int) -> tuple[str, int]:
    """The rest of the line, with the lines that a backslash at their end continues, and where it ends."""
    parts: list[str] = []
    while True:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].rstrip()
        if not line.endswith("\\") or end == len(text):
            parts.append(line)
            return "".join(parts), end
        parts.append(line[:-1])
        start = end + 1


def _variable_end(text: str, at: int) -> int:
    """The end of a pseudo-variable: `$ru`, `$hdr(X)`, `$(ru{uri.host})`; parentheses within it are paired."""
    found = _NAME.match(text, at + 1)
    end = found.end() if found else at + 1
    if end < len(text) and text[end] == "(":
        depth = 0
        for index in range(end, len(text)):
            depth += {"(": 1, ")": -1}.get(text[index], 0)
            if depth == 0:
                return index + 1
    return end


def shown(path: Path) -> Path:
    """The path as messages show it: as short as it can be."""
    try:
        return path.relative_to(Path(os.getcwd()))
    except ValueError:
        return path
