"""Reads Kamailio's tls.cfg: profiles of TLS in sections such as `[server:default]` and `[client:192.0.2.1:5061]`.

What a key means is Kamailio's; where rustls cannot do it, the file is refused with line, section and what to write
instead, or a warning says what is different. `docs/reference/tls-cfg.md` lists every key.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from sipwright.settings.errors import SettingsError, near
from sipwright.settings.tls import TlsClientProfile, TlsServerProfile, endpoint

_TRUE: Final = {"yes", "true", "on", "enable", "enabled", "1"}
_FALSE: Final = {"no", "false", "off", "disable", "disabled", "0"}
_FILES: Final = ("certificate", "private_key", "ca_list", "ca_path", "crl", "passphrase_file", "ocsp_response")
_SAME: Final = ("server_name", "server_id", "cipher_list", "passphrase_env")
_FLAGS: Final = ("verify_certificate", "require_certificate", "verify_name", "wildcards")
_NUMBERS: Final = ("verify_depth", "server_name_mode")
_OTHER: Final = ("method", "tls_method", "verify_client", "curves")
T = TypeVar("T")

KEYS: Final = (*_OTHER, *_FLAGS, *_FILES, *_SAME, *_NUMBERS)

VERIFY_CLIENT: Final = {"off": "none", "on": "require", "optional": "optional", "optional_no_ca": "optional_no_ca"}
# Value of `method`: oldest and newest version.
_METHODS: Final = {
    "tlsv1.2": ("1.2", "1.2"),
    "tlsv1.2+": ("1.2", "1.3"),
    "tlsv1.3": ("1.3", "1.3"),
    "tlsv1.3+": ("1.3", "1.3"),
}
_WITH_OLD: Final = ("sslv23", "tlsv1+", "tlsv1.1+")
_OLD: Final = ("sslv2", "sslv3", "tlsv1", "tlsv1.0", "tlsv1.1")


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A profile and where it stands: `tls.cfg:12 [server:any]`."""

    profile: T
    source: str


@dataclass(slots=True)
class TlsCfg:
    """What a tls.cfg says."""

    server: list[Placed[TlsServerProfile]] = field(default_factory=list)
    client: list[Placed[TlsClientProfile]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Section:
    file: Path
    line: int
    role: str
    domain: str
    entries: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return f"{self.file}:{self.line} [{self.role}:{self.domain}]"

    def at(self, key: str) -> str:
        return f"{self.file}:{self.entries[key][0]}: [{self.role}:{self.domain}] {key}"


def read_tls_cfg(path: Path, base: Path | None = None) -> TlsCfg:
    """The profiles of a file, or of the `*.cfg` files of a directory.

    Paths in it that begin with neither `/` nor `.` count from `base`, by default the file's directory; those that
    begin with `.` from the working directory. Raises SettingsError with a line for each problem.
    """
    files = sorted(path.glob("*.cfg")) if path.is_dir() else [path]
    if not files:
        raise SettingsError(f"{path}: no *.cfg file in it")
    problems: list[str] = []
    sections = [section for file in files for section in _sections(file, problems)]
    problems += _duplicates(sections)
    found = TlsCfg()
    for section in sections:
        try:
            _add(found, section, base or section.file.parent)
        except SettingsError as error:
            problems += error.lines
    if problems:
        raise SettingsError(*problems)
    return found


def _sections(file: Path, problems: list[str]) -> list[_Section]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise SettingsError(f"{file}: {reason}") from None
    sections: list[_Section] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            if line.startswith("["):
                sections.append(_header(file, number, line))
            elif not sections:
                raise ValueError("comes before the first section, such as [server:default]")
            else:
                _entry(sections[-1], number, line)
        except ValueError as error:
            problems.append(f"{file}:{number}: {error}")
    return sections


def _header(file: Path, number: int, line: str) -> _Section:
    found = re.fullmatch(r"\[\s*(\w+)\s*:\s*(\S+?)\s*\]\s*(#.*)?", line)
    if not found:
        raise ValueError(f"{line} is no section; [server:default], [server:any], [client:192.0.2.1:5061]")
    role, domain = found[1].lower(), found[2]
    if role not in ("server", "client"):
        raise ValueError(f"{role!r} is not known here; a section is [server:...] or [client:...]")
    if domain.lower() in ("default", "any"):
        domain = domain.lower()
    else:
        endpoint(domain)
    return _Section(file, number, role, domain)


def _entry(section: _Section, number: int, line: str) -> None:
    key, equals, rest = line.partition("=")
    key = key.strip().lower()
    if not equals:
        raise ValueError(f"{line!r} is no `key = value`")
    if key not in KEYS:
        raise ValueError(f"[{section.role}:{section.domain}] {key}: there is no such key{near(key, list(KEYS))}")
    if key in section.entries:
        raise ValueError(f"[{section.role}:{section.domain}] {key}: given before, in line {section.entries[key][0]}")
    section.entries[key] = (number, _value(rest.strip()))


def _value(text: str) -> str:
    if quoted := re.fullmatch(r"""(["'])(.*?)\1\s*(#.*)?""", text):
        return quoted[2]
    return text.split("#", 1)[0].strip()


def _duplicates(sections: Iterable[_Section]) -> list[str]:
    """Kamailio's rules: one default of each kind; others may come more than once if each has a server_name."""
    problems: list[str] = []
    first: dict[tuple[str, str], _Section] = {}
    for section in sections:
        key = (section.role, section.domain)
        before = first.setdefault(key, section)
        if before is section:
            continue
        if section.domain == "default":
            problems.append(f"{section.source}: there is one before, in line {before.line}")
        elif any("server_name" not in s.entries and "server_id" not in s.entries for s in (before, section)):
            problems.append(f"{section.source}: comes after one in line {before.line}: each needs a server_name")
    return problems


def _add(found: TlsCfg, section: _Section, base: Path) -> None:
    values = _common(found, section, base)
    is_any = section.domain == "any"
    if is_any and "server_name" not in values and not (section.role == "client" and "server_id" in values):
        raise SettingsError(f"{section.source}: needs a server_name, or write [{section.role}:default]")
    if section.role == "server":
        values["verify_client"] = _verify_client(section)
        found.server.append(Placed(_made(TlsServerProfile, values, section), section.source))
        return
    values["verify"] = _verify_server(section)
    if "verify_client" in section.entries:
        found.warnings.append(f"{section.at('verify_client')}: means nothing in a client profile")
    if section.domain == "default" and "server_id" in values:
        # By its id it is chosen, and it is the default besides.
        found.client.append(Placed(_made(TlsClientProfile, values, section), section.source))
        values.pop("server_id")
    found.client.append(Placed(_made(TlsClientProfile, values, section), section.source))


def _common(found: TlsCfg, section: _Section, base: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if section.domain not in ("default", "any"):
        values["address"] = section.domain
    for key, (_, text) in section.entries.items():
        if key in _FILES:
            values[key] = _path(section, key, text, base)
        elif key in _SAME:
            values[key] = text
        elif key in _NUMBERS:
            values[key] = _number(section, key)
        elif key in ("verify_name", "wildcards") and section.role == "client":
            values[key] = _flag(section, key)
        elif key in ("method", "tls_method"):
            values["min_version"], values["max_version"] = _method(found, section, key)
        elif key == "curves":
            values[key] = [name for name in re.split(r"[:,\s]+", text) if name]
    if section.domain == "default" and "server_name" in values and section.role == "server":
        # A default is for every name; Kamailio too looks at it only when nothing else fits.
        values.pop("server_name")
    if values.get("server_name_mode") not in (None, 0, 1, 2):
        values["server_name_mode"] = 0
    return values


def _path(section: _Section, key: str, text: str, base: Path) -> Path:
    if text.startswith(("/engine:", "/uri:")):
        raise SettingsError(f"{section.at(key)}: keys in OpenSSL engines and HSMs are not offered; give a PEM file")
    if not text:
        raise SettingsError(f"{section.at(key)}: needs a file name")
    path = Path(text)
    return path if path.is_absolute() else (Path.cwd() if text.startswith(".") else base) / path


def _number(section: _Section, key: str) -> int:
    text = section.entries[key][1]
    if not re.fullmatch(r"\d{1,9}", text):
        raise SettingsError(f"{section.at(key)}: {text!r} is not a number")
    return int(text)


def _flag(section: _Section, key: str) -> bool | None:
    """The value of a key that is yes or no; None when it is not given."""
    if key not in section.entries:
        return None
    text = section.entries[key][1].lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise SettingsError(f"{section.at(key)}: {text!r} is neither yes nor no")


def _method(found: TlsCfg, section: _Section, key: str) -> tuple[str, str]:
    try:
        oldest, newest, warning = tls_versions(section.entries[key][1])
    except ValueError as error:
        raise SettingsError(f"{section.at(key)}: {error}") from None
    if warning:
        found.warnings.append(f"{section.at(key)}: {warning}")
    return oldest, newest


def tls_versions(method: str) -> tuple[str, str, str]:
    """Oldest and newest version that a `tls_method` stands for, and what is different from Kamailio; ValueError."""
    name = method.lower().replace("_", ".")
    if versions := _METHODS.get(name):
        return *versions, ""
    if name in _WITH_OLD:
        return *_METHODS["tlsv1.2+"], f"of {method}, TLS 1.2 and 1.3 are offered, older versions are not"
    if name in _OLD:
        raise ValueError(f"{method} is not offered, its protocol is broken (RFC 8996); write TLSv1.2+")
    raise ValueError(f"{method!r} is not known; one of: TLSv1.2+, TLSv1.2, TLSv1.3")


def _verify_client(section: _Section) -> str:
    if "verify_client" in section.entries:
        text = section.entries["verify_client"][1].lower()
        if text not in VERIFY_CLIENT:
            raise SettingsError(f"{section.at('verify_client')}: {text!r}: one of: {', '.join(VERIFY_CLIENT)}")
        return VERIFY_CLIENT[text]
    verify, require = (_flag(section, key) for key in ("verify_certificate", "require_certificate"))
    if require:
        return "require"
    return "optional" if verify else "none"


def _verify_server(section: _Section) -> bool:
    """Unlike Kamailio, which verifies nothing unless told to, only an explicit `no` turns it off."""
    verify, require = (_flag(section, key) for key in ("verify_certificate", "require_certificate"))
    return verify is not False or bool(require)


def _made(model: Callable[..., T], values: dict[str, Any], section: _Section) -> T:
    try:
        return model(**values)
    except ValidationError as error:
        lines = []
        for detail in error.errors(include_url=False):
            key = str(detail["loc"][0]) if detail["loc"] else ""
            if detail["type"] == "missing":
                lines.append(f"{section.source}: needs a {key}")
                continue
            where = section.at(key) if key in section.entries else f"{section.source} {key}"
            lines.append(f"{where}: {detail['msg'].removeprefix('Value error, ')}")
        raise SettingsError(*lines) from None
