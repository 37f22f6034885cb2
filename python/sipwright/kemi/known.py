"""The KSR functions that Kamailio has, whether or not Sipwright does: their names, results and parameters.

Facts from Kamailio's KEMI exports, in `known.tsv` beside this file. They tell a typo from a function that is not
implemented yet, and let `sipwright check` know how many arguments a function takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sipwright.nearest import nearest


@dataclass(frozen=True, slots=True)
class Signature:
    """`returns` is one of int, bool, none, xval (str, int or None); `params` are of str, int, long."""

    returns: str
    params: tuple[str, ...]


# Functions that Kamailio has for native configurations alone and that are here for scripts too.
NATIVE: Final = {
    "dialog.dlg_set_ruri": Signature("int", ()),
    "dialog.dlg_set_timeout_by_profile": Signature("int", ("str", "str", "int")),
}


@cache
def functions() -> dict[str, Signature]:
    """All functions by their name without `KSR.`, for example `tm.t_relay` or `is_INVITE`."""
    table: dict[str, Signature] = {}
    for line in Path(__file__).with_name("known.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, returns, params = line.split("\t")
            table[name] = Signature(returns, tuple(params.split(",")) if params else ())
    table["x.modf"] = Signature("int", ("str",))
    return table


@cache
def modules() -> frozenset[str]:
    """Names of all modules: `tm`, `pv`, ..."""
    return frozenset(name.partition(".")[0] for name in functions() if "." in name)


def near_names(name: str, implemented: list[str]) -> list[str]:
    """Up to three names like `name`, implemented ones first, then others that Kamailio knows."""
    last = name.rpartition(".")[2]
    found = [other for other in implemented if other.rpartition(".")[2] == last]
    return (found or nearest(name, implemented) or nearest(name, functions(), 0.8))[:3]


def why_missing(name: str, implemented: list[str], hidden: Mapping[str, str] = MappingProxyType({})) -> str:
    """The sentence for a `KSR.` name that is not there: a typo with near names, or not implemented yet.

    `hidden` are the parts of `KSR` whose module a kamailio.cfg does not load, with that module.
    """
    if module := hidden.get(name.partition(".")[0]):
        return f'KSR.{name} needs loadmodule "{module}.so" in the kamailio.cfg'
    if name in functions() or name in modules():
        return f"KSR.{name} is known in Kamailio, but not implemented here yet"
    found = near_names(name, implemented)
    hint = f"; did you mean {' or '.join('KSR.' + other for other in found)}?" if found else ""
    return f"there is no KSR.{name}{hint}"
