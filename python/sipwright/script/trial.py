"""Loads a script and runs its `mod_init` in a process of its own: `python -m sipwright.script.trial SCRIPT [-]`.

With `-` the settings come as JSON on standard input. Prints what went wrong and exits with 1. Opens no socket, starts no worker, and calls no `child_init`.
"""

import sys
from pathlib import Path


def main() -> int:
    """Tries the script named by the first argument; the process's exit status."""
    from sipwright import _engine
    from sipwright.host import Host
    from sipwright.script.errors import ScriptError
    from sipwright.script.instance import Instance
    from sipwright.server import install_ksr
    from sipwright.settings.model import Settings

    path = Path(sys.argv[1]).absolute()
    settings = Settings.model_validate_json(sys.stdin.read()) if sys.argv[2:] == ["-"] else Settings()
    settings = settings.model_copy(update={"script": settings.script.model_copy(update={"path": path})})
    install_ksr(Host(settings))
    # Without sockets; what KSR functions of mod_init work on.
    engine = _engine.Engine("{}")
    engine.bind()
    try:
        instance = Instance.load(settings.script)
        instance.check_routes()
    except ScriptError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
