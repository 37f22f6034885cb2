"""The control socket: JSON-RPC 2.0, its bounds, and the lock of the data directory."""

import asyncio
import json
import os
import stat
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sipwright.control import server as control
from sipwright.control.client import ControlError, call
from sipwright.control.lock import DataDirInUse, DataDirLock, holder_of
from sipwright.control.rpc import Rpc, RpcError
from sipwright.control.threads import thread_table


def rpc() -> Rpc:
    made = Rpc()
    made.add("sum", lambda a, b: a + b)
    made.add("thread", lambda: threading.current_thread().name, blocking=True)

    def refuse() -> None:
        raise RpcError(-32000, "not today")

    made.add("refuse", refuse)
    empty: dict[str, int] = {}
    made.add("broken", lambda: empty["missing"])
    return made


def answer(request: Any) -> Any:
    text = request if isinstance(request, str) else json.dumps(request)
    reply = asyncio.run(rpc().handle(text))
    return None if reply is None else json.loads(reply)


def request(method: str, params: Any = None, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "id": 1, **({} if params is None else {"params": params}), **more}


def test_results() -> None:
    assert answer(request("sum", [1, 2])) == {"jsonrpc": "2.0", "result": 3, "id": 1}
    assert answer(request("sum", {"a": 1, "b": 2}))["result"] == 3
    assert answer(request("thread"))["result"] != threading.main_thread().name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", -32700),
        ("[" * 100_000, -32700),
        ("[]", -32600),
        ("5", -32600),
        (request("nothing"), -32601),
        (request("sum", [1]), -32602),
        (request("sum", "x"), -32602),
        (request("refuse"), -32000),
        (request("broken"), -32603),
    ],
)
def test_errors(text: Any, code: int) -> None:
    assert answer(text)["error"]["code"] == code


def test_batches_and_notifications() -> None:
    notification = {"jsonrpc": "2.0", "method": "sum", "params": [1, 2]}
    assert answer(notification) is None
    assert answer([notification]) is None
    assert [item["result"] for item in answer([request("sum", [1, 2]), notification, request("sum", [3, 4])])] == [3, 7]


def serve(data_dir: Path, client: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        server = control.ControlServer(rpc(), data_dir / control.SOCKET_NAME)
        await server.start()
        try:
            await client()
        finally:
            await server.close()

    asyncio.run(main())


def test_calls_over_the_socket_which_is_private(tmp_path: Path) -> None:
    async def client() -> None:
        path = tmp_path / control.SOCKET_NAME
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await asyncio.to_thread(call, tmp_path, "sum", [1, 2]) == 3
        with pytest.raises(ControlError, match="not today"):
            await asyncio.to_thread(call, tmp_path, "refuse")

    serve(tmp_path, client)
    assert not (tmp_path / control.SOCKET_NAME).exists()
    with pytest.raises(ControlError, match="no server is running"):
        call(tmp_path, "sum", [1, 2])


def test_a_request_that_is_too_long_ends_the_connection(tmp_path: Path) -> None:
    async def client() -> None:
        reader, writer = await asyncio.open_unix_connection(tmp_path / control.SOCKET_NAME)
        writer.write(b"x" * (control.MAX_REQUEST_BYTES * 3) + b"\n")
        try:
            await writer.drain()
            assert await reader.read() == b""
        except ConnectionError:
            pass
        writer.close()

    serve(tmp_path, client)


def test_connections_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MAX_CONNECTIONS", 2)

    async def client() -> None:
        path = tmp_path / control.SOCKET_NAME
        streams = [await asyncio.open_unix_connection(path) for _ in range(3)]
        for reader, writer in streams[:2]:
            writer.write(json.dumps(request("sum", [1, 2])).encode() + b"\n")
            assert json.loads(await reader.readline())["result"] == 3
        assert await streams[2][0].read() == b""
        for _, writer in streams:
            writer.close()

    serve(tmp_path, client)


def test_a_socket_path_that_is_too_long_is_named(tmp_path: Path) -> None:
    server = control.ControlServer(rpc(), tmp_path / ("x" * 120))
    with pytest.raises(OSError, match="too long for a Unix socket"):
        asyncio.run(server.start())


def test_a_data_directory_has_one_server(tmp_path: Path) -> None:
    assert holder_of(tmp_path) is None
    lock = DataDirLock(tmp_path)
    assert holder_of(tmp_path) == os.getpid()
    with pytest.raises(DataDirInUse, match=rf"another server \(process {os.getpid()}\) uses {tmp_path}"):
        DataDirLock(tmp_path)
    lock.release()
    assert holder_of(tmp_path) is None
    DataDirLock(tmp_path).release()


def test_the_thread_table_tells_kinds_and_python_state() -> None:
    release = threading.Event()
    script = threading.Thread(target=release.wait, name="script-1")
    script.start()
    engine_thread = ("sw-net-1", "network", 2**22 + 1, 1, 17, 3)
    try:
        rows = {row["name"]: row for row in thread_table([engine_thread], {"script-1": (4, 2)})}
    finally:
        release.set()
        script.join()
    expected = {"name": "sw-net-1", "kind": "network", "tid": 2**22 + 1, "python": False, "turns": 17, "busy_ms": 3}
    assert rows["sw-net-1"] == expected
    assert (rows["script-1"]["turns"], rows["script-1"]["busy_ms"]) == (4, 2)
    assert (rows["script-1"]["kind"], rows["script-1"]["python"]) == ("script", True)
    assert rows[threading.main_thread().name]["kind"] == "main"
