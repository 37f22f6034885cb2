"""Settings of a server under test: as given, with every gap filled so that nothing of this machine matters."""

import ipaddress
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sipwright.settings.effective import script_path
from sipwright.settings.errors import SettingsError
from sipwright.settings.listen import Listen
from sipwright.settings.model import Settings
from sipwright.settings.sources import Given, load_settings

# RFC 5737: for documentation, so that no address of this machine or of its network is among them.
SERVER_ADDRESS: Final = "192.0.2.1"
LISTEN: Final = (f"udp:{SERVER_ADDRESS}:5060", f"tcp:{SERVER_ADDRESS}:5060", f"tls:{SERVER_ADDRESS}:5061")


def read_settings(
    script: Path | None, config: Path | None, defines: Iterable[str], settings: Mapping[str, Any], data_dir: Path
) -> Settings:
    """The settings of a kamailio.cfg or sipwright.toml with others over them, and what a test needs. Raises SettingsError.

    The environment is not read. One script worker runs; locations are in memory unless a setting or the file says
    otherwise.
    """
    base = _base(config, defines)
    toml = config if config is not None and config.suffix == ".toml" else None
    read = load_settings(toml, environ={}, overrides=settings, base=base)
    given = read.script.model_copy(
        update={"path": _absolute(script) or script_path(read), "workers": 1, "isolation": "shared"}
    )
    update: dict[str, Any] = {"script": given, "data_dir": data_dir, "auto_aliases": False}
    if not read.listen:
        update["listen"] = [Listen.parse(text) for text in LISTEN]
    if "db_mode" not in read.usrloc.model_fields_set:
        update["usrloc"] = read.usrloc.model_copy(update={"db_mode": 0})
    # The hosts file of this machine and its name servers are not asked.
    update["dns"] = read.dns.model_copy(update={"hosts_file": Path("/dev/null")})
    return read.model_copy(update=update)


def _base(config: Path | None, defines: Iterable[str]) -> Iterable[Given]:
    if config is None or config.suffix == ".toml":
        return ()
    from sipwright.settings.kamailio import read_kamailio_cfg

    translation = read_kamailio_cfg(config.absolute(), tuple(defines))
    if translation.refusals:
        raise SettingsError(*map(str, translation.refusals))
    return translation.given


def _absolute(script: Path | None) -> Path | None:
    return None if script is None else script.expanduser().absolute()


class Addresses:
    """Addresses of host and interface names that a server listens on: those of a table, made up for all others."""

    def __init__(self, known: Mapping[str, Iterable[str]]) -> None:
        self._known = {name: next(iter(addresses)) for name, addresses in known.items()}
        self._numbers = itertools.count(1)

    def resolve(self, host: str) -> str:
        """The address of a `listen`; a wildcard address and a name without one become addresses for documentation."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return self._known.setdefault(host, f"192.0.2.{next(self._numbers)}")
        if not address.is_unspecified:
            return host
        return SERVER_ADDRESS if address.version == 4 else "2001:db8::1"
