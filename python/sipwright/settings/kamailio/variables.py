"""Variables that have a value before any message comes: those of `modparamx`, `loadmodulex` and substitutions."""

import re
from collections.abc import Mapping
from typing import Final

_VARIABLE: Final = re.compile(r"\$(?:\$|(\w+)\(([^()]*)\)|\((\w+)\(([^()]*)\)\))", re.ASCII)


def expand(text: str, environ: Mapping[str, str], defines: Mapping[str, str]) -> str:
    """The text with `$env(NAME)`, `$def(NAME)`, `$defn(NAME)`, `$defs(NAME)` (without quotes) and `$$` replaced.

    Raises ValueError for a variable that has no value at the start of the server.
    """

    def one(found: re.Match[str]) -> str:
        name, argument = found[1] or found[3], found[2] or found[4]
        if name is None:
            return "$"
        if name == "env":
            return environ.get(argument, "")
        if name in ("def", "defs", "defn"):
            value = defines.get(argument)
            if value is None:
                raise ValueError(f"{found[0]}: {argument} is not defined")
            quoted = name == "defs" and len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            return value[1:-1] if quoted else value
        raise ValueError(f"{found[0]} has no value before a message comes; there are $env(NAME) and $def(NAME)")

    return _VARIABLE.sub(one, text)
