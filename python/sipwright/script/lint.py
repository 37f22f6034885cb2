"""Finds mistakes in a routing script without running it: KSR names, arguments, and callbacks that are not there.

The script's syntax tree is walked, and that of every helper module beside it that is imported.
"""

import ast
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Final

from sipwright.kemi import known
from sipwright.nearest import nearest
from sipwright.script.strict import route_kinds, type_of, useless

# KSR functions whose argument is the name of a method of the handler.
_CALLBACKS: Final = ("tm.t_on_failure", "tm.t_on_reply", "tm.t_on_branch", "tm.t_on_branch_failure")
# Where functions of KSR take the name of a route, by the last part of their names.
_ROUTE_ARGUMENTS: Final = {
    "t_on_failure": 0,
    "t_on_reply": 0,
    "t_on_branch": 0,
    "t_on_branch_failure": 0,
    "t_continue": 2,
    "route": 0,
    "ms_route": 0,
    "task_route": 0,
}
_ROUTES: Final = frozenset({"ksr_request_route", "ksr_reply_route", "ksr_onsend_route"})
_TYPES: Final[dict[str, type | tuple[type, ...]]] = {"str": str, "int": int, "long": int}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A mistake, with its place; lines and columns count from 1."""

    file: Path
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}"


@dataclass
class _Source:
    path: Path
    tree: ast.Module
    # Local name -> what it stands for: "" for KSR itself, "pv" for KSR.pv.
    names: dict[str, str] = field(default_factory=dict)


def check_script(
    script: Path, implemented: list[str], hidden: Mapping[str, str] = MappingProxyType({}), *, strict: bool = False
) -> list[Finding]:
    """All findings in a script and its helpers; `implemented` are the dotted names of the KSR functions there are.

    `hidden` are the parts of `KSR` whose modules are not loaded, with these modules. A script that asks by
    `hasattr(KSR, "rtpengine")` whether a part is there may name the functions of that part.
    """
    findings: list[Finding] = []
    sources = list(_sources(script, findings))
    asked = {part for source in sources for part in _asked_for(source) if part in hidden}
    hidden = {part: module for part, module in hidden.items() if part not in asked}
    kinds = route_kinds(source.tree for source in sources) if strict else None
    methods = {node.name for source in sources for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef)}
    for source in sources:
        checker = _Checker(source, implemented, methods, hidden, asked, kinds)
        checker.visit(source.tree)
        findings += checker.findings
    return sorted(findings)


def routes_of(script: Path, also: Set[str] = frozenset()) -> dict[str, tuple[Path, int]]:
    """The routes of a script and its helpers, each with its file and line: those that Kamailio's names make one, those
    that KSR functions name, and those of `also`.
    """
    sources = list(_sources(script, []))
    named = {name for source in sources for name in _named_routes(source)} | also
    found: dict[str, tuple[Path, int]] = {}
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef) and (node.name in _ROUTES or node.name in named):
                found.setdefault(node.name, (source.path, node.lineno))
    return found


def _named_routes(source: _Source) -> Iterator[str]:
    """Names of routes that are written out as arguments of KSR functions."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            at = _ROUTE_ARGUMENTS.get(node.func.attr)
            if at is not None and len(node.args) > at:
                value = node.args[at]
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


def _sources(script: Path, findings: list[Finding]) -> Iterator[_Source]:
    """The script and the helpers beside it that it imports, directly or not."""
    waiting, seen = [script], {script}
    while waiting:
        path = waiting.pop(0)
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        except SyntaxError as error:
            findings.append(Finding(path, error.lineno or 1, error.offset or 1, f"syntax error: {error.msg}"))
            continue
        except (OSError, ValueError) as error:
            findings.append(Finding(path, 1, 1, f"cannot be read: {getattr(error, 'strerror', None) or error}"))
            continue
        source = _Source(path, tree)
        for name in _imports(source):
            base = path.parent / name.replace(".", "/")
            for helper in (base.with_suffix(".py"), base / "__init__.py"):
                if helper.is_file() and helper not in seen:
                    seen.add(helper)
                    waiting.append(helper)
        yield source


def _imports(source: _Source) -> Iterator[str]:
    """Names of imported modules; names that stand for KSR or a part of it are noted in the source."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
                top, _, part = alias.name.partition(".")
                if top == "KSR":
                    source.names[alias.asname or "KSR"] = part if alias.asname else ""
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if module == "KSR" or module.startswith("KSR."):
                prefix = module[4:]
                for alias in node.names:
                    source.names[alias.asname or alias.name] = f"{prefix}.{alias.name}".lstrip(".")
            elif node.module:
                yield node.module
            for alias in node.names if node.level else ():
                yield f"{node.module}.{alias.name}" if node.module else alias.name


def _asked_for(source: _Source) -> Iterator[str]:
    """The parts of KSR of which the source asks whether they are there."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id="hasattr"), args=[ast.Name(id=name), ast.Constant(value=str(part))]):
                if source.names.get(name) == "":
                    yield part


class _Checker(ast.NodeVisitor):
    def __init__(
        self,
        source: _Source,
        implemented: list[str],
        methods: set[str],
        hidden: Mapping[str, str],
        asked: set[str],
        kinds: dict[str, set[str]] | None,
    ) -> None:
        self.source = source
        # Of routes that functions are reached from; None unless the check is strict.
        self.kinds = kinds
        self.function = ""
        self.asked = asked
        self.implemented = implemented
        self.methods = methods
        self.hidden = hidden
        self.modules = {name.partition(".")[0] for name in implemented if "." in name}
        self.findings: list[Finding] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        before, self.function = self.function, node.name
        self.generic_visit(node)
        self.function = before

    def visit_Call(self, node: ast.Call) -> None:
        dotted = self._dotted(node.func)
        if dotted is not None and self._exists(dotted, node.func):
            self._check_arguments(dotted, node)
            if self.kinds is not None and (why := useless(dotted, self.kinds.get(self.function, set()))):
                self._add(node, why)
        elif dotted is None:
            self.visit(node.func)
        for child in [*node.args, *node.keywords]:
            self.visit(child)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        dotted = self._dotted(node)
        if dotted is None:
            self.generic_visit(node)
        else:
            self._exists(dotted, node)

    def _dotted(self, node: ast.expr) -> str | None:
        """`pv.get` for `KSR.pv.get`; None for what has nothing to do with KSR."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.source.names:
            return None
        prefix = self.source.names[node.id]
        return ".".join([*([prefix] if prefix else []), *reversed(parts)])

    def _exists(self, dotted: str, node: ast.expr) -> bool:
        if dotted in self.implemented:
            return True
        if dotted.partition(".")[0] in self.asked and dotted in known.functions():
            return True
        if dotted and dotted not in self.modules and "__" not in dotted:
            self._add(node, known.why_missing(dotted, self.implemented, self.hidden))
        return False

    def _check_arguments(self, dotted: str, node: ast.Call) -> None:
        if node.keywords:
            self._add(node, f"KSR.{dotted} takes no keyword arguments")
            return
        signature = known.functions().get(dotted)
        if signature is None or dotted == "x.modf" or any(isinstance(arg, ast.Starred) for arg in node.args):
            return
        params = signature.params
        if len(node.args) != len(params) and not (not params and node.args):
            takes = f"takes {len(params)} argument(s) ({', '.join(params) or 'none'}), {len(node.args)} given"
            self._add(node, f"KSR.{dotted} {takes}")
            return
        for index, (arg, kind) in enumerate(zip(node.args, params, strict=False), start=1):
            got = type(arg.value) if isinstance(arg, ast.Constant) else None
            if got is None and self.kinds is not None:
                got = type_of(arg, self._dotted)
                if got is NoneType:
                    self._add(arg, f"KSR.{dotted}: argument {index} must be {kind}, but this may be None")
                    continue
            if got is not None and not issubclass(got, _TYPES[kind]):
                self._add(arg, f"KSR.{dotted}: argument {index} must be {kind}, not {got.__name__}")
        self._check_callback(dotted, node)

    def _check_callback(self, dotted: str, node: ast.Call) -> None:
        if dotted not in _CALLBACKS or not isinstance(node.args[0], ast.Constant):
            return
        name = str(node.args[0].value)
        if name not in self.methods:
            near = nearest(name, sorted(self.methods))
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            self._add(node.args[0], f"KSR.{dotted}: the script has no method {name}{hint}")

    def _add(self, node: ast.expr, text: str) -> None:
        self.findings.append(Finding(self.source.path, node.lineno, node.col_offset + 1, text))
