"""The frame of `sipwright top`: figures of a running server, in 80 columns and 24 lines or more."""

from collections.abc import Iterable
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from sipwright.views.ladder import printable
from sipwright.views.sample import Change

WIDTH: Final = 80
HEIGHT: Final = 24
_TRANSPORTS: Final = ("udp", "tcp", "tls", "ws", "wss")
_HEAD_LINES: Final = 3
_TRAFFIC_LINES: Final = 8


def frame(change: Change, height: int = HEIGHT, keys: bool = True) -> Group:
    """One picture; lists are cut to what fits into `height` lines."""
    left = max(height - _HEAD_LINES - _TRAFFIC_LINES - 2, 4)
    routes = max(left // 2, 3)
    parts: list[Table | Text] = [
        *_head(change),
        _beside(_requests(change), _responses(change)),
        _beside(_routes(change, routes - 1), _connections(change, routes - 1)),
        _beside(_workers(change, left - routes - 1), _errors(change, left - routes - 1)),
    ]
    if keys:
        parts.append(Text("q quits", style="dim"))
    return Group(*parts)


def _head(change: Change) -> Iterable[Text]:
    info, stats = change.after.info, change.after.stats
    title = Text(f"Sipwright {info['version']}", style="bold")
    title.append(f"  up {uptime(info['uptime_s'])}  TLS mode {info['tls_threads_mode']}  ", style="dim")
    title.append(info["status"], style="bold green" if info["status"] == "ok" else "bold white on red")
    title.append(f"  script v{info['script_version']} {printable(info['script'])}", style="dim")
    title.truncate(WIDTH, overflow="ellipsis")
    wait = change.waits()[1]
    line = Text("messages ")
    received = change.total("requests", "received") + change.total("responses", "received")
    sent = change.total("requests", "sent") + change.total("responses", "sent")
    line.append(f"{received:,.0f}/s in {sent:,.0f}/s out", style="bold")
    line.append(f"   transactions {stats.get('transactions', 0):,}   registered {stats.get('registered_users', 0):,}")
    queue = Text(f"queue {stats.get('queue_length', 0):,} waiting, {_ms(wait)} on average, ")
    queue.append(f"longest {_ms(change.after.traffic['queue_waits']['longest_us'] / 1000)}")
    queue.append(f"   TLS handshakes {change.rate('handshakes_ok'):,.0f}/s, {change.handshake_failures():,} failed")
    return title, line, queue


def _requests(change: Change) -> Table:
    table = _table("request", "in/s", "out/s", "total in")
    rows = [
        (
            name,
            change.messages("requests", name, "received"),
            change.messages("requests", name, "sent"),
            row["received"],
        )
        for name, row in change.after.traffic["requests"].items()
        if row["received"] or row["sent"]
    ]
    rows.sort(key=lambda row: (-row[1] - row[2], -row[3]))
    for name, received, sent, total in rows[: _TRAFFIC_LINES - 1]:
        table.add_row(name, _rate(received), _rate(sent), f"{total:,}")
    return _filled(table, _TRAFFIC_LINES - 1)


def _responses(change: Change) -> Table:
    table = _table("response", "in/s", "out/s", "total out")
    for name, row in change.after.traffic["responses"].items():
        style = {"2xx": "green", "4xx": "yellow", "5xx": "red", "6xx": "red"}.get(name, "")
        received, sent = (change.messages("responses", name, way) for way in ("received", "sent"))
        table.add_row(Text(name, style=style), _rate(received), _rate(sent), f"{row['sent']:,}")
    return _filled(table, _TRAFFIC_LINES - 1)


def _routes(change: Change, lines: int) -> Table:
    table = _table("route", "calls/s", "mean", "longest")
    rows = [(name, *change.route(name), times) for name, times in change.after.traffic["routes"].items()]
    rows.sort(key=lambda row: (-row[1] * row[2], -row[3]["total_us"]))
    for name, calls, mean, times in rows[:lines]:
        mean = mean or times["total_us"] / times["count"] / 1000
        table.add_row(_cut(name, 18), _rate(calls), _ms(mean), _ms(times["longest_us"] / 1000))
    return _filled(table, lines)


def _connections(change: Change, lines: int) -> Table:
    table = _table("transport", "open", "in/s", "out/s")
    open_now = change.after.traffic["connections"]
    for proto in _TRANSPORTS[:lines]:
        if proto == "wss":
            table.add_row(proto, f"{open_now.get(proto, 0):,}", "", "")
            continue
        shown = "-" if proto == "udp" else f"{open_now.get(proto, 0):,}"
        table.add_row(proto, shown, _rate(change.rate(f"received_{proto}")), _rate(change.rate(f"sent_{proto}")))
    return _filled(table, lines)


def _workers(change: Change, lines: int) -> Table:
    table = _table("worker", "since", "route")
    rows = sorted(change.after.workers, key=lambda row: (-row.get("since_ms", -1), row["worker"]))
    for row in rows[:lines]:
        if row["busy"]:
            style = "red" if row["since_ms"] > 500 else "yellow"
            table.add_row(Text(str(row["worker"]), style=style), _ms(row["since_ms"]), _cut(row["route"], 18))
        else:
            table.add_row(str(row["worker"]), "", Text("idle", style="dim"))
    return _filled(table, lines)


def _errors(change: Change, lines: int) -> Table:
    table = _table("error", "now/s", "total")
    found = change.errors()
    for name, total, now in found[:lines]:
        style = "bold red" if now else ""
        table.add_row(Text(name, style=style), _rate(now), f"{total:,}")
    if not found:
        table.add_row(Text("none", style="green"), "", "")
    return _filled(table, lines)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold reverse", width=(WIDTH - 2) // 2)
    table.add_column(first, no_wrap=True, ratio=1, overflow="ellipsis")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _filled(table: Table, lines: int) -> Table:
    for _ in range(lines - table.row_count):
        table.add_row("")
    return table


def _beside(left: Table, right: Table) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_row(left, right)
    return grid


def uptime(seconds: float) -> str:
    """`3 d 04:05`, `4:05:06`."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours // 24} d {hours % 24:02}:{minutes:02}" if hours >= 24 else f"{hours}:{minutes:02}:{whole % 60:02}"


def _rate(value: float) -> str:
    if not value:
        return ""
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _ms(value: float) -> str:
    if value < 10:
        return f"{value:.2f} ms"
    return f"{value:,.0f} ms" if value < 10_000 else f"{value / 1000:,.1f} s"


def _cut(text: str, width: int) -> Text:
    shown = Text(printable(text))
    shown.truncate(width, overflow="ellipsis")
    return shown
