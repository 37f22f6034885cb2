"""`/metrics`: what the server counts, for Prometheus.

Three families of names: `sipwright_...` for every counter of `core.stats` and for the times; `kamailio_...` as
kamailio_exporter calls what it reads from Kamailio; and `kamailio_GROUP_NAME` for statistics, as the module xhttp_prom has
them. Nothing is kept between two scrapes, and nothing is done for them while messages pass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    UnknownMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from sipwright import _engine
from sipwright.control import core, methods, statistics, status, tls
from sipwright.control.rpc import RpcError

if TYPE_CHECKING:
    from sipwright.server import Server

# Of the counters of `core.stats`, those that show what is now; docs/reference/counters.md marks the same ones.
GAUGES: Final = frozenset(
    [
        "connections_open",
        "handshakes_pending",
        "dns_queries_pending",
        "dns_cache_entries",
        "transactions",
        "queue_length",
        "requests_pending",
        "calls_waiting",
        "registered_users",
        "max_expires",
        "max_contacts",
        "default_expire",
        "default_expires_range",
        "expires_range",
        "htable_items",
        "active_dialogs",
        "early_dialogs",
        "dispatcher_calls",
        "pike_nodes",
        "pipelimit_pipes",
        "http_async_waiting",
        "async_waiting",
        "rtpengine_calls",
        "rtpengine_disabled",
        "rtpproxy_disabled",
        "uac_registrations",
        "uac_registrations_online",
        "uac_registrations_disabled",
        "uac_requests_waiting",
        "db_away",
        "db_waiting",
        "db_spool_bytes",
        "usrloc_share_connected",
        "usrloc_share_nodes",
        "usrloc_share_waiting",
        "htable_share_connected",
        "htable_share_nodes",
        "htable_share_waiting",
    ]
)
_EXPORTER: Final = {
    "current": "Current transactions.",
    "waiting": "Transactions that are answered and wait for retransmissions.",
    "total": "Transactions.",
    "total_local": "Transactions of requests of our own.",
    "rpl_received": "Responses that belonged to a transaction.",
    "rpl_generated": "Responses of the script.",
    "rpl_sent": "Responses sent to clients.",
    "created": "Transactions made.",
    "freed": "Transactions that are gone.",
    "delayed_free": "Always 0: transactions are freed at once.",
}
_TIMES: Final = {
    "tls_handshake": "Time of completed TLS handshakes.",
    "queue_wait": "Wait of messages and events for a script worker.",
    "response": "Time from a request of a client to its final response, transactions only.",
}
_ROUTES: Final = ("request", "reply", "failure", "event")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the control loop has read for one scrape."""

    stats: Mapping[str, int]
    groups: statistics.Groups
    times: Mapping[str, tuple[list[float], list[int], float]]
    tm: Mapping[str, int]
    sl: Mapping[str, int]
    shmmem: Mapping[str, int]
    tcp: Mapping[str, int]
    tls: Mapping[str, int]
    uptime_s: int
    dispatcher: list[dict[str, Any]]
    dialogs: Mapping[str, int]
    healthy: bool
    ready: bool


async def snapshot(server: "Server") -> Snapshot:
    """To be awaited in the control loop."""
    rpc = server.host.rpc
    tls_info = tls.info(server)
    return Snapshot(
        stats=methods.stats(server),
        groups=statistics.groups(server),
        times=server.engine.times(),
        tm=statistics.tm_stats(server),
        sl=statistics.sl_stats(server),
        shmmem=core.shmmem(),
        tcp=core.tcp_info(server),
        tls={name: tls_info[name] for name in ("opened_connections", "max_connections")},
        uptime_s=core.uptime(server)["uptime"],
        dispatcher=_destinations(await _or_none(rpc.call("dispatcher.list", ["short"]))),
        dialogs=await _or_none(rpc.call("dlg.stats_active")) or {},
        healthy=not status.unhealthy(server),
        ready=not status.unready(server),
    )


def exposition(taken: Snapshot, accept: str) -> tuple[bytes, str]:
    """The text of a scrape and its type, in the format that the Accept header asks for."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(taken))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Once(Collector):
    """The metrics of one scrape."""

    def __init__(self, taken: Snapshot) -> None:
        self._taken = taken

    def collect(self) -> Iterable[Metric]:
        taken = self._taken
        yield InfoMetricFamily("sipwright", "The version.", {"version": _engine.VERSION})
        yield GaugeMetricFamily("sipwright_healthy", "Whether /health says ok.", int(taken.healthy))
        yield GaugeMetricFamily("sipwright_ready", "Whether /ready says ready.", int(taken.ready))
        for name, value in taken.stats.items():
            yield _counted(name, value)
        yield from self._times()
        yield from self._of_exporter()
        for group, values in taken.groups.items():
            for name, value in values.items():
                full = f"kamailio_{group}_{name}".replace("-", "_")
                yield UnknownMetricFamily(full, f"Statistic {group}:{name}.", value)

    def _times(self) -> Iterable[Metric]:
        for name, text in _TIMES.items():
            if name in self._taken.times:
                family = HistogramMetricFamily(f"sipwright_{name}_seconds", text)
                family.add_metric([], *_buckets(*self._taken.times[name]))
                yield family
        text = "Time that calls of the script took, by kind of route."
        family = HistogramMetricFamily("sipwright_route_seconds", text, labels=["route"])
        for route in _ROUTES:
            family.add_metric([route], *_buckets(*self._taken.times[f"{route}_route"]))
        yield family

    def _of_exporter(self) -> Iterable[Metric]:
        taken = self._taken
        yield GaugeMetricFamily("kamailio_up", "Always 1.", 1)
        yield CounterMetricFamily("kamailio_core_uptime_uptime", "Uptime in seconds.", taken.uptime_s)
        for name, text in _EXPORTER.items():
            full, value = f"kamailio_tm_stats_{name}", taken.tm[name]
            is_gauge = name in ("current", "waiting")
            # The suffix is written out: of `total` alone it would be taken for the suffix itself.
            yield (
                GaugeMetricFamily(full, text, value) if is_gauge else CounterMetricFamily(f"{full}_total", text, value)
            )
        for method, counts in (("tm", taken.tm), ("sl", taken.sl)):
            family = CounterMetricFamily(f"kamailio_{method}_stats_codes", "Per-code counters.", labels=["code"])
            for code, count in counts.items():
                if len(code) == 3 and set(code) <= set("0123456789x"):
                    family.add_metric([code], count)
            yield family
        gauges = {"core_shmmem": taken.shmmem, "core_tcp_info": taken.tcp, "tls_info": taken.tls}
        for method, values in {**gauges, "dlg_stats_active": taken.dialogs}.items():
            for name, value in values.items():
                yield GaugeMetricFamily(f"kamailio_{method}_{name}", f"{name} of {method}.", value)
        targets = GaugeMetricFamily(
            "kamailio_dispatcher_list_target", "Target status.", labels=["uri", "flags", "setid"]
        )
        for row in taken.dispatcher:
            targets.add_metric([row["uri"], row["flags"], row["setid"]], 1)
        yield targets


def _counted(name: str, value: int) -> Metric:
    text = f"{name} of core.stats."
    # A table of locations has its own counters, by its name.
    if name in GAUGES or name.endswith(("_users", "_contacts")):
        return GaugeMetricFamily(f"sipwright_{_metric(name)}", text, value)
    return CounterMetricFamily(f"sipwright_{_metric(name)}", text, value)


def _metric(name: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)


def _buckets(bounds: list[float], counts: list[int], sum_s: float) -> tuple[list[tuple[str, float]], float]:
    """Buckets as Prometheus has them, each with all below it."""
    rows, total = [], 0
    for bound, count in zip([*map(_bound, bounds), "+Inf"], counts, strict=True):
        total += count
        rows.append((bound, float(total)))
    return rows, sum_s


def _bound(seconds: float) -> str:
    return f"{seconds:g}"


async def _or_none(asked: Any) -> Any:
    """None where the method is not there, or has nothing to show."""
    try:
        return await asked
    except RpcError:
        return None


def _destinations(found: Any) -> list[dict[str, str]]:
    return [
        {"uri": target["DEST"]["URI"], "flags": target["DEST"]["FLAGS"], "setid": str(group["SET"]["ID"])}
        for group in (found or {}).get("RECORDS", [])
        for target in group["SET"]["TARGETS"]
    ]
