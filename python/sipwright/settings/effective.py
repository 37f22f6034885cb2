"""What is used where a setting was left out and the answer depends on the machine.

No addresses: loopback, and HTTP for control on loopback too. No data directory: the XDG state directory. No certificate: a development certificate that
is made once and kept in the data directory. No script: the built-in registrar and proxy.
"""

import os
from collections.abc import Callable
from pathlib import Path

from sipwright.settings.addresses import has_ipv6_loopback
from sipwright.settings.errors import SettingsError
from sipwright.settings.http import DEFAULT_PORT, HttpAddress, HttpSettings
from sipwright.settings.listen import Listen
from sipwright.settings.model import Settings

# (directory, host names) -> (authority, certificate, key), each the path of a PEM file
CertificateMaker = Callable[[str, list[str]], tuple[str, str, str]]


def effective(settings: Settings, make_certificates: CertificateMaker) -> Settings:
    """The settings with every gap filled; makes the data directory and, if one is needed, a certificate."""
    data_dir = settings.data_dir.expanduser().absolute() if settings.data_dir else default_data_dir()
    _make_private(data_dir)
    filled = settings.model_copy(
        update={
            "data_dir": data_dir,
            "listen": settings.listen or loopback(),
            "http": settings.http if settings.listen or settings.http.listen else _with_http(settings.http),
            "script": settings.script.model_copy(update={"path": script_path(settings)}),
        }
    )
    return _with_certificate(filled, data_dir, make_certificates)


def _with_http(http: HttpSettings) -> HttpSettings:
    return http.model_copy(update={"listen": [HttpAddress("127.0.0.1", DEFAULT_PORT)]})


def default_data_dir() -> Path:
    """`$XDG_STATE_HOME/sipwright`, by default `~/.local/state/sipwright`."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "sipwright"


def loopback() -> list[Listen]:
    """UDP and TCP on port 5060 and TLS on 5061 of this machine's loopback addresses."""
    hosts = ["127.0.0.1", *(["::1"] if has_ipv6_loopback() else [])]
    return [
        *(Listen(proto, host, 5060) for host in hosts for proto in ("udp", "tcp")),
        *(Listen("tls", host, 5061) for host in hosts),
    ]


def script_path(settings: Settings) -> Path:
    """The routing script: the one that was named, else the one that Sipwright brings."""
    if settings.script.path is not None:
        return settings.script.path.expanduser().absolute()
    return Path(__file__).parent.parent / "default_script.py"


def _with_certificate(settings: Settings, data_dir: Path, make: CertificateMaker) -> Settings:
    tls = settings.tls
    if tls.private_key and not tls.certificate:
        raise SettingsError("tls.certificate: must be given too, since tls.private_key is")
    listens_tls = any(listen.proto in ("tls", "wss") for listen in settings.listen)
    if tls.certificate or tls.server or tls.config or not listens_tls:
        return settings
    _, certificate, key = make(str(data_dir / "tls"), certificate_hosts(settings))
    update = {"certificate": Path(certificate), "private_key": Path(key)}
    return settings.model_copy(update={"tls": tls.model_copy(update=update)})


def certificate_hosts(settings: Settings) -> list[str]:
    """The names and addresses that a development certificate must be valid for."""
    hosts = ["localhost", "127.0.0.1", "::1"]
    for listen in settings.listen:
        if listen.host not in ("0.0.0.0", "::"):
            hosts.append(listen.host)
        if listen.advertise:
            hosts.append(listen.advertise[0])
    hosts += [alias.split(":")[1 if alias.startswith(("udp:", "tcp:", "tls:")) else 0] for alias in settings.aliases]
    return list(dict.fromkeys(host for host in hosts if host))


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"data_dir: cannot make {directory}: {error.strerror}") from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise SettingsError(f"data_dir: {directory} is not writable")
