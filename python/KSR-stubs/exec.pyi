# Written by `python -m sipwright.kemi.stubs`.
"""KSR.exec: functions of Kamailio's module."""


def exec_avp(command: str, /) -> int:
    """Runs a shell command; the lines that it prints go into `$avp(i:1)`, `$avp(i:2)`, ...: 1 or -1."""

def exec_cmd(command: str, /) -> int:
    """Runs a shell command: 1 when it ends with 0, else -1."""

def exec_dset(command: str, /) -> int:
    """Runs a shell command with the request-URI as argument; the URIs that it prints become the destinations: 1 or -1."""

def exec_msg(command: str, /) -> int:
    """Runs a shell command with the message on its standard input: 1 when it ends with 0, else -1."""
