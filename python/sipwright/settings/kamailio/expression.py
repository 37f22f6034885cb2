"""Expressions of `#!ifexp`, `#!defexp` and `#!defexps`: numbers, strings, defines, and the operators of C."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Final

Value = int | str
MAX_DEPTH: Final = 50
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>0[xX][0-9A-Fa-f]+|\d+)|(?P<string>"[^"]*"|'[^']*')|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<mark>&&|\|\||==|!=|<=|>=|[-+*/%()<>!]))""",
    re.ASCII,
)
# From the weakest to the strongest.
_LEVELS: Final = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))
_COMPARE: Final[dict[str, Callable[..., bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_COMPUTE: Final[dict[str, Callable[[int, int], int]]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


class ExpressionError(ValueError):
    """An expression that cannot be read or computed."""


def evaluate(text: str, defines: Mapping[str, str]) -> Value:
    """The value of an expression. A name stands for its define; one that is not defined is 0, an empty one 1."""
    return _Parser(text, defines).whole()


class _Parser:
    def __init__(self, text: str, defines: Mapping[str, str], depth: int = 0) -> None:
        self.defines = defines
        self.depth = depth
        self.tokens: list[tuple[str, str]] = []
        self.at = 0
        position, text = 0, text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                raise ExpressionError(f"{text[position:].strip()!r} cannot be read")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()

    def whole(self) -> Value:
        if self.depth > MAX_DEPTH:
            raise ExpressionError("defines lead back to themselves")
        value = self._level(0)
        if self.at < len(self.tokens):
            raise ExpressionError(f"{self.tokens[self.at][1]!r} is too much")
        return value

    def _level(self, level: int) -> Value:
        if level == len(_LEVELS):
            return self._unary()
        value = self._level(level + 1)
        while self.at < len(self.tokens) and self.tokens[self.at][1] in _LEVELS[level]:
            mark = self.tokens[self.at][1]
            self.at += 1
            value = _combined(mark, value, self._level(level + 1))
        return value

    def _unary(self) -> Value:
        if self.at >= len(self.tokens):
            raise ExpressionError("something is missing at its end")
        kind, text = self.tokens[self.at]
        self.at += 1
        if text in ("!", "-") and kind == "mark":
            value = self._unary()
            return int(not value) if text == "!" else -_number(value)
        if text == "(" and kind == "mark":
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise ExpressionError("too many parentheses")
            value = self._level(0)
            if self.at >= len(self.tokens) or self.tokens[self.at][1] != ")":
                raise ExpressionError("a parenthesis is not closed")
            self.at += 1
            self.depth -= 1
            return value
        if kind == "number":
            return int(text, 0) if text[:2].lower() == "0x" else int(text)
        if kind == "string":
            return text[1:-1]
        if kind == "name":
            return self._define(text)
        raise ExpressionError(f"{text!r} cannot stand here")

    def _define(self, name: str) -> Value:
        value = self.defines.get(name)
        if value is None:
            return 0
        return _Parser(value, self.defines, self.depth + 1).whole() if value else 1


def _combined(mark: str, left: Value, right: Value) -> Value:
    if mark in ("&&", "||"):
        return int(bool(left and right) if mark == "&&" else bool(left or right))
    if mark in _COMPARE:
        same = type(left) is type(right)
        return int(_COMPARE[mark](left if same else str(left), right if same else str(right)))
    if mark == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    a, b = _number(left), _number(right)
    if mark in _COMPUTE:
        return _COMPUTE[mark](a, b)
    if b == 0:
        raise ExpressionError("division by zero")
    return a // b if mark == "/" else a % b


def _number(value: Value) -> int:
    if isinstance(value, int):
        return value
    raise ExpressionError(f"{value!r} is no number")
