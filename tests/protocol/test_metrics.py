"""What the server counts, as Prometheus and as Kamailio's statistics show it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from conftest import Start
from sipwright.control.client import ControlError, call
from support.certificates import Certificates
from support.control import data_of
from support.http import Web
from support.peers import UdpPeer, options
from support.process import wait_until
from support.servers import ROOT, Server

DESTINATIONS = "1 sip:127.0.0.1:6004 0 5 weight=50;duid=a\n"
STATEFUL = """
import KSR

class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.tm.t_newtran()
        KSR.tm.t_reply(404, "Not Here")
        return 1

def mod_init():
    return Handler()
"""


def samples(web: Web, **headers: str) -> dict[str, list[Sample]]:
    """The samples of a scrape by the name of their metric."""
    answer = web.get("/metrics", **headers)
    assert answer.status == 200
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def value(found: Mapping[str, list[Sample]], name: str, **labels: str) -> float:
    (sample,) = [one for one in found[name] if all(one.labels.get(key) == text for key, text in labels.items())]
    return sample.value


async def ask(server: Server, count: int) -> None:
    async with UdpPeer.open() as peer:
        for _ in range(count):
            await peer.ask(options(peer, server.address("udp")), server.address("udp"))


def test_a_scrape(start: Start, certs: Certificates) -> None:
    web = Web.chosen()
    server = start("answer.py", "udp", "tls", settings={**web.settings, **certs.settings()})
    asyncio.run(ask(server, 3))
    wait_until(lambda: value(samples(web), "sipwright_routed_total") == 3, 10, "the routes have ended")
    found = samples(web)
    assert value(found, "sipwright_requests_total") == 3
    assert value(found, "sipwright_queue_length") == 0
    assert value(found, "kamailio_sl_stats_codes_total", code="200") == 3
    assert value(found, "kamailio_core_rcv_requests_options") == 3
    assert value(found, "kamailio_core_uptime_uptime_total") < 60
    assert value(found, "kamailio_core_shmmem_used") > 10_000_000
    assert value(found, "sipwright_healthy") == value(found, "sipwright_ready") == value(found, "kamailio_up") == 1
    assert value(found, "sipwright_route_seconds_count", route="request") == 3
    assert value(found, "sipwright_route_seconds_bucket", route="request", le="+Inf") == 3
    assert 0 < value(found, "sipwright_route_seconds_sum", route="request") < 10
    assert value(found, "sipwright_queue_wait_seconds_count") >= 3
    buckets = [one.value for one in found["sipwright_queue_wait_seconds_bucket"]]
    assert buckets == sorted(buckets)
    # Prometheus asks for the other format.
    assert web.get("/metrics", Accept="application/openmetrics-text;version=1.0.0").body.endswith(b"# EOF\n")


def test_every_metric_is_described(start: Start, tmp_path: Path) -> None:
    web = Web.chosen()
    destinations = tmp_path / "dispatcher.list"
    destinations.write_text(DESTINATIONS)
    start("answer.py", settings={**web.settings, "dispatcher.list_file": destinations})
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    counters = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/reference/counters.md").read_text(), re.MULTILINE)
    described = {f"sipwright_{name}" for name in counters} | set(re.findall(r"\b(?:sipwright|kamailio)_\w+", page))
    text = web.get("/metrics").body.decode()
    missing = [
        family.name
        for family in text_string_to_metric_families(text)
        if not {family.name, f"{family.name}_total"} & described
    ]
    assert missing == []
    # And nothing that is not there; destinations and dialogs are shown when there are some.
    names = {family.name for family in text_string_to_metric_families(text)}
    invented = {
        name
        for name in re.findall(r"^\| `((?:sipwright|kamailio)_\w+)` \|", page, re.MULTILINE)
        if not {name, name.removesuffix("_total")} & names
    }
    assert invented == set()


def test_transactions(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "stateful.py"
    script.write_text(STATEFUL)
    web = Web.chosen()
    server = start(script, settings=web.settings)
    data = data_of(server)
    asyncio.run(ask(server, 2))
    assert server.route_calls("OPTIONS") == 2
    stats = call(data, "tm.stats")
    assert {name: stats[name] for name in ("current", "waiting", "total", "created", "4xx", "2xx", "total_local")} == {
        "current": 2,
        "waiting": 2,
        "total": 2,
        "created": 2,
        "4xx": 2,
        "2xx": 0,
        "total_local": 0,
    }
    assert (stats["rpl_generated"], stats["rpl_sent"], stats["rpl_received"]) == (2, 2, 0)
    rows = call(data, "tm.list")
    assert [(row["method"], row["uas_request"], row["code"]) for row in rows] == [("OPTIONS", "yes", 404)] * 2
    assert value(samples(web), "sipwright_response_seconds_count") == 2
    assert value(samples(web), "kamailio_tm_stats_codes_total", code="4xx") == 2


def test_statistics_by_name_and_group(start: Start) -> None:
    server = start("answer.py")
    data = data_of(server)
    asyncio.run(ask(server, 2))
    assert call(data, "stats.get_statistics", ["rcv_requests"]) == ["core:rcv_requests = 2"]
    assert call(data, "stats.fetchn", ["core:rcv_requests", "sl.200_replies"]) == {
        "core.rcv_requests": 2,
        "sl.200_replies": 2,
    }
    assert call(data, "stats.fetch", ["sl:"])["sl.sent_replies"] == "2"
    assert call(data, "stats.fetch", ["nothing"]) == {}
    assert len(call(data, "stats.get_statistics", ["all"])) > 100
    names = [name.split(".") for name in call(data, "stats.fetch", ["all"])]
    assert [name for name in names if not call(data, "cnt.help", name)] == []
    with pytest.raises(ControlError, match="Please provide which stats to retrieve"):
        call(data, "stats.fetch")
    # A reset counts from then on; what is now stays.
    assert call(data, "stats.clear_statistics", ["rcv_requests"]) == ["core:rcv_requests = 0 (2)"]
    memory = call(data, "stats.fetchn", ["total_size"])
    assert call(data, "stats.reset_statistics", ["shmem:"]) is None
    assert call(data, "stats.fetchn", ["total_size"]) == memory
    asyncio.run(ask(server, 1))
    assert call(data, "stats.fetchn", ["rcv_requests"]) == {"core.rcv_requests": 1}
    assert call(data, "sl.stats")["200"] == 3


def test_requests_of_our_own(start: Start) -> None:
    data = data_of(start("answer.py"))

    async def story() -> list[object]:
        async with UdpPeer.open() as peer:
            uri = f"sip:x@127.0.0.1:{peer.address[1]}"
            asked = asyncio.create_task(
                asyncio.to_thread(call, data, "tm.t_uac_wait", ["OPTIONS", uri, ".", ".", "X-Test: 1\r\n", "."])
            )
            message, source = await peer.receive()
            assert (message.method, message["X-Test"]) == ("OPTIONS", "1")
            peer.send(message.reply(486, "Busy Here", "callee"), source)
            return list(await asked)

    assert asyncio.run(story()) == [486, "Busy Here"]
    with pytest.raises(ControlError):
        call(data, "tm.t_uac_start", ["OPTIONS", "not a uri", ".", ".", "."])
    with pytest.raises(ControlError, match="Transaction not found"):
        call(data, "tm.cancel", ["nothing", "1"])
    with pytest.raises(ControlError, match="Transaction not found"):
        call(data, "tm.reply_callid", [486, "Busy", "nothing", "1"])
    assert call(data, "tm.clean") is None
