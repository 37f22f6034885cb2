"""Workers, reload and stop, over an engine that hands out prepared messages."""

import queue
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from sipwright import log
from sipwright.script.errors import ScriptError
from sipwright.script.runtime import Runtime
from sipwright.settings.model import ScriptSettings


@dataclass
class Source:
    proto: str = "udp"
    ip: str = "192.0.2.1"
    port: int = 5060


@dataclass
class Message:
    """What a worker looks at; `done` is set when the worker asks for the next one."""

    callback: str = "ksr_request_route"
    event: str | None = None
    required: bool = True
    Type: str = "SIP_REQUEST"
    Method: str = "INVITE"
    call_id: str = "call-1"
    source: Source = field(default_factory=Source)
    done: threading.Event = field(default_factory=threading.Event)


class Port:
    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.current: Message | None = None

    def set_handler(self, handler: object) -> None:
        self.engine.handlers.append(handler)

    def next(self) -> Message | None:
        if self.current is not None:
            self.current.done.set()
        self.current = self.engine.messages.get()
        return self.current

    def failed(self, answer: bool) -> None:
        self.engine.failures.append(answer)


class Engine:
    def __init__(self) -> None:
        self.messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self.handlers: list[object] = []
        self.failures: list[bool] = []
        self.routes: list[tuple[bool, bool]] = []

    def worker(self, index: int) -> Port:
        return Port(self)

    def set_routes(self, reply: bool, onsend: bool) -> None:
        self.routes.append((reply, onsend))


@dataclass
class Bench:
    """A runtime with its script file and the lines it logged."""

    script: Path
    engine: Engine = field(default_factory=Engine)
    errors: list[str] = field(default_factory=list)
    runtimes: list[Runtime] = field(default_factory=list)

    def start(self, text: str, **settings: Any) -> Runtime:
        self.script.write_text(text)
        values = {"workers": 1, "isolation": "shared", **settings}
        runtime = Runtime(cast(Any, self.engine), ScriptSettings(path=self.script, **values))
        self.runtimes.append(runtime)
        runtime.load()
        runtime.start()
        runtime.release()
        return runtime

    def run(self, **message: Any) -> None:
        """Has a worker take up a message and waits until it is through with it."""
        sent = Message(**message)
        self.engine.messages.put(sent)
        assert sent.done.wait(5)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    found = Bench(tmp_path / "route.py")
    monkeypatch.setattr(log, "error", found.errors.append)
    path, modules = list(sys.path), set(sys.modules)
    yield found
    for runtime in found.runtimes:
        runtime.stopping = True
        for _ in runtime.workers:
            found.engine.messages.put(None)
    for runtime in found.runtimes:
        assert runtime.stop(5)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


SCRIPT = """
import sys
calls = []
class Handler:
    def child_init(self, rank):
        calls.append(("init", rank))
        return 0
    def ksr_request_route(self, msg):
        calls.append(("route", VERSION))
    def event(self, msg, name): calls.append(("event", name))
    def leave(self, msg): sys.exit()
    def fail(self, msg): return 1 / 0
def mod_init(): return Handler()
VERSION = 1
"""


def calls(runtime: Runtime) -> list[Any]:
    return list(runtime.main.module.calls)


def test_routes_are_called_with_message_and_event(bench: Bench) -> None:
    runtime = bench.start(SCRIPT)
    bench.run()
    bench.run(callback="event", event="tm:local-request")
    assert calls(runtime) == [("init", 0), ("init", 1), ("route", 1), ("event", "tm:local-request")]
    assert bench.engine.routes == [(False, False)]
    assert bench.engine.handlers == [runtime.main.handler]


def test_exit_ends_only_the_route(bench: Bench) -> None:
    bench.start(SCRIPT)
    bench.run(callback="leave")
    bench.run()
    assert (bench.engine.failures, bench.errors) == ([], [])


def test_an_exception_is_logged_from_the_users_frames_on(bench: Bench) -> None:
    bench.start(SCRIPT)
    bench.run(callback="fail")
    assert bench.engine.failures == [True]
    text = bench.errors[0]
    assert "fail (INVITE from udp:192.0.2.1:5060, Call-ID call-1)" in text
    assert "ZeroDivisionError" in text
    assert f'File "{bench.script}", line 12, in fail' in text
    assert "worker.py" not in text


def test_errors_need_not_be_answered(bench: Bench) -> None:
    bench.start(SCRIPT, on_error="drop")
    bench.run(callback="fail")
    assert bench.engine.failures == [False]


def test_a_missing_route_is_an_error_if_it_is_required(bench: Bench) -> None:
    bench.start(SCRIPT)
    bench.run(callback="ksr_reply_route", required=False)
    assert bench.errors == []
    bench.run(callback="on_fail")
    # The transaction goes on with its best response.
    assert bench.engine.failures == [False]
    assert "has no method on_fail" in bench.errors[0]


def test_a_request_without_its_route_is_answered_with_an_error(bench: Bench) -> None:
    bench.start(SCRIPT.replace("def ksr_request_route", "def another_route"))
    bench.run(callback="ksr_request_route")
    assert bench.engine.failures == [True]
    assert "has no method ksr_request_route" in bench.errors[-1]


def test_workers_share_one_instance_or_have_their_own(bench: Bench) -> None:
    shared = bench.start(SCRIPT, workers=3)
    assert len(set(map(id, bench.engine.handlers))) == 1
    assert calls(shared) == [("init", 0), ("init", 1), ("init", 2), ("init", 3)]
    bench.engine.handlers.clear()
    own = bench.start(SCRIPT, workers=3, isolation="per-worker")
    assert len(set(map(id, [own.main.handler, *bench.engine.handlers]))) == 4
    assert calls(own) == [("init", 0)]


def test_a_worker_that_cannot_start_stops_the_start(bench: Bench) -> None:
    text = SCRIPT.replace("return 0", "return 0 if rank < 2 else -1")
    with pytest.raises(ScriptError, match=r"child_init\(2\) returned -1"):
        bench.start(text, workers=3)


def test_no_message_is_taken_before_all_workers_are_ready(bench: Bench) -> None:
    bench.script.write_text(SCRIPT)
    runtime = Runtime(cast(Any, bench.engine), ScriptSettings(path=bench.script, workers=2))
    bench.runtimes.append(runtime)
    message = Message()
    bench.engine.messages.put(message)
    runtime.load()
    runtime.start()
    assert not bench.engine.messages.empty()
    runtime.release()
    bench.engine.messages.put(Message())
    bench.engine.messages.put(Message())
    assert message.done.wait(5)


def reloaded(bench: Bench, runtime: Runtime, text: str) -> tuple[int, int]:
    bench.script.write_text(text)
    return runtime.reload()


@pytest.mark.parametrize("isolation", ["shared", "per-worker"])
def test_reload_changes_to_the_new_version_between_two_messages(bench: Bench, isolation: str) -> None:
    runtime = bench.start(SCRIPT, isolation=isolation)
    bench.run()
    assert reloaded(bench, runtime, SCRIPT.replace("VERSION = 1", "VERSION = 2")) == (1, 2)
    bench.run()
    handler = runtime.workers[0].handler
    assert sys.modules["route"].VERSION == 2
    assert handler.ksr_request_route.__globals__["calls"][-1] == ("route", 2)
    assert bench.engine.handlers[-1] is handler


@pytest.mark.parametrize(
    "text",
    [
        "x = (\n",
        "raise RuntimeError('no')\n",
        "def mod_init(): return None\n",
        SCRIPT.replace("return 0", "return -1"),
    ],
)
def test_a_version_that_does_not_load_changes_nothing(bench: Bench, text: str) -> None:
    runtime = bench.start(SCRIPT)
    handler = runtime.workers[0].handler
    with pytest.raises(ScriptError):
        reloaded(bench, runtime, text)
    bench.run()
    assert runtime.generation == 1
    assert runtime.workers[0].handler is handler
    assert calls(runtime)[-1] == ("route", 1)


def test_a_worker_keeps_the_last_good_version_when_its_child_init_fails(bench: Bench) -> None:
    runtime = bench.start(SCRIPT)
    old = runtime.workers[0].handler
    reloaded(bench, runtime, SCRIPT.replace("return 0", "return -rank"))
    bench.run()
    assert runtime.workers[0].handler is old
    assert "worker 1 keeps the previous script" in bench.errors[0]
    bench.run()
    assert len(bench.errors) == 1, "it is not tried again for each message"
    assert reloaded(bench, runtime, SCRIPT) == (2, 3)
    bench.run()
    assert runtime.workers[0].handler is runtime.main.handler


def test_a_worker_that_is_stuck_in_the_script_is_named(bench: Bench) -> None:
    text = SCRIPT + "import threading\nentered, release = threading.Event(), threading.Event()\n"
    text += "def stuck(self, msg):\n    entered.set()\n    release.wait()\nHandler.stuck = stuck\n"
    runtime = bench.start(text)
    bench.engine.messages.put(Message(callback="stuck"))
    module: Any = runtime.main.module
    assert module.entered.wait(5)
    assert not runtime.stop(0.01)
    assert "worker 1 does not come back" in bench.errors[0]
    assert "in stuck" in bench.errors[0]
    module.release.set()


def test_a_script_without_request_route_is_told(bench: Bench) -> None:
    bench.start(SCRIPT.replace("ksr_request_route", "other"))
    assert "no method ksr_request_route(msg)" in bench.errors[0]
    bench.run()
    assert bench.engine.failures == [True]
