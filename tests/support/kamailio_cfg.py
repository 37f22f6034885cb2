"""Configurations for Kamailio as KEMI deployments write them, for both servers."""

from __future__ import annotations

from pathlib import Path

from sipwright.settings.kamailio import Translation
from sipwright.settings.kamailio.statements import KamailioCfg, Word, parse

LAB = """#!KAMAILIO
# A laboratory.
debug=2
log_stderror=yes
fork=no
children=2
auto_aliases=no
{listen}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
{modules}
{parameters}
modparam("app_python3", "load", "{script}")
cfgengine "python"
"""


def lab(
    script: str | Path,
    listen: str = "listen=udp:127.0.0.1:5060",
    modules: str = "kex tm sl rr pv maxfwd textops siputils",
    parameters: str = "",
) -> str:
    """The text of a small kamailio.cfg; app_python3 is loaded besides the modules."""
    loads = "\n".join(f'loadmodule "{name}.so"' for name in [*modules.split(), "app_python3"])
    return LAB.format(listen=listen, modules=loads, parameters=parameters, script=script)


def read(directory: Path, text: str, *defines: str, **files: str) -> KamailioCfg:
    """Reads the text as kamailio.cfg of the directory, with other files (`inner="..."` is inner.cfg) beside it."""
    for name, content in files.items():
        (directory / f"{name}.cfg").write_text(content)
    path = directory / "kamailio.cfg"
    path.write_text(text)
    return parse(path, defines, environ={"HOME": "/home/sip", "PUBLIC_IP": "192.0.2.9", "EMPTY": ""})


def values(cfg: KamailioCfg) -> dict[str, object]:
    """The globals by name."""
    return {item.name: item.value if not isinstance(item.value, Word) else str(item.value) for item in cfg.globals}


def given(translation: Translation) -> dict[str, object]:
    """The settings of a translation by dotted name, the last value of each."""
    return {".".join(one.path): one.value for one in translation.given}
