"""Writes `docs/reference/kamailio-cfg.md` from the tables: `python -m sipwright.settings.kamailio.reference [FILE]`."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sipwright.settings.kamailio import globals as core
from sipwright.settings.kamailio import modparams, modules
from sipwright.settings.kamailio.preprocessor import KNOWN, PREDEFINED
from sipwright.settings.kamailio.translate import EXPECTED

DEFAULT_FILE: Final = Path("docs/reference/kamailio-cfg.md")
_HEAD: Final = """# kamailio.cfg

What `sipwright run -f kamailio.cfg` makes of each global parameter and module parameter of Kamailio 5.6. This page is generated from
the tables by `python -m sipwright.settings.kamailio.reference`; `sipwright check kamailio.cfg` says the same of one file, with lines.
[How to run a KEMI deployment](../howto/run-a-kemi-script.md) tells the rest.

| status | meaning |
|---|---|
| honoured | It is a [setting](settings.md), whose name is given. |
| ignored | It means nothing here, for the reason given. |
| missing | Kamailio does something by it that is not done here; the start warns. |

A name that Kamailio does not know is a warning with file, line and the nearest name. A value of the wrong kind, a module that is not
offered, and native routes that decide about messages keep the server from starting.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([_HEAD, _preprocessor(), _defaults(), _globals(), _modules(), _parameters()])


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return [*lines, *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)]


def _preprocessor() -> str:
    directives = ", ".join(f"`#!{name}`" for name in KNOWN)
    return f"""## Preprocessor

Directives: {directives}; each with `!!` instead of `#!`, too. Included files may be named by a pattern such as `conf.d/*.cfg`;
a relative name counts from the working directory, then from the including file's. Option `-A NAME` or `-A NAME=VALUE` defines a name.

Defined from the start: {", ".join(f"`{name}`" for name in PREDEFINED)}, and `MOD_x` for each module that has been loaded.
"""


def _defaults() -> str:
    rows = [(f"`{setting}`", f"`{value}`", f"`{name}`") for name, (setting, value) in core.DEFAULTS.items()]
    rows += [(f"`{setting}`", f"`{value}`", "") for setting, value in EXPECTED.items()]
    lines = _table(("setting", "value", "parameter"), sorted(rows))
    head = "With a kamailio.cfg, these settings have Kamailio's default where a parameter is left out, instead of Sipwright's."
    return "\n".join(["## Defaults", "", head, "", *lines, ""])


def _globals() -> str:
    rows: list[tuple[str, str, str]] = []
    others: dict[str, list[str]] = {}
    for alias, name in core.ALIASES.items():
        others.setdefault(name, []).append(alias)
    for name in {*core.HONOURED, *core.SPECIAL, *core.IGNORED, *core.MISSING}:
        shown = ", ".join(f"`{one}`" for one in [name, *others.get(name, [])])
        rows.append((shown, *_global(name)))
    rows.append(("`alias`", "honoured", "`aliases`"))
    rows.append(("`cfgengine`", "honoured", 'must be "python"'))
    rows.append(("`listen`, `socket`", "honoured", "`listen`, in all forms; `virtual` and `agname` are ignored"))
    return "\n".join(
        ["## Global parameters", "", *_table(("parameter", "status", "what it is here"), sorted(rows)), ""]
    )


def _global(name: str) -> tuple[str, str]:
    if target := core.HONOURED.get(name):
        return "honoured", f"`{target.setting}`{f', {target.note}' if target.note else ''}"
    if special := core.SPECIAL.get(name):
        return "honoured", special[1]
    if reason := core.IGNORED.get(name):
        return "ignored", reason
    return "missing", core.MISSING[name]


def _modules() -> str:
    offered = sorted(name for name in modules.known() if not modules.why_not_offered(name))
    rows = [(f"`{name}`", modules.without_effect(name)) for name in offered]
    head = "These may be loaded; a remark says that nothing is done for the module, and why that is enough."
    return "\n".join(["## Modules", "", head, "", *_table(("module", "remark"), rows), ""])


def _parameters() -> str:
    lines = ["## Module parameters", ""]
    for module in sorted(modules.known()):
        names = sorted({*modules.parameters().get(module, {}), *_own(module)})
        if names and not modules.why_not_offered(module):
            rows = [(f"`{name}`", *parameter(module, name)) for name in names]
            lines += [f"### {module}", "", *_table(("parameter", "status", "what it is here"), rows), ""]
    return "\n".join(lines)


def _own(module: str) -> Iterable[str]:
    """Parameters that the tables name beside those of Kamailio 5.6's documentation."""
    for table in (modparams.SPECIAL, modparams.BY_CODE, modparams.IGNORED):
        yield from (name.partition(".")[2] for name in table if name.partition(".")[0] == module)


def parameter(module: str, name: str) -> tuple[str, str]:
    """Status and meaning of a module's parameter."""
    if module == "tls" and name in modparams.TLS_FILES:
        return "honoured", f"`tls.{name}`"
    if target := modparams.setting_of(module, name):
        return "honoured", f"`{target.setting}`{f', {target.note}' if target.note else ''}"
    if by_code := modparams.BY_CODE.get(f"{module}.{name}"):
        return "honoured", by_code
    if reason := modparams.why_ignored(module, name):
        return "ignored", reason
    return "missing", modparams.why_missing(module, name)


if __name__ == "__main__":
    target_file = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FILE
    target_file.write_text(reference(), encoding="utf-8")
