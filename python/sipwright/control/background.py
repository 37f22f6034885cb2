"""Runs what may block beside the control loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


async def in_thread(action: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """Calls `action` in a thread of its own and waits for it, as `asyncio.to_thread` does.

    The end of the loop does not wait for the thread: a reload whose `mod_init` hangs must not hold up a stop.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = action(*arguments, **named)
        except BaseException as raised:
            error = raised
        # The loop may have ended; nobody waits any more then.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="control", daemon=True).start()
    return await future
