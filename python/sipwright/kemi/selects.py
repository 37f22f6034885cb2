"""`$sel(cfg_get.group.name)` and `$ccp(group.name)`: the variables of the configuration's own."""

from typing import TYPE_CHECKING, Final

from sipwright import log

if TYPE_CHECKING:
    from sipwright.host import Host

_PREFIX: Final = "cfg_get."


def register(host: "Host") -> None:
    """Registers `$sel(...)` and `$ccp(...)` with the variables of the settings; `$sel` shows a number as text, as Kamailio's
    selects do.
    """

    def custom(inner: str, _index: int | None) -> str | int | None:
        variables = host.settings.cfg.variables
        if inner not in variables:
            log.error(f"$ccp({inner}): the configuration has no variable {inner}")
        return variables.get(inner)

    def get(inner: str, _index: int | None) -> str | None:
        if not inner.startswith(_PREFIX):
            log.error(f"$sel({inner}): of the selects there is only cfg_get.GROUP.NAME")
            return None
        name, variables = inner.removeprefix(_PREFIX), host.settings.cfg.variables
        if name not in variables:
            log.error(f"$sel({inner}): the configuration has no variable {name}")
            return None
        return str(variables[name])

    host.variable("sel", get)
    host.variable("ccp", custom)
