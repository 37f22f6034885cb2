"""HTTP for control and monitoring, in a thread of its own with its own event loop.

`settings.http.listen` opens it. Its sockets are bound at the start, but nothing of starlette and uvicorn is imported
before the first connection comes, so that a server that nobody asks costs nothing more.

To add pages, a module calls `host.http.mount(make)`; see `mounts.py`. `guard.py` says who may ask.
"""
