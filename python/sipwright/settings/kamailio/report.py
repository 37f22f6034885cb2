"""What was done with each statement of a kamailio.cfg."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from sipwright.settings.kamailio.tokens import Place

# honoured: it is a setting now. ignored: it means nothing here, for the reason given. missing: Kamailio does something by
# it that is not done here. unknown: Kamailio does not know it either. refused: the server does not run with it.
Status = Literal["honoured", "ignored", "missing", "unknown", "refused"]
Kind = Literal["global", "listen", "alias", "module", "modparam", "route", "directive"]
WARNED: tuple[Status, ...] = ("missing", "unknown")


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement. `note` is the setting that it became, or the reason."""

    status: Status
    kind: Kind
    name: str
    value: str
    place: Place
    note: str = ""
    # Ignored, and yet worth a warning at the start.
    warn: bool = False

    @property
    def is_warning(self) -> bool:
        """Whether the server says it when it starts."""
        return self.warn or self.status in WARNED

    def __str__(self) -> str:
        shown = f"{self.name} = {self.value}" if self.value else self.name
        return f"{self.place}: {shown}: {self.note}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        values = asdict(self)
        values["file"], values["line"] = self.place.file, self.place.line
        del values["place"], values["warn"]
        return values


_SECRETS: Final = ("password", "passwd", "secret", "passphrase")
_IN_URL: Final = re.compile(r"(//[^/@:\s]*):[^@/\s]+@")


def shown(name: str, value: object) -> str:
    """A value as reports and logs show it, without passwords."""
    parameter = name.rpartition(".")[2]
    if any(word in parameter for word in _SECRETS) and not parameter.endswith(("_column", "_col", "_avp")):
        return "***"
    return _IN_URL.sub(r"\1:***@", str(value))


def ignored(kind: Kind, name: str, place: Place, reason: str, *, value: str = "", warn: bool = False) -> Entry:
    """An entry for what means nothing here."""
    return Entry("ignored", kind, name, value, place, reason, warn)
