"""What the settings of media proxies have in common."""

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from sipwright.settings.database import checked_url


def _sockets(value: Any) -> Any:
    from sipwright.modules.media_nodes import parse_nodes

    texts = [value] if isinstance(value, str) else value
    for text in texts if isinstance(texts, list) else []:
        if isinstance(text, str):
            parse_nodes(text)
    return texts


Sockets = Annotated[list[str], BeforeValidator(_sockets)]
DatabaseUrl = Annotated[str, BeforeValidator(lambda url: checked_url(url) if isinstance(url, str) else url)]
VARIABLE: Final = r"^(\$\S+)?$"


def pv(meaning: str) -> Any:
    """A setting that names a variable which gets something."""
    return Field("", pattern=VARIABLE, description=f"Variable that gets {meaning}; empty for none.")
