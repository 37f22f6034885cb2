"""The sockets and the thread of the HTTP service."""

import asyncio
import logging
import socket
import threading
from typing import TYPE_CHECKING, Final

from sipwright import log
from sipwright.control.http.tokens import Tokens

if TYPE_CHECKING:
    import uvicorn

    from sipwright.server import Server

MAX_CONNECTIONS: Final = 128
_BACKLOG: Final = 64
_KEEP_ALIVE_S: Final = 30
_STOP_S: Final = 1.0


class HttpServer:
    """Bound by `bind`, awake from the first connection after `watch` on, gone with `close`."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._sockets: list[socket.socket] = []
        self._tokens = Tokens(server.settings.http.token_file)
        self._thread: threading.Thread | None = None
        self._uvicorn: uvicorn.Server | None = None
        self._is_closed = False

    def bind(self) -> None:
        """Binds the addresses of the settings. OSError that names the one that cannot be had."""
        for address in self._server.settings.http.listen:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            made = socket.socket(family, socket.SOCK_STREAM)
            self._sockets.append(made)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                made.bind((address.host, address.port))
            except OSError as error:
                raise OSError(error.errno, f"{error.strerror} (http.listen)", str(address)) from None
            made.listen(_BACKLOG)
            made.setblocking(False)

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts the thread when the first connection comes: what it needs takes time and memory to import."""

        def wake() -> None:
            for each in self._sockets:
                loop.remove_reader(each)
            self._thread = threading.Thread(target=self._run, args=(loop,), name="http", daemon=True)
            self._thread.start()

        for one in self._sockets:
            loop.add_reader(one, wake)

    def close(self) -> None:
        """Ends the thread, if it is there, and closes the sockets; what is being answered has a second for it."""
        self._is_closed = True
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True
        if self._thread is not None:
            self._thread.join(_STOP_S + 0.5)
        for one in self._sockets:
            one.close()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            import uvicorn

            from sipwright.control.http.app import make_app

            _log_through_ours()
            config = uvicorn.Config(
                make_app(self._server, self._tokens, loop, lambda: self._is_closed),
                loop="asyncio",
                http="h11",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=int(_STOP_S),
            )
            self._uvicorn = uvicorn.Server(config)
            self._uvicorn.should_exit = self._is_closed
            self._uvicorn.run(sockets=self._sockets)
        except Exception as error:
            log.error(f"http: {type(error).__name__}: {error}")


class _ToOurLog(logging.Handler):
    """Warnings and errors of uvicorn, as lines of the server's log."""

    def emit(self, record: logging.LogRecord) -> None:
        write = log.error if record.levelno >= logging.ERROR else log.warning
        write(f"http: {self.format(record)}")


def _log_through_ours() -> None:
    logger = logging.getLogger("uvicorn")
    logger.handlers = [_ToOurLog()]
    logger.setLevel(logging.WARNING)
    logger.propagate = False
