"""A unit for systemd that runs the server with no more rights than it needs (systemd.exec(5))."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Longer than the server itself takes to give up on what does not end.
_STOP_SPARE_S: Final = 15
_FIRST_FREE_PORT: Final = 1024
_OF_DYNAMIC_USER: Final = ("DynamicUser=yes",)


@dataclass(frozen=True, slots=True)
class Service:
    """What the unit is made of.

    `command` runs the server. `user` is whom it runs as; empty for one that systemd makes up. `groups` are further groups,
    such as that of private keys. `writable` are the directories, beside its own, that it writes to. `ports` are those
    that it listens on. `drain_s` is how long a stop waits for work in progress.
    """

    name: str
    command: tuple[str, ...]
    user: str = ""
    groups: tuple[str, ...] = ()
    writable: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()
    drain_s: float = 5.0
    workdir: Path | None = None

    def text(self) -> str:
        """The unit file."""
        sections = {"Unit": self._unit(), "Service": self._service(), "Install": ["WantedBy=multi-user.target"]}
        return "\n".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items())

    def _unit(self) -> list[str]:
        return [
            "Description=Sipwright SIP server",
            "Wants=network-online.target",
            # Databases of the same machine, if there are any, stop after it.
            "After=network-online.target nss-lookup.target postgresql.service mariadb.service redis-server.service",
            "StartLimitIntervalSec=60",
            "StartLimitBurst=10",
        ]

    def _service(self) -> list[str]:
        return [
            "Type=notify",
            "NotifyAccess=main",
            f"ExecStart={' '.join(map(_quoted, self.command))}",
            "ExecReload=/bin/kill -HUP $MAINPID",
            *([f"WorkingDirectory={_quoted(str(self.workdir))}"] if self.workdir else []),
            "Restart=on-failure",
            "RestartSec=1",
            "WatchdogSec=30",
            "TimeoutStartSec=90",
            f"TimeoutStopSec={int(self.drain_s) + _STOP_SPARE_S}",
            # It ends its own children, and what a script leaves running is ended with it.
            "KillMode=mixed",
            *self._identity(),
            *self._rights(),
            *_CONFINED,
        ]

    def _identity(self) -> list[str]:
        groups = [f"SupplementaryGroups={' '.join(self.groups)}"] if self.groups else []
        return [
            *([f"User={self.user}"] if self.user else _OF_DYNAMIC_USER),
            *groups,
            f"StateDirectory={self.name}",
            "StateDirectoryMode=0750",
            f"RuntimeDirectory={self.name}",
            "UMask=0027",
            "LimitNOFILE=65536",
        ]

    def _rights(self) -> list[str]:
        needed = "CAP_NET_BIND_SERVICE" if any(0 < port < _FIRST_FREE_PORT for port in self.ports) else ""
        lines = [f"CapabilityBoundingSet={needed}", f"AmbientCapabilities={needed}"]
        return lines + [f"ReadWritePaths={_quoted(str(path))}" for path in _outermost(self.writable)]


# What the server never does. MemoryDenyWriteExecute is not among them: Python's ctypes and cffi, which database drivers
# use, make code at run time.
_CONFINED: Final = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "ProtectProc=invisible",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "RemoveIPC=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@resources @privileged",
    "SystemCallErrorNumber=EPERM",
)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths without those that lie within others, in order."""
    kept: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


def _quoted(word: str) -> str:
    """A word of a command line as systemd reads it: `%` and `$` stand for themselves (systemd.service(5))."""
    escaped = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    return escaped if shlex.quote(word) == word else '"' + escaped.replace('"', '\\"') + '"'
