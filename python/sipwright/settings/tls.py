"""Settings of TLS: threads, certificates, profiles for single addresses and names.

A profile has the keys of Kamailio's tls.cfg where it means the same; `tls_cfg.py` reads that file into the same
classes.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from sipwright.settings.listen import is_ipv6, join_host_port
from sipwright.settings.section import Count, Positive, Section

TlsVersion = Literal["1.2", "1.3"]
VerifyClient = Literal["none", "optional", "optional_no_ca", "require"]


def endpoint(text: str) -> str:
    """`address:port` as the engine reads it; port 0, or none, stands for any. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or is_ipv6(text):
        host, port = text, ""
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f'{text!r} is not an address such as "192.0.2.10:5061" or "[2001:db8::1]:5061"') from None
    if port and not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{port!r} is not a port; a number from 0 to 65535 (0: any)")
    return join_host_port(host, int(port or 0))


Endpoint = Annotated[str, AfterValidator(endpoint)]


class _Secrets(Section):
    """Keys, authorities and what is offered: the same in every profile."""

    passphrase_file: Path | None = Field(
        None, description="File whose first line is the passphrase of an encrypted private key."
    )
    passphrase_env: str | None = Field(None, description="Environment variable with that passphrase.")
    ca_path: Path | None = Field(
        None, description="Directory of PEM files with further authorities; not announced to clients."
    )
    crl: Path | None = Field(
        None,
        description="PEM file with lists of revoked certificates; then each certificate of a chain must be on a "
        "current list of its issuer.",
    )
    verify_depth: int | None = Field(
        None, ge=0, le=255, description="Intermediate certificates allowed in a chain; never more than 6."
    )
    max_version: TlsVersion = Field("1.3", description="Newest TLS version.")
    cipher_list: str = Field(
        "", description="OpenSSL cipher list; all that rustls offers without it. What it does not offer is logged."
    )
    curves: list[str] = Field(
        default_factory=list,
        description="Key exchange groups in order of preference: X25519MLKEM768, X25519, P-256, P-384; else all.",
    )


class TlsServerProfile(_Secrets):
    """How we appear to those who connect to one address, or ask for one server name."""

    address: Endpoint | None = Field(
        None, description="Listening `address:port` that the profile is for; any without it."
    )
    server_name: str | None = Field(None, description="Server name (SNI) that the profile is for; any without it.")
    server_name_mode: Literal[0, 1, 2] = Field(
        0, description="0: that name, `*.` for one label; 1: that domain and all below it; 2: all below it only."
    )
    server_id: str | None = Field(None, description="Name of the profile in `tls.options`.")
    certificate: Path = Field(description="PEM file with the certificate and its intermediates.")
    private_key: Path | None = Field(None, description="PEM file with the private key; else it is in `certificate`.")
    ca_list: Path | None = Field(None, description="PEM file with the authorities of client certificates.")
    verify_client: VerifyClient = Field(
        "none",
        description="Whether clients are asked for a certificate: and may connect without one (`optional`), or with "
        "any (`optional_no_ca`; see `$tls_peer_verified`), or with a valid one only (`require`).",
    )
    min_version: TlsVersion = Field("1.2", description="Oldest TLS version.")
    ocsp_response: Path | None = Field(None, description="File with the OCSP response (DER) to staple.")


class TlsClientProfile(_Secrets):
    """How we appear to one server that we connect to."""

    address: Endpoint | None = Field(None, description="Remote `address:port` that the profile is for; any without it.")
    server_name: str | None = Field(
        None,
        description="Without `address`: host name that the profile is for. With it: what the server there is asked "
        "for (SNI), and the name that its certificate must be for.",
    )
    server_name_mode: Literal[0, 1, 2] = Field(0, description="How `server_name` is compared.")
    server_id: str | None = Field(None, description="Name for `KSR.tls.set_connect_server_id`.")
    certificate: Path | None = Field(None, description="PEM file with a certificate to show when asked.")
    private_key: Path | None = Field(None, description="PEM file with its private key; else it is in `certificate`.")
    ca_list: Path | None = Field(None, description="PEM file with the authorities to trust; else those of the system.")
    verify: bool = Field(True, description="Whether the server's certificate must be valid for its name.")
    verify_name: bool = Field(True, description="Whether the certificate must be for that name (RFC 5922).")
    wildcards: bool = Field(
        False, description="Whether `*.example.org` in a certificate is accepted, which RFC 5922 forbids."
    )
    min_version: TlsVersion = Field("1.2", description="Oldest TLS version.")


class TlsSettings(_Secrets):
    """TLS (RFC 3261 section 26.2): which threads do it, and with which certificate."""

    threads_mode: Literal[0, 1, 2] = Field(
        2,
        description="Who does the TLS work: 0 the script workers, 1 TLS threads the handshakes and script workers the "
        "records, 2 TLS threads all of it.",
    )
    threads: int = Field(0, ge=0, le=64, description="Threads for TLS and TCP; 0 for one per core.")
    config: Path | None = Field(
        None,
        description="Kamailio's tls.cfg, or a directory of such files: its profiles are used instead of certificates "
        "and profiles given here.",
    )
    certificate: Path | None = Field(
        None, description="PEM file with the certificate chain; without it a development certificate is made."
    )
    private_key: Path | None = Field(None, description="PEM file with the private key of `tls.certificate`.")
    ca_list: Path | None = Field(
        None, description="PEM file with the authorities to trust, of clients and servers; else those of the system."
    )
    verify_client: VerifyClient = Field(
        "none", description="Whether clients are asked for a certificate; see `tls.server[].verify_client`."
    )
    verify_server: bool = Field(True, description="Whether certificates of servers that we connect to are verified.")
    min_version: TlsVersion = Field("1.2", description="Oldest TLS version.")
    ocsp_response: Path | None = Field(None, description="File with the OCSP response (DER) to staple.")
    wildcards: bool = Field(
        False, description="Whether servers may show certificates for `*.example.org`, which RFC 5922 forbids."
    )
    session_cache: Count = Field(4_096, description="Sessions kept for resumption, in each profile; 0 for none.")
    session_tickets: bool = Field(True, description="Whether sessions are resumed by tickets.")
    ticket_lifetime_s: Positive = Field(
        21_600, description="Seconds for which a ticket key is used; tickets are good for twice as long at most."
    )
    key_log: Path | None = Field(
        None,
        description="File that gets the secrets of every session, for tools that decrypt captures; else the "
        "environment variable SSLKEYLOGFILE counts. Not for normal operation.",
    )
    watch_s: Count = Field(
        10,
        description="Seconds between looks at the files of certificates, keys, authorities, revocation lists and OCSP "
        "responses; changed ones are reloaded. 0: only by `tls.reload`.",
    )
    event_callback: str = Field(
        "",
        pattern=r"^\w*$",
        description="Function of the script that is called for `tls:connection-out`: a connection that we opened is up, "
        "and `KSR.set_drop()` closes it before anything is sent.",
    )
    server: list[TlsServerProfile] = Field(
        default_factory=list, description="Profiles for single listening addresses or server names, before the default."
    )
    client: list[TlsClientProfile] = Field(
        default_factory=list, description="Profiles for single servers that we connect to, before the default."
    )

    @model_validator(mode="after")
    def _one_source_of_profiles(self) -> "TlsSettings":
        given = [name for name in ("certificate", "server", "client") if getattr(self, name)]
        if self.config and given:
            raise ValueError(f"config names a tls.cfg, whose profiles are used: {', '.join(given)} cannot be given too")
        return self
