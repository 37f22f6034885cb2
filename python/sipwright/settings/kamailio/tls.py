"""Parameters of the module tls: certificates and what peers must show, as tls.cfg has them for a default profile."""

from pathlib import Path
from typing import Any, Final

from sipwright.settings.errors import Origin
from sipwright.settings.kamailio.modparams import TLS_FILES, tls_path
from sipwright.settings.kamailio.report import Status
from sipwright.settings.kamailio.statements import ModParam
from sipwright.settings.sources import Given
from sipwright.settings.tls_cfg import VERIFY_CLIENT, tls_versions

_FLAGS: Final = ("verify_certificate", "require_certificate")


class TlsParameters:
    """Collects the parameters, since several make one setting."""

    def __init__(self, cfg: Path) -> None:
        self.cfg = cfg
        self.values: dict[str, Given] = {}
        self.flags: dict[str, bool] = {}
        self.origin = Origin(str(cfg))

    def take(self, parameter: ModParam) -> tuple[Status, str] | None:
        """Notes a parameter; what to report of it, or None if it is none of these."""
        name, value = parameter.name, parameter.value
        origin = Origin(f"{parameter.place}: modparam tls.{name}")
        if name in TLS_FILES:
            self._give(name, str(tls_path(str(value), self.cfg)), origin)
            return "honoured", f"tls.{name}"
        if name in _FLAGS:
            self.flags[name], self.origin = bool(value), origin
            return "honoured", "tls.verify_client, tls.verify_server"
        if name == "verify_client":
            mode = VERIFY_CLIENT.get(str(value).lower())
            if mode is None:
                return "refused", f"must be one of: {', '.join(VERIFY_CLIENT)}"
            self._give("verify_client", mode, origin)
            return "honoured", "tls.verify_client"
        if name in ("tls_method", "method"):
            try:
                oldest, newest, warning = tls_versions(str(value))
            except ValueError as error:
                return "refused", str(error)
            self._give("min_version", oldest, origin)
            self._give("max_version", newest, origin)
            note = "tls.min_version, tls.max_version"
            return "honoured", f"{note}: {warning}" if warning else note
        return None

    def given(self) -> list[Given]:
        """The settings."""
        if self.flags and "verify_client" not in self.values:
            required = self.flags.get("require_certificate", False)
            verified = self.flags.get("verify_certificate", False)
            self._give("verify_client", "require" if required else "optional" if verified else "none", self.origin)
        if self.flags:
            # As in tls.cfg: only an explicit no turns it off.
            trusting = self.flags.get("verify_certificate") is False and not self.flags.get("require_certificate")
            self._give("verify_server", not trusting, self.origin)
        if "config" in self.values:
            # Kamailio takes the profiles of the file then, too.
            return [given for name, given in self.values.items() if name not in ("certificate", "private_key")]
        return list(self.values.values())

    def _give(self, name: str, value: Any, origin: Origin) -> None:
        self.values[name] = Given(("tls", name), value, origin)
