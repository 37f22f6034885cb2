"""TLS of a running server: `tls.list`, `tls.show`, `tls.info`, `tls.options`, `tls.reload`, `tls.kill`, and changed files.

Names and shapes are those of Kamailio's module tls; keys that say more come after them.
"""

import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.control.rpc import FAILED, Rpc, RpcError
from sipwright.settings.engine import profiles, tls_json
from sipwright.settings.errors import SettingsError
from sipwright.settings.model import Settings
from sipwright.settings.tls_cfg import TlsCfg
from sipwright.views import certificate
from sipwright.watching import Watch

if TYPE_CHECKING:
    from sipwright.server import Server

# A certificate that ends within so many days is to be renewed.
SOON_DAYS: Final = 21
_Facts = tuple[str, str, list[str], str, str, str, str, str | None]
_Listed = tuple[
    tuple[int, tuple[str, int], tuple[str, int], bool, str, int, int, str],
    tuple[str, str, str, str | None, bool, bool, str, str | None] | None,
]
_FILES: Final = ("certificate", "private_key", "passphrase_file", "ca_list", "crl", "ocsp_response")


class TlsControl:
    """Reloads profiles and the files that they name; one reload at a time."""

    def __init__(self, server: "Server", reread: Callable[[], Settings] | None = None) -> None:
        self._server = server
        self._reread = reread
        self._lock = threading.Lock()
        self._settings = server.settings
        self._cfg = profiles(server.settings.tls)
        self._files = Watch(self._paths)

    @property
    def settings(self) -> Settings:
        """The settings whose part `tls` is in force."""
        return self._settings

    @property
    def cfg(self) -> TlsCfg:
        """The profiles in force."""
        return self._cfg

    def reload(self) -> None:
        """Reads settings, tls.cfg and all files again. Raises SettingsError or BindError; then nothing has changed."""
        with self._lock:
            settings = self._server.settings
            if self._reread is not None:
                settings = settings.model_copy(update={"tls": self._reread().tls})
                settings = self._filled(settings)
            self._replace(settings)

    def take_over(self, settings: Settings) -> None:
        """Brings the part `tls` of these settings into force, with all files. Raises as `reload`."""
        with self._lock:
            self._replace(settings)

    def _filled(self, settings: Settings) -> Settings:
        """With the development certificate that the start made where there was no other."""
        tls, started = settings.tls, self._server.settings.tls
        if tls.certificate or tls.server or tls.config or started.certificate is None:
            return settings
        update = {"certificate": started.certificate, "private_key": started.private_key}
        return settings.model_copy(update={"tls": tls.model_copy(update=update)})

    def _replace(self, settings: Settings) -> None:
        self._files = Watch(self._paths)
        cfg = profiles(settings.tls)
        warnings = [*cfg.warnings, *self._server.engine.reload_tls(tls_json(settings))]
        self._settings, self._cfg = settings, cfg
        self._files = Watch(self._paths)
        for text in warnings:
            log.warning(text)

    def watch(self) -> None:
        """Reloads the files of the profiles in force once they have changed and then stayed as they are for a look.

        The profiles themselves, in tls.cfg and the settings, are read again only on command.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if changed := self._files.changed():
                self._reload_changed(", ".join(map(str, changed)))
        finally:
            self._lock.release()

    def _reload_changed(self, names: str) -> None:
        try:
            for text in self._server.engine.reload_tls(tls_json(self._settings)):
                log.warning(text)
        except (SettingsError, _engine.BindError, _engine.ConfigError) as error:
            log.error(f"TLS: {names} changed, what was read before stays in force: {error}")
        else:
            log.notice(f"TLS: {names} changed and is in force")

    def _paths(self) -> list[Path]:
        inside = [*(p.profile for p in self._cfg.server), *(p.profile for p in self._cfg.client)]
        found = (getattr(profile, name) for profile in inside for name in _FILES if hasattr(profile, name))
        return [path for path in found if path is not None]


def register(rpc: Rpc, server: "Server") -> None:
    """Adds the methods of TLS."""
    rpc.add("tls.list", partial(connections, server))
    rpc.add("tls.show", partial(connection, server))
    rpc.add("tls.info", partial(info, server))
    rpc.add("tls.options", partial(options, server))
    rpc.add("tls.reload", partial(reload, server), blocking=True)
    rpc.add("tls.kill", partial(kill, server))


def reload(server: "Server") -> str:
    """Kamailio's answer, or an error that says which file is wrong."""
    try:
        server.tls.reload()
    except (SettingsError, _engine.BindError, _engine.ConfigError) as error:
        text = f"TLS reload failed, what was read before stays in force: {error}"
        log.error(text)
        raise RpcError(FAILED, text) from error
    log.notice("TLS: certificates, keys and profiles were reloaded")
    return "Ok. TLS configuration reloaded."


def connections(server: "Server", most: int = 0) -> list[dict[str, Any]]:
    """Open TLS connections, not more than `most` if that is not 0: `src` is the other side, as in Kamailio."""
    rows = server.engine.tls_connections()
    return [_connection(server, row, time.time()) for row in (rows[:most] if most > 0 else rows)]


def connection(server: "Server", conid: int) -> dict[str, Any]:
    """One of them. Raises RpcError when there is none of that id."""
    found = [row for row in server.engine.tls_connections() if row[0][0] == conid]
    if not found:
        raise RpcError(FAILED, f"there is no TLS connection {conid}")
    return _connection(server, found[0], time.time())


def _connection(server: "Server", listed: _Listed, now: float) -> dict[str, Any]:
    (conid, source, local, outbound, state, timeout_ms, queued, thread), agreed = listed
    row: dict[str, Any] = {
        "id": conid,
        "timeout": timeout_ms // 1000,
        "src_ip": source[0],
        "src_port": source[1],
        "dst_ip": local[0],
        "dst_port": local[1],
        "cipher": "",
        "ct_wq_size": queued,
        "enc_rd_buf": 0,
        "flags": 0,
        "state": "established" if state == "open" else state,
        "outbound": outbound,
    }
    if agreed is not None:
        names = ("cipher", "version", "profile", "server_name", "verified", "resumed", "certificate", "unverified")
        own, peer = server.engine.tls_certificates(conid)
        certificates = {"own_certificate": _certificate(own, now), "peer_certificate": _certificate(peer, now)}
        row |= {**dict(zip(names, agreed, strict=True)), **certificates}
    return {**row, "threads_mode": server.settings.tls.threads_mode, "thread": thread}


def _certificate(facts: _Facts | None, now: float) -> dict[str, Any] | None:
    """What a certificate says, with how it stands with its time."""
    if facts is None:
        return None
    names = ("subject", "issuer", "names", "serial", "not_before", "not_after", "fingerprint", "common_name")
    said = dict(zip(names, facts, strict=True))
    begin, end = (ssl.cert_time_to_seconds(str(said[name])) for name in ("not_before", "not_after"))
    return {**said, "days_left": int((end - now) // certificate.DAY_S), "validity": _validity(begin, end, now)}


def _validity(begin: float, end: float, now: float) -> str:
    if now < begin:
        return "not yet valid"
    if now > end:
        return "expired"
    return "expires soon" if end - now < SOON_DAYS * certificate.DAY_S else "valid"


def info(server: "Server") -> dict[str, Any]:
    """How many connections there are and may be, and what waits in them."""
    open_now = server.engine.tls_connections()
    stats = server.engine.stats()
    handshakes = {name: stats[name] for name in stats if name.startswith(("handshakes_", "tls_"))}
    return {
        "max_connections": server.settings.limits.connections,
        "opened_connections": len(open_now),
        "clear_text_write_queued_bytes": sum(plain[6] for plain, _ in open_now),
        **handshakes,
    }


def options(server: "Server") -> dict[str, Any]:
    """Kamailio's names with what is in force, and every profile."""
    settings, cfg = server.tls.settings, server.tls.cfg
    tls = settings.tls
    method = "TLSv1.3" if tls.min_version == "1.3" else "TLSv1.2+"
    return {
        "force_run": 0,
        "method": method,
        "verify_certificate": int(tls.verify_server),
        "verify_depth": tls.verify_depth,
        "require_certificate": int(tls.verify_client == "require"),
        "verify_client": {"none": "off", "require": "on"}.get(tls.verify_client, tls.verify_client),
        "private_key": _text(tls.private_key),
        "ca_list": _text(tls.ca_list),
        "certificate": _text(tls.certificate),
        "cipher_list": tls.cipher_list or None,
        "session_cache": tls.session_cache,
        "config": _text(tls.config),
        "connection_timeout": settings.timeouts.idle_ms // 1000,
        "disable_compression": 1,
        "send_close_notify": 1,
        "con_ct_wq_max": settings.limits.write_buffer_bytes,
        "threads_mode": tls.threads_mode,
        "session_tickets": tls.session_tickets,
        "ticket_lifetime_s": tls.ticket_lifetime_s,
        "watch_s": tls.watch_s,
        "server": [_profile(placed.source, placed.profile.model_dump(mode="json")) for placed in cfg.server],
        "client": [_profile(placed.source, placed.profile.model_dump(mode="json")) for placed in cfg.client],
    }


def _profile(source: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"profile": source, **{name: value for name, value in values.items() if value not in (None, "", [])}}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def kill(server: "Server", conid: int) -> str:
    """Closes a TLS connection by its id in `tls.list`."""
    known = {plain[0] for plain, _ in server.engine.tls_connections()}
    if conid not in known or not server.engine.close_connection(conid):
        raise RpcError(FAILED, f"there is no TLS connection {conid}")
    return "Ok. TLS connection closed."
