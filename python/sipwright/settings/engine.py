"""The settings as the engine reads them: JSON of `EngineConfig` in crates/engine/src/config.rs."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sipwright.settings.addresses import names_of, resolve
from sipwright.settings.errors import SettingsError
from sipwright.settings.listen import Listen
from sipwright.settings.model import Settings
from sipwright.settings.requests import initial
from sipwright.settings.tls import TlsClientProfile, TlsServerProfile, TlsSettings
from sipwright.settings.tls_cfg import Placed, TlsCfg, read_tls_cfg

Resolver = Callable[[str], str]
Reverse = Callable[[str], list[str]]


def to_engine_json(settings: Settings, resolver: Resolver = resolve, reverse: Reverse = names_of) -> str:
    """The engine's configuration as JSON.

    `settings` are effective ones (`sipwright.settings.effective`): with addresses, and with a certificate when
    one listens for TLS. `resolver` turns a host or interface name into an address, `reverse` an address into its names
    for `auto_aliases`. Raises SettingsError.
    """
    sockets = [entry for listen in settings.listen for entry in _listen(listen, resolver)]
    udp = settings.udp
    return json.dumps(
        {
            "listen": sockets,
            "workers": settings.script.workers,
            "tls": _tls(settings),
            "limits": _limits(settings),
            "timeouts": settings.timeouts.model_dump(),
            "timers": settings.timers.model_dump(),
            "tm": settings.tm.model_dump(),
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
                "tos": settings.forward.tos,
                "stray_responses": settings.forward.stray_responses,
            },
            "rr": settings.rr.model_dump(),
            "nathelper": {
                **settings.nathelper.model_dump(
                    include={"alias_name", "nat_addr_mode", "nortpproxy_str", "append_sdp_oldmediaip"}
                ),
                "received_avp": settings.nathelper.received_avp_name(),
            },
            "path": settings.path.model_dump(),
            "outbound": {**settings.outbound.model_dump(), "enabled": _has_outbound(settings)},
            "xhttp": settings.xhttp.model_dump(),
            "websocket": _websocket(settings),
            "accept_missing_length": settings.tcp.accept_no_cl,
            "uac": settings.uac.model_dump(
                include={"restore_mode", "rr_from_store_param", "rr_to_store_param", "restore_passwd"}
            ),
            "record": {**settings.record.model_dump(), "slow_ms": settings.script.slow_call_ms},
            "aliases": [*settings.aliases, *_auto_aliases(settings, sockets, reverse)],
            "alias_subdomains": settings.corex.alias_subdomains,
            "server_header": settings.server_header,
            "user_agent_header": (
                settings.server_header if settings.user_agent_header is None else settings.user_agent_header
            ),
            "server_id": settings.server_id,
            "force_rport": settings.forward.force_rport,
            "local_rport": settings.forward.local_rport,
            "xavp_via_params": settings.xavp_via_params,
            "xavp_via_fields": settings.xavp_via_fields,
            "max_forwards_limit": settings.maxfwd.max_limit,
            "varset": [initial(line) for line in settings.pv.varset],
            "avp_aliases": list(settings.pv.aliases().items()),
            "sanity": settings.sanity.model_dump(),
            "siputils": settings.siputils.model_dump(),
            "log_prefix": {"text": settings.log.prefix, "each_line": settings.log.prefix_mode == 1},
            "relief_after_ms": udp.relief_after_ms,
        }
    )


def _has_outbound(settings: Settings) -> bool:
    enabled = settings.outbound.enabled
    return "outbound" in (settings.modules or ()) if enabled is None else enabled


def _auto_aliases(settings: Settings, sockets: list[dict[str, Any]], reverse: Reverse) -> list[str]:
    if not settings.auto_aliases:
        return []
    addresses = dict.fromkeys(entry["addr"] for entry in sockets)
    return list(dict.fromkeys(name for address in addresses for name in reverse(address)))


def _listen(listen: Listen, resolver: Resolver) -> list[dict[str, Any]]:
    try:
        address = resolver(listen.host)
    except OSError as error:
        raise SettingsError(f"listen {listen}: {error.strerror or error}") from None
    entries: list[dict[str, Any]] = []
    for proto, _, port in listen.sockets():
        entry: dict[str, Any] = {"proto": proto, "addr": address, "port": port}
        if listen.advertise:
            host, advertised = listen.advertise
            entry["advertise"] = [host, port if advertised is None else advertised]
        if listen.name:
            entry["name"] = listen.name
        entries.append(entry)
    return entries


def tls_json(settings: Settings) -> str:
    """The part of the engine's configuration that `tls.reload` replaces. Raises SettingsError."""
    return json.dumps(_tls(settings))


def _tls(settings: Settings) -> dict[str, Any]:
    tls = settings.tls
    found = profiles(tls)
    key_log = tls.key_log or os.environ.get("SSLKEYLOGFILE") or None
    return {
        "threads_mode": tls.threads_mode,
        "threads": tls.threads,
        "server": [_server_profile(placed) for placed in found.server],
        "client": [_client_profile(placed) for placed in found.client],
        "session_cache": tls.session_cache,
        "session_tickets": tls.session_tickets,
        "ticket_lifetime_s": tls.ticket_lifetime_s,
        "key_log": str(key_log) if key_log else None,
        "event_callback": tls.event_callback,
    }


def profiles(tls: TlsSettings) -> TlsCfg:
    """The profiles of the settings or of the tls.cfg that they name, the default ones last. Raises SettingsError."""
    if tls.config:
        return read_tls_cfg(tls.config)
    servers = [Placed(profile, f"tls.server[{i}]") for i, profile in enumerate(tls.server)]
    clients = [Placed(profile, f"tls.client[{i}]") for i, profile in enumerate(tls.client)]
    shared = {name: getattr(tls, name) for name in _SHARED}
    if tls.certificate:
        own = {"certificate": tls.certificate, "private_key": tls.private_key, "ocsp_response": tls.ocsp_response}
        default = TlsServerProfile(**shared, **own, verify_client=tls.verify_client)
        servers.append(Placed(default, "tls"))
    client = TlsClientProfile(**shared, verify=tls.verify_server, wildcards=tls.wildcards)
    clients.append(Placed(client, "tls"))
    return TlsCfg(servers, clients)


_SHARED = (
    *("passphrase_file", "passphrase_env", "ca_list", "ca_path", "crl", "verify_depth"),
    *("min_version", "max_version", "cipher_list", "curves"),
)
# Names of settings that the engine calls otherwise.
_NAMES = {"address": "addr", "cipher_list": "ciphers", "ocsp_response": "ocsp"}


def _server_profile(placed: Placed[TlsServerProfile]) -> dict[str, Any]:
    values = _profile(placed, {**_NAMES, "ca_list": "client_ca"})
    return {"private_key": values["certificate"], **values}


def _client_profile(placed: Placed[TlsClientProfile]) -> dict[str, Any]:
    return _profile(placed, {**_NAMES, "ca_list": "ca"})


def _profile(placed: Placed[Any], names: dict[str, str]) -> dict[str, Any]:
    values = placed.profile.model_dump(exclude_none=True)
    shown = {names.get(key, key): str(value) if isinstance(value, Path) else value for key, value in values.items()}
    return {**shown, "source": placed.source}


def _websocket(settings: Settings) -> dict[str, Any]:
    websocket = settings.websocket
    listens = any(listen.proto in ("ws", "wss") for listen in settings.listen)
    by_itself = listens and not settings.xhttp.event_callback
    return {
        "enabled": by_itself if websocket.enabled is None else websocket.enabled,
        "origins": websocket.origins,
        "keepalive": ("none", "ping", "pong")[websocket.keepalive_mechanism],
        "keepalive_ms": websocket.keepalive_timeout_s * 1000,
        "ping_data": websocket.ping_application_data,
        "cors_mode": websocket.cors_mode,
        "event_callback": websocket.event_callback,
    }


def _limits(settings: Settings) -> dict[str, Any]:
    limits = settings.limits
    return {
        "max_message": limits.max_message_bytes,
        "connections": limits.connections,
        "connections_per_source": limits.connections_per_source,
        "handshakes": limits.handshakes,
        "write_buffer": limits.write_buffer_bytes,
        "queue": limits.queue_messages,
        "queue_wait_us": limits.queue_wait_ms * 1000,
        "retry_after_s": limits.retry_after_s,
    }
