"""`$sel(cfg_get.group.name)`: the variables of the configuration's own, as Kamailio's select framework shows them."""

from typing import TYPE_CHECKING, Final

from sipwright import log

if TYPE_CHECKING:
    from sipwright.host import Host

_PREFIX: Final = "cfg_get."


def register(host: "Host") -> None:
    """Registers `$sel(...)` with the variables of the settings; a number is shown as text, as Kamailio's selects do."""
    variables = host.settings.cfg.variables

    def get(inner: str, _index: int | None) -> str | None:
        if not inner.startswith(_PREFIX):
            log.error(f"$sel({inner}): of the selects there is only cfg_get.GROUP.NAME")
            return None
        name = inner.removeprefix(_PREFIX)
        if name not in variables:
            log.error(f"$sel({inner}): the configuration has no variable {name}")
            return None
        return str(variables[name])

    host.variable("sel", get)
