"""A server in the test's own process, without its control plane: engine, host with all modules, script and workers."""

from pathlib import Path
from typing import Any

from sipwright import _engine
from sipwright.host import Host
from sipwright.script.runtime import Runtime
from sipwright.server import install_ksr
from sipwright.settings.engine import to_engine_json
from sipwright.settings.model import Settings
from support.ports import free_port


class Stage:
    """Runs `script` from the constructor to `stop`."""

    def __init__(self, directory: Path, script: str, workers: int = 2, **sections: Any) -> None:
        self.script = directory / "route.py"
        self.script.write_text(script)
        self.address = ("127.0.0.1", free_port("127.0.0.1"))
        given = {
            "listen": [f"udp:{self.address[0]}:{self.address[1]}"],
            "script": {"path": self.script, "workers": workers, "isolation": "shared"},
            "data_dir": directory,
            **sections,
        }
        settings = Settings.model_validate(given)
        self.engine = _engine.Engine(to_engine_json(settings))
        self.host = Host(settings, self.engine)
        self.runtime = Runtime(self.engine, settings.script)
        self.runtime.routes, self.runtime.before = self.host.routes, self.host.before
        install_ksr(self.host)
        self.engine.bind()
        self.runtime.load()
        self.runtime.start()
        self.engine.start()
        self.runtime.release()

    def value(self, name: str) -> Any:
        """A global of the script."""
        return getattr(self.runtime.main.module, name)

    def stop(self) -> None:
        """Ends engine, workers and modules; fails when a worker does not come back."""
        self.engine.stop()
        assert self.runtime.stop(5)
        self.host.close()
