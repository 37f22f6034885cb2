"""Memory of idle TLS connections: 2,000 of them cost at most 20 kB each.

`python -m pytest tests/protocol/test_tls_footprint.py -s` prints the figures.
"""

from __future__ import annotations

import contextlib
import resource
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import Start
from support import tls
from support.certificates import Certificates
from support.process import rss_bytes

CONNECTIONS = 2_000
LIMIT_BYTES = 20_000
WARM_UP = 50


# Who serves a connection makes no difference to what TLS 1.2 keeps of it.
@pytest.mark.parametrize(
    ("mode", "version"),
    [(2, ssl.TLSVersion.TLSv1_2), *((mode, ssl.TLSVersion.TLSv1_3) for mode in (0, 1, 2))],
)
def test_an_idle_connection_costs_little(start: Start, certs: Certificates, mode: int, version: ssl.TLSVersion) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    settings = {**certs.settings(), "tls.threads_mode": mode, "limits.connections_per_source": 2 * CONNECTIONS}
    # Its memory has a bound of its own, and is not the connections'.
    server = start("answer.py", "tls", settings=settings, counted=False)
    address, client = server.address("tls"), tls.context(certs.ca, version=version)
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(8) as pool:

        def opened(_: int) -> None:
            # Each has carried a request, as phones that are registered have.
            peer = stack.enter_context(tls.connect(address, client))
            assert tls.ask(peer, address).status == 200

        list(pool.map(opened, range(WARM_UP)))
        before = rss_bytes(server.process.pid)
        list(pool.map(opened, range(CONNECTIONS)))
        assert tls.counter(server, "connections_open") == CONNECTIONS + WARM_UP
        each = (rss_bytes(server.process.pid) - before) / CONNECTIONS
        print(f"mode {mode}, {version.name}: {each:.0f} bytes for each idle connection")
        assert each <= LIMIT_BYTES
