"""`modparam("htable", "htable", "name=>size=8;autoexpire=10;initval=1;")`."""

from typing import Any, Final

from sipwright.settings.model import TableSettings

_TEXT: Final = ("dbtable", "cols", "colnull", "colsep")


def table(text: str) -> tuple[str, dict[str, Any], list[str]]:
    """The name of the table, its settings, and the attributes that mean nothing here. ValueError if it cannot be read."""
    name, arrow, rest = text.partition("=>")
    name = name.strip()
    if not name or (arrow and not name.replace("_", "a").replace("-", "a").isalnum()):
        raise ValueError(f'{text!r} is no table; an example: "ipban=>size=8;autoexpire=300"')
    settings: dict[str, Any] = {}
    left_out: list[str] = []
    for part in filter(None, (part.strip() for part in rest.split(";"))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ValueError(f"{part!r} is no ATTRIBUTE=VALUE")
        field = next((key + unit for unit in ("", "_s") if key + unit in TableSettings.model_fields), None)
        if field is None:
            left_out.append(key)
        else:
            settings[field] = value if key in _TEXT or not value.lstrip("-").isdigit() else int(value)
    return name, settings, left_out
