"""Finds the statements of kamailio.cfg: globals, addresses, modules and their parameters, and route blocks.

Route blocks are not executed; what is kept of one are the functions that it calls.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sipwright.nearest import nearest
from sipwright.settings.kamailio.lexer import Lexer, shown
from sipwright.settings.kamailio.preprocessor import Preprocessor
from sipwright.settings.kamailio.regex import posix
from sipwright.settings.kamailio.sockets import Alias, SocketLine, read_aliases, read_socket_block, read_sockets
from sipwright.settings.kamailio.tokens import BOOLEANS, INCLUDES, ROUTES, WORDS, CfgError, Place, Token

Value = int | str


@dataclass(frozen=True, slots=True)
class Word:
    """A value that is a bare name or address, such as LOG_LOCAL0."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Global:
    """`name = value`. A group in the name (`kemi.onsend_route_callback`, `pstn.gw_ip`) is part of it."""

    name: str
    value: Value | Word
    place: Place
    description: str = ""


@dataclass(frozen=True, slots=True)
class LoadModule:
    """`loadmodule "path/name.so"`; `name` is the module's."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class ModParam:
    """`modparam("modules", "name", value)`; `modules` are those of the loaded modules that it is for."""

    modules: tuple[str, ...]
    name: str
    value: Value
    place: Place


@dataclass(frozen=True, slots=True)
class Block:
    """A native route block: its kind, its name (empty for the main one) and the functions that it calls, in order."""

    kind: str
    name: str
    calls: tuple[str, ...]
    place: Place

    def __str__(self) -> str:
        return f"{self.kind}[{self.name}]" if self.name else self.kind


@dataclass(slots=True)
class KamailioCfg:
    """All that a kamailio.cfg and its included files say, each in the order of the text."""

    path: Path
    # The path as messages show it.
    shown: str
    globals: list[Global] = field(default_factory=list)
    sockets: list[SocketLine] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    modules: list[LoadModule] = field(default_factory=list)
    parameters: list[ModParam] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    engine: Global | None = None
    warnings: list[tuple[Place, str]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    defines: Mapping[str, str] = field(default_factory=dict)


def parse(
    path: Path,
    defines: Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
    statements: Iterable[str] = (),
) -> KamailioCfg:
    """Reads a file; `defines` are NAME or NAME=VALUE, as of option -A; `statements` come before its own.

    Raises SettingsError with file and line.
    """
    cfg = KamailioCfg(path, str(shown(path)))

    def warn(place: Place, text: str) -> None:
        cfg.warnings.append((place, text))

    preprocessor = Preprocessor(defines, environ, warn)
    lexer = Lexer(path, preprocessor, warn)
    lexer.prepend("".join(f"{statement}\n" for statement in statements), Place("command line", 1))
    try:
        _Parser(cfg, lexer, preprocessor).run()
    except CfgError as error:
        error.files = tuple(lexer.files)
        raise
    cfg.files, cfg.defines = lexer.files, preprocessor.defines
    return cfg


class _Parser:
    def __init__(self, cfg: KamailioCfg, lexer: Lexer, preprocessor: Preprocessor) -> None:
        self.cfg = cfg
        self.lexer = lexer
        self.preprocessor = preprocessor
        self.statements: dict[str, Callable[[Token], None]] = {
            **dict.fromkeys(("loadmodule", "loadmodulex"), self._load_module),
            **dict.fromkeys(("modparam", "modparamx"), self._parameter),
            **dict.fromkeys(("loadpath", "mpath"), self._path),
            **dict.fromkeys(INCLUDES, self._include),
            **dict.fromkeys(("flags", "avpflags"), self._flags),
            **dict.fromkeys(ROUTES, self._block),
            "cfgengine": self._engine,
            "listen": self._listen,
            "alias": self._alias,
            "socket": self._socket,
        }

    def run(self) -> None:
        while (token := self.lexer.next()).kind != "end":
            if token.is_mark(";"):
                continue
            if token.kind != "id":
                raise CfgError(token.place, f"{token} cannot begin a statement")
            self.statements.get(token.text, self._global)(token)

    # ---- statements ------------------------------------------------------------------------------------------------

    def _global(self, token: Token) -> None:
        name, following = token.text, self.lexer.next()
        if following.is_mark("."):
            inner = self.lexer.next()
            if inner.kind != "id":
                raise CfgError(inner.place, f"{inner} cannot stand after {name}.; a variable is {name}.NAME = VALUE")
            name, following = f"{name}.{inner.text}", self.lexer.next()
        if not following.is_mark("="):
            hint = nearest(name, WORDS)
            meant = f"; did you mean {hint[0]}?" if hint else ""
            raise CfgError(token.place, f"{name}: must be followed by = and a value{meant}")
        value = self._value(name)
        self.cfg.globals.append(Global(name, value, token.place, self._description()))

    def _description(self) -> str:
        token = self.lexer.peek()
        if not token.is_id("desc", "descr", "description"):
            return ""
        self.lexer.next()
        return self._string("a description")

    def _value(self, name: str) -> Value | Word:
        token = self.lexer.next()
        if token.is_mark("-", "+"):
            number = self.lexer.next()
            if number.kind != "number":
                raise CfgError(number.place, f"{name}: {number} is no number")
            return -number.number if token.text == "-" else number.number
        if token.kind == "number":
            return token.number
        if token.kind == "string":
            return self._joined(token)
        if token.kind == "ip":
            return Word(token.text)
        if token.is_id():
            return BOOLEANS.get(token.text, Word(token.text))
        raise CfgError(token.place, f"{name}: {token} is no value")

    def _joined(self, token: Token) -> str:
        """A string with those that follow, which defines may have brought."""
        text = token.text
        while (following := self.lexer.peek()).kind == "string":
            text += following.text
            self.lexer.next()
        return text

    def _string(self, what: str) -> str:
        token = self.lexer.next()
        if token.kind != "string":
            hint = self._undefined(token)
            raise CfgError(token.place, f"{what} must be in quotes, not {token}{hint}")
        return token.text

    def _undefined(self, token: Token) -> str:
        if token.kind != "id":
            return ""
        near = nearest(token.text, self.preprocessor.defines)
        meant = f"; did you mean {near[0]}?" if near else ""
        return f"; {token.text} is not defined{meant}"

    def _load_module(self, token: Token) -> None:
        # No look ahead: a condition on MOD_x may come next.
        path = self._string(token.text)
        if token.text.endswith("x"):
            path = self.preprocessor.expanded(path, token.place)
        name = path.rpartition("/")[2].removesuffix(".so")
        if not name:
            raise CfgError(token.place, f"{token.text} {path!r}: names no module")
        if any(module.name == name for module in self.cfg.modules):
            first = next(module.place for module in self.cfg.modules if module.name == name)
            raise CfgError(token.place, f"the module {name} is loaded twice, first in {first}")
        self.cfg.modules.append(LoadModule(name, token.place))
        self.preprocessor.loaded(name)

    def _parameter(self, token: Token) -> None:
        self._expect("(", "modparam")
        pattern = self._string("modparam: the module's name")
        self._expect(",", "modparam")
        name = self._string("modparam: the parameter's name")
        self._expect(",", "modparam")
        value = self._value(f'modparam "{name}"')
        if isinstance(value, Word):
            word = self._undefined(Token("id", value.text, token.place))
            raise CfgError(token.place, f'modparam "{name}": {value} is neither a number nor in quotes{word}')
        self._expect(")", "modparam")
        if token.text.endswith("x") and isinstance(value, str):
            value = self.preprocessor.expanded(value, token.place)
        self.cfg.parameters.append(ModParam(self._matching(pattern, token), name, value, token.place))

    def _matching(self, pattern: str, token: Token) -> tuple[str, ...]:
        """The modules loaded so far whose whole name fits: one name, several with | between, a regular expression."""
        try:
            compiled = posix(pattern)
        except ValueError as error:
            raise CfgError(token.place, f"modparam: {error}") from None
        found = tuple(module.name for module in self.cfg.modules if compiled.fullmatch(module.name))
        if not found:
            raise CfgError(token.place, f'modparam("{pattern}", ...): no such module is loaded; loadmodule comes first')
        return found

    def _expect(self, mark: str, what: str) -> None:
        token = self.lexer.next()
        if not token.is_mark(mark):
            raise CfgError(token.place, f"{what}: {token} where {mark!r} is expected{self._undefined(token)}")

    def _path(self, token: Token) -> None:
        self._skip_equals()
        value = self._string(token.text)
        self.cfg.globals.append(Global("mpath", value, token.place))

    def _engine(self, token: Token) -> None:
        self._skip_equals()
        self.cfg.engine = Global("cfgengine", self._string("cfgengine"), token.place)

    def _skip_equals(self) -> None:
        token = self.lexer.next()
        if not token.is_mark("="):
            self.lexer.push_back(token)

    def _include(self, token: Token) -> None:
        # The name is not followed by anything: the next token is the file's first.
        name = self._string(token.text)
        self.lexer.include(name, token.place, required=token.text == "include_file")

    def _flags(self, token: Token) -> None:
        """`flags NAME[:number], ...`: names for native routes only."""
        while True:
            name = self.lexer.next()
            if name.kind != "id":
                raise CfgError(name.place, f"{token.text}: {name} is no name of a flag")
            if (following := self.lexer.next()).is_mark(":"):
                if (number := self.lexer.next()).kind != "number":
                    raise CfgError(number.place, f"{token.text}: {number} is no number of a flag")
                following = self.lexer.next()
            if not following.is_mark(","):
                self.lexer.push_back(following)
                return

    def _listen(self, token: Token) -> None:
        self._expect("=", "listen")
        self.cfg.sockets += read_sockets(self.lexer, token.place)

    def _alias(self, token: Token) -> None:
        self._expect("=", "alias")
        self.cfg.aliases += read_aliases(self.lexer, token.place)

    def _socket(self, token: Token) -> None:
        self._expect("=", "socket")
        self._expect("{", "socket")
        self.cfg.sockets += read_socket_block(self.lexer, token.place)

    # ---- route blocks ----------------------------------------------------------------------------------------------

    def _block(self, token: Token) -> None:
        following = self.lexer.next()
        name = ""
        if following.is_mark("["):
            name = self._block_name(token)
            following = self.lexer.next()
        if following.is_mark("="):
            raise CfgError(token.place, f"{token.text} is a route block: {token.text}[NAME] {{ ... }}")
        if not following.is_mark("{"):
            raise CfgError(following.place, f"{token.text}: {following} where '{{' is expected")
        calls = self._body(token)
        self.cfg.blocks.append(Block(token.text, name, calls, token.place))

    def _block_name(self, token: Token) -> str:
        parts: list[str] = []
        while not (part := self.lexer.next()).is_mark("]"):
            if part.kind in ("end", "variable") or part.is_mark("{", "}"):
                raise CfgError(part.place, f"{token.text}[: {part} cannot be part of its name")
            parts.append(part.text)
        return "".join(parts)

    def _body(self, token: Token) -> tuple[str, ...]:
        """The functions that are called up to the brace that closes the block."""
        depth, calls = 1, []
        previous: Token | None = None
        while depth:
            part = self.lexer.next()
            if part.kind == "end":
                raise CfgError(token.place, f"{token.text}: the block is not closed")
            if part.is_id(*INCLUDES):
                self._include(part)
            elif part.is_mark("{", "}"):
                depth += 1 if part.text == "{" else -1
            elif part.is_mark("(") and previous is not None and previous.is_id():
                calls.append(previous.text)
            elif part.is_id("exit", "drop", "return", "break"):
                calls.append(part.text)
            previous = part
        return tuple(calls)
