"""Settings of the process: who it runs as, where, and with how many files."""

from pathlib import Path

from pydantic import Field

from sipwright.settings.section import Count, Section


class ProcessSettings(Section):
    """The process itself, for a server that is started as root or by a script of one's own."""

    user: str = Field(
        "",
        description="User, by name or number, that a server started as root becomes once its sockets are bound; "
        "`data_dir` is given to it.",
    )
    group: str = Field("", description="Group, by name or number; without it that of `process.user`.")
    workdir: Path | None = Field(None, description="Working directory; without it that of the start.")
    pid_file: Path | None = Field(None, description="File that gets the process number and is removed at the stop.")
    open_files_limit: Count = Field(
        0, description="Files and connections that the process may have open; 0 for what the system allows."
    )
