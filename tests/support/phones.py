"""Real SIP clients as child processes: pjsua2 by way of softphone.py, and baresip."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from support.tools import MissingTool, tool

SOFTPHONE = Path(__file__).with_name("softphone.py")


class Phone:
    """A pjsua2 softphone; `event` waits for what it says next."""

    def __init__(
        self,
        proto: str,
        user: str,
        server: tuple[str, int],
        directory: Path,
        ca: Path | None = None,
        password: str = "",
    ) -> None:
        if importlib.util.find_spec("pjsua2") is None:
            raise MissingTool("the Python package pjsua2-python is not installed (its wheels end at Python 3.12)")
        self.user, self.log = user, directory / f"{user}.log"
        self._events: queue.Queue[str] = queue.Queue()
        argv = [sys.executable, str(SOFTPHONE), proto, user, server[0], str(server[1])]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*argv, *([str(ca)] if ca else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PHONE_PASSWORD": password},
            )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "event":
                self._events.put(rest)

    @property
    def input(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    def tell(self, command: str) -> None:
        self.input.write(command + "\n")
        self.input.flush()

    def event(self, name: str, timeout_s: float = 15.0) -> str:
        """Wait for the next event, which must be this one; returns its words."""
        try:
            found = self._events.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError(f"{self.user}: no {name} within {timeout_s} s:\n{self.tail()}") from None
        word, _, rest = found.partition(" ")
        assert word == name, f"{self.user}: {found!r} instead of {name}:\n{self.tail()}"
        return rest

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_: object) -> None:
        # The end of its input tells the phone to quit.
        with contextlib.suppress(BrokenPipeError):
            self.input.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


def answered_call(caller: Phone, callee: Phone, uri: str) -> str:
    """Both register, the call is answered and ended by the caller; its Call-ID."""
    assert callee.event("registered") == "200"
    assert caller.event("registered") == "200"
    caller.tell(f"call {uri}")
    callee.event("incoming")
    call_id = caller.event("confirmed")
    assert callee.event("confirmed") == call_id
    caller.tell("hangup")
    assert caller.event("ended").split()[1] == call_id
    assert callee.event("ended").split() == ["200", call_id]
    return call_id


BARESIP = """sip_listen 127.0.0.1:0
sip_cafile {ca}
module_path {modules}
module g711.so
module aubridge.so
module_app account.so
module_app contact.so
module_app menu.so
audio_player aubridge,nil
audio_source aubridge,nil
audio_alert aubridge,nil
"""
BARESIP_S = 8


def baresip(user: str, server: tuple[str, int], directory: Path, ca: Path, command: str) -> str:
    """Registers over TLS, runs one command of its menu, ends by itself after some seconds; what it printed."""
    program = tool("baresip")
    modules = next(Path("/usr/lib").glob("**/baresip/modules"))
    (directory / "config").write_text(BARESIP.format(ca=ca, modules=modules))
    account = f"<sip:{user}@{server[0]}:{server[1]};transport=tls>;auth_pass=x;regint=60\n"
    (directory / "accounts").write_text(account)
    (directory / "contacts").write_text("")
    argv = [program, "-f", str(directory), "-t", str(BARESIP_S), "-e", command]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False
    )
    return done.stdout.decode(errors="replace")
