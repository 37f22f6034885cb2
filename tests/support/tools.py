"""Foreign programs that tests need."""

from __future__ import annotations

import shutil

PACKAGES = {
    "baresip": "baresip",
    "cargo": "rustup",
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "gcc": "gcc libc6-dev",
    "initdb": "postgresql",
    "ip": "iproute2",
    "kamailio": "kamailio kamailio-python3-modules kamailio-sqlite-modules kamailio-tls-modules",
    "mariadb": "mariadb-client",
    "mariadb-install-db": "mariadb-server",
    "mariadbd": "mariadb-server",
    "npm": "npm",
    "openssl": "openssl",
    "redis-server": "redis-server",
    "rtpengine": "rtpengine-daemon",
    "setpriv": "util-linux",
    "sipp": "sip-tester",
    "stunnel4": "stunnel4",
    "systemd-analyze": "systemd",
    "testssl": "testssl.sh",
    "unshare": "util-linux",
    "valgrind": "valgrind",
}


class MissingTool(RuntimeError):
    """A program that a test needs is not installed."""


def tool(name: str) -> str:
    """The program's path; its absence is a failure that names the Debian package, never a silent skip."""
    # Debian keeps servers in sbin, which is not in every user's PATH.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        raise MissingTool(f"{name} is not installed: apt install {PACKAGES[name]}")
    return found
