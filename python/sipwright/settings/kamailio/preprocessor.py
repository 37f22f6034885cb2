"""The preprocessor of kamailio.cfg: defines, conditions, substitutions in strings, values from the environment.

What each directive does is Kamailio's (5.6, with `ifexp`, `defexp` and `defexps` of later versions).
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sipwright.settings.kamailio.expression import ExpressionError, evaluate
from sipwright.settings.kamailio.regex import Substitution, SubstitutionError
from sipwright.settings.kamailio.strings import QUOTED, unescape
from sipwright.settings.kamailio.tokens import INCLUDES, CfgError, Place
from sipwright.settings.kamailio.variables import expand

# First lines of a file; they say which dialect it is written in.
IGNORED: Final = ("KAMAILIO", "SER", "OPENSER", "MAXCOMPAT", "ALL")
_DEFINE: Final = {"define": "new", "def": "new", "trydef": "try", "trydefine": "try"}
_REDEFINE: Final = {"redefine": "again", "redef": "again"}
_CONDITIONS: Final = ("ifdef", "ifndef", "ifexp", "else", "endif")
_FROM_ENVIRONMENT: Final = ("defenv", "defenvs", "trydefenv", "trydefenvs")
_SUBSTITUTIONS: Final = ("subst", "substdef", "substdefs")
_EXPRESSIONS: Final = ("defexp", "defexps")
KNOWN: Final = (
    *(*INCLUDES, *IGNORED, *_DEFINE, *_REDEFINE, *_CONDITIONS),
    *(*_FROM_ENVIRONMENT, *_SUBSTITUTIONS, *_EXPRESSIONS),
)
# The version whose behaviour is offered, as Kamailio names it.
VERSION: Final = (5, 6, 3)
PREDEFINED: Final = {
    "KAMAILIO_VERSION": f"{VERSION[0]}{VERSION[1]:03}{VERSION[2]:03}",
    f"KAMAILIO_{VERSION[0]}": "",
    f"KAMAILIO_{VERSION[0]}_{VERSION[1]}": "",
    "KAMAILIO_" + "_".join(map(str, VERSION)): "",
    "SIPWRIGHT": "",
}
# As in Kamailio 5.6 it is 256; more do no harm, but there is a bound.
MAX_DEFINES: Final = 10_000
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(slots=True)
class _Condition:
    """An `#!ifdef` that is open. `outer` says whether what is around it counts."""

    place: Place
    outer: bool
    counts: bool


class Preprocessor:
    """Defines and conditions while a configuration is read. `assignments` are NAME or NAME=VALUE, as of option -A."""

    def __init__(
        self,
        assignments: Iterable[str] = (),
        environ: Mapping[str, str] | None = None,
        warn: Callable[[Place, str], None] = lambda place, text: None,
    ) -> None:
        self.environ = os.environ if environ is None else environ
        self.defines: dict[str, str] = dict(PREDEFINED)
        self._warn = warn
        self._substitutions: list[Substitution] = []
        self._conditions: list[_Condition] = []
        self._strays: list[Place] = []
        for assignment in assignments:
            name, _, value = assignment.partition("=")
            if not _NAME.fullmatch(name):
                raise CfgError(Place(f"-A {assignment}", 1), f"{name!r} is no name for a define")
            self.defines[name] = value

    @property
    def is_skipping(self) -> bool:
        """Whether a condition excludes what comes next."""
        return bool(self._conditions) and not self._conditions[-1].counts

    def value_of(self, name: str) -> str | None:
        """The text that a name stands for; None if it is not defined."""
        return self.defines.get(name)

    def loaded(self, module: str) -> None:
        """Defines MOD_x for a module that has been loaded."""
        self.defines.setdefault(f"MOD_{module}", "")

    def substituted(self, text: str) -> str:
        """A string with all substitutions made."""
        for substitution in self._substitutions:
            text = substitution.apply(text)
        return text

    def expanded(self, text: str, place: Place) -> str:
        """A text whose variables that are known at the start, `$env(X)` and its like, are replaced."""
        try:
            return expand(text, self.environ, self.defines)
        except ValueError as error:
            raise CfgError(place, str(error)) from None

    def run(self, name: str, argument: str, place: Place) -> None:
        """Carries out a directive. Raises CfgError."""
        if name in _CONDITIONS:
            self._condition(name, argument, place)
        elif name in _DEFINE or name in _REDEFINE:
            found = _NAME.match(argument)
            if found is None:
                raise CfgError(place, f"#!{name}: needs a name")
            value = argument[found.end() :]
            if value and not value[0].isspace():
                raise CfgError(place, f"#!{name} {argument}: {value[0]!r} is not allowed in a name")
            self._define(found[0], value.strip(), place, {**_DEFINE, **_REDEFINE}[name])
        elif name in _FROM_ENVIRONMENT:
            self._from_environment(name, argument, place)
        elif name in _SUBSTITUTIONS:
            self._substitution(name, argument, place)
        else:
            self._define_expression(name, argument, place)

    def end(self, place: Place) -> None:
        """To be called at the end of the text: there must be as many `#!endif` as conditions, as Kamailio counts."""
        if len(self._strays) > len(self._conditions):
            raise CfgError(self._strays[0], "#!endif without an #!ifdef before it")
        if len(self._conditions) > len(self._strays):
            opened = self._conditions[-1].place
            raise CfgError(opened, f"the #!ifdef (or #!ifndef, #!ifexp) has no #!endif before the end of {place.file}")

    # ---- conditions ------------------------------------------------------------------------------------------------

    def _condition(self, name: str, argument: str, place: Place) -> None:
        if name == "else":
            if not self._conditions:
                self._warn(place, "#!else without an #!ifdef before it; it changes nothing")
                return
            condition = self._conditions[-1]
            condition.counts = condition.outer and not condition.counts
        elif name == "endif":
            if self._conditions:
                self._conditions.pop()
            else:
                self._strays.append(place)
                self._warn(place, "#!endif without an #!ifdef before it")
        else:
            outer = not self.is_skipping
            counts = outer and self._holds(name, argument, place)
            self._conditions.append(_Condition(place, outer, counts))

    def _holds(self, name: str, argument: str, place: Place) -> bool:
        if name == "ifexp":
            try:
                return bool(evaluate(argument, self.defines))
            except ExpressionError as error:
                raise CfgError(place, f"#!ifexp {argument}: {error}") from None
        found = _NAME.match(argument)
        if found is None:
            raise CfgError(place, f"#!{name}: needs a name")
        return (found[0] in self.defines) is (name == "ifdef")

    # ---- defines ---------------------------------------------------------------------------------------------------

    def _define(self, name: str, value: str, place: Place, how: str = "new") -> None:
        if name in self.defines and name not in PREDEFINED:
            if how == "try":
                return
            if how == "new":
                raise CfgError(place, f"{name} is defined already; #!redefine changes it, #!trydef leaves it")
        if len(self.defines) >= MAX_DEFINES:
            raise CfgError(place, f"more than {MAX_DEFINES:,} defines")
        self.defines[name] = value

    def _from_environment(self, name: str, argument: str, place: Place) -> None:
        target, equals, variable = (part.strip() for part in argument.partition("="))
        variable = variable if equals else target
        if not _NAME.fullmatch(target) or not variable:
            raise CfgError(place, f"#!{name} {argument}: must be #!{name} NAME or #!{name} NAME=VARIABLE")
        value = self.environ.get(variable)
        if value is None:
            if name.startswith("try"):
                return
            raise CfgError(
                place, f"#!{name}: the environment variable {variable} is not set; #!try{name} does without it"
            )
        self._define(target, _quoted(value) if name.endswith("envs") else value, place)

    def _substitution(self, name: str, argument: str, place: Place) -> None:
        found = QUOTED.match(argument)
        if found is None:
            raise CfgError(
                place, f'#!{name} {argument}: must be #!{name} "/pattern/replacement/flags", with the quotes'
            )
        # The text is a string like others: escapes and substitutions that came before count in it.
        text = self.substituted(unescape(found[1]) if found[1] is not None else found[2])
        try:
            substitution = Substitution.parse(text, lambda text: self.expanded(text, place))
        except SubstitutionError as error:
            raise CfgError(place, f"#!{name}: {error}") from None
        self._substitutions.append(substitution)
        if name == "subst":
            return
        value = substitution.replacement
        self._define(substitution.pattern, _quoted(value) if name == "substdefs" else value, place)

    def _define_expression(self, name: str, argument: str, place: Place) -> None:
        found = _NAME.match(argument)
        if found is None:
            raise CfgError(place, f"#!{name}: needs a name")
        try:
            value = str(evaluate(argument[found.end() :], self.defines))
        except ExpressionError as error:
            raise CfgError(place, f"#!{name} {argument}: {error}") from None
        self._define(found[0], _quoted(value) if name == "defexps" else value, place)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
