"""Settings of the configuration's own variables."""

from pydantic import Field

from sipwright.settings.section import Section


class CfgSettings(Section):
    """Variables of the configuration's own, which scripts read as `$sel(cfg_get.group.name)`."""

    variables: dict[str, int | str] = Field(
        default_factory=dict,
        description="Numbers and texts by `group.name`; in a kamailio.cfg `group.name = value`.",
    )
