"""The settings as the engine reads them: JSON of `EngineConfig` in crates/engine/src/config.rs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sipwright.settings.addresses import resolve
from sipwright.settings.errors import SettingsError
from sipwright.settings.listen import Listen
from sipwright.settings.model import Settings, TlsClientProfile, TlsServerProfile

Resolver = Callable[[str], str]


def to_engine_json(settings: Settings, resolver: Resolver = resolve) -> str:
    """The engine's configuration as JSON.

    `settings` are effective ones (`sipwright.settings.effective`): with addresses, and with a certificate when
    one listens for TLS. `resolver` turns a host or interface name into an address. Raises SettingsError.
    """
    udp = settings.udp
    return json.dumps(
        {
            "listen": [entry for listen in settings.listen for entry in _listen(listen, resolver)],
            "workers": settings.script.workers,
            "tls": _tls(settings),
            "limits": _limits(settings),
            "timeouts": settings.timeouts.model_dump(),
            "timers": settings.timers.model_dump(),
            "udp": {
                "receive_buffer": udp.receive_buffer_bytes,
                "send_buffer": udp.send_buffer_bytes,
                "batch": udp.batch,
            },
            "dns": settings.dns.model_dump(mode="json"),
            "forward": {
                "mhomed": settings.forward.mhomed,
                "udp_mtu": settings.forward.udp_mtu_bytes,
                "udp_mtu_try_proto": settings.forward.udp_mtu_try_proto,
            },
            "rr": settings.rr.model_dump(),
            "aliases": settings.aliases,
            "server_header": settings.server_header,
            "relief_after_ms": udp.relief_after_ms,
        }
    )


def _listen(listen: Listen, resolver: Resolver) -> list[dict[str, Any]]:
    try:
        address = resolver(listen.host)
    except OSError as error:
        raise SettingsError(f"listen {listen}: {error.strerror or error}") from None
    entries: list[dict[str, Any]] = []
    for proto, _, port in listen.sockets():
        if proto in ("ws", "wss"):
            raise SettingsError(f"listen {listen}: WebSocket is not implemented yet; one of: udp, tcp, tls")
        entry: dict[str, Any] = {"proto": proto, "addr": address, "port": port}
        if listen.advertise:
            host, advertised = listen.advertise
            entry["advertise"] = [host, port if advertised is None else advertised]
        if listen.name:
            entry["name"] = listen.name
        entries.append(entry)
    return entries


def _tls(settings: Settings) -> dict[str, Any]:
    tls = settings.tls
    servers, clients = list(tls.server), list(tls.client)
    if tls.certificate and tls.private_key:
        default = TlsServerProfile(
            certificate=tls.certificate,
            private_key=tls.private_key,
            ca_list=tls.ca_list,
            verify_client=tls.verify_client,
            min_version=tls.min_version,
        )
        servers.append(default)
    clients.append(TlsClientProfile(ca_list=tls.ca_list, verify=tls.verify_server, min_version=tls.min_version))
    return {
        "threads_mode": tls.threads_mode,
        "threads": tls.threads,
        "server": [_profile(profile, "client_ca") for profile in servers],
        "client": [_profile(profile, "ca") for profile in clients],
        "session_cache": tls.session_cache,
        "session_tickets": tls.session_tickets,
    }


def _profile(profile: TlsServerProfile | TlsClientProfile, ca_name: str) -> dict[str, Any]:
    values = profile.model_dump(exclude_none=True)
    names = {"address": "addr", "ca_list": ca_name}
    return {names.get(key, key): str(value) if isinstance(value, Path) else value for key, value in values.items()}


def _limits(settings: Settings) -> dict[str, Any]:
    limits = settings.limits
    return {
        "max_message": limits.max_message_bytes,
        "connections": limits.connections,
        "connections_per_source": limits.connections_per_source,
        "handshakes": limits.handshakes,
        "write_buffer": limits.write_buffer_bytes,
        "queue": limits.queue_messages,
        "retry_after_s": limits.retry_after_s,
    }
