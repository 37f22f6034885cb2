# Written by `python -m sipwright.kemi.stubs`.
"""KSR.log_systemd: functions of Kamailio's module."""


def sd_journal_print(level: str, text: str, /) -> int:
    """Writes a line into the journal, at a level such as `LOG_INFO` or `err`: 1, or -1 when there is no journal."""
