"""Statistics with Kamailio's groups and names: `stats.*`, `sl.stats`, `tm.stats`, `cnt.*`, and what `/metrics` shows of them.

Counters of the engine never go back, so a reset keeps what they were and is taken off from then on.
"""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sipwright.control.core import shmmem
from sipwright.control.rpc import Rpc, RpcError
from sipwright.control.statistics_help import meaning
from sipwright.kemi import counters

if TYPE_CHECKING:
    from sipwright.server import Server

# How Kamailio names methods in `rcv_replies_2xx_METHOD`, and those that it has such statistics of.
_REPLY_METHODS: Final = {
    "INVITE": "invite",
    "BYE": "bye",
    "CANCEL": "cancel",
    "MESSAGE": "message",
    "PRACK": "prack",
    "REFER": "refer",
    "REGISTER": "reg",
    "UPDATE": "update",
}
_REQUEST_METHODS: Final = (
    *("ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH"),
    *("REFER", "REGISTER", "SUBSCRIBE", "UPDATE"),
)
_REPLY_CODES: Final = (401, 404, 407, 480, 486)
# Codes that `sl.stats` shows by themselves; the others of their class are together.
_SL_CODES: Final = (200, 202, 300, 301, 302, 400, 401, 403, 404, 407, 408, 483, 500)
_SL_SHOWN: Final = (
    *("200", "202", "2xx", "300", "301", "302", "3xx", "400", "401", "403", "404", "407", "408", "483"),
    *("4xx", "500", "5xx", "6xx", "xxx"),
)

Groups = dict[str, dict[str, int]]


def register(rpc: Rpc, server: "Server") -> None:
    """Adds the methods."""
    statistics = Statistics(partial(groups, server))
    for name in ("get", "get_raw"):
        rpc.add(f"cnt.{name}", statistics.get)
    rpc.add("cnt.reset", statistics.reset)
    rpc.add("cnt.help", statistics.help)
    for name in ("grps_list", "list_groups"):
        rpc.add(f"cnt.{name}", statistics.group_names)
    for name in ("grp_get_all", "get_vars"):
        rpc.add(f"cnt.{name}", statistics.of_group)
    for name in ("var_list", "list_vars"):
        rpc.add(f"cnt.{name}", statistics.names_of)
    rpc.add("stats.get_statistics", statistics.get_statistics)
    rpc.add("stats.fetch", statistics.fetch)
    rpc.add("stats.fetchn", statistics.fetchn)
    rpc.add("stats.reset_statistics", statistics.reset_statistics)
    rpc.add("stats.clear_statistics", statistics.clear_statistics)
    rpc.add("sl.stats", partial(sl_stats, server))
    rpc.add("tm.stats", partial(tm_stats, server))


class Statistics:
    """The methods `stats.*` and `cnt.*`; `read` gives the statistics by group."""

    def __init__(self, read: Callable[[], Groups]) -> None:
        self._read = read
        self._lock = threading.Lock()
        # What a statistic was when it was reset.
        self._bases: dict[tuple[str, str], int] = {}

    def get_statistics(self, *names: str) -> list[str]:
        """Statistics as lines: `all`, a group as `group:`, or a name, also as `group:name` or `group.name`."""
        return [f"{group}:{name} = {value}" for group, name, value in self._wanted(names)]

    def fetch(self, *names: str) -> dict[str, str]:
        """The same as texts by `group.name`."""
        return {f"{group}.{name}": str(value) for group, name, value in self._wanted(names)}

    def fetchn(self, *names: str) -> dict[str, int]:
        """The same as numbers by `group.name`."""
        return {f"{group}.{name}": value for group, name, value in self._wanted(names)}

    def reset_statistics(self, *names: str) -> None:
        """Sets statistics to 0; those that show what is now stay what they are."""
        with self._lock:
            for group, name, value in self._wanted(names):
                # A counter of the script is reset itself: the script reads it too.
                if not counters.counters.reset(f"{group}.{name}"):
                    self._bases[group, name] = self._bases.get((group, name), 0) + value

    def clear_statistics(self, *names: str) -> list[str]:
        """The same; returns what they are, and in parentheses what they were."""
        before = self._wanted(names)
        self.reset_statistics(*names)
        return [
            f"{group}:{name} = {new}" + (f" ({old})" if new != old else "")
            for (group, name, old), (_, _, new) in zip(before, self._wanted(names), strict=True)
        ]

    def get(self, group: str, name: str) -> int:
        """A statistic, or a counter of the script."""
        values = self.of_group(group)
        if name not in values:
            raise RpcError(400, f"non-existent counter {group}.{name}")
        return values[name]

    def reset(self, group: str, name: str) -> None:
        """Sets a statistic or a counter of the script to 0; one that shows what is now stays what it is."""
        self.get(group, name)
        self.reset_statistics(f"{group}:{name}")

    def help(self, group: str, name: str) -> str:
        """What a statistic or a counter of the script counts."""
        self.get(group, name)
        told = counters.counters.meaning(f"{group}.{name}")
        return meaning(group, name) if told is None else told or "custom script counter."

    def group_names(self) -> list[str]:
        """The groups of statistics."""
        return sorted(self._read())

    def of_group(self, group: str) -> dict[str, int]:
        """The statistics of a group."""
        return {name: value for _, name, value in self._wanted((f"{group}:",))}

    def names_of(self, group: str) -> list[str]:
        """Their names."""
        return list(self.of_group(group))

    def _wanted(self, names: tuple[str, ...]) -> list[tuple[str, str, int]]:
        if not names:
            raise RpcError(400, "Please provide which stats to retrieve")
        all_ = [
            (group, name, value - self._bases.get((group, name), 0) if _is_counter(group, name) else value)
            for group, values in sorted(self._read().items())
            for name, value in sorted(values.items())
        ]
        return [row for wanted in names for row in all_ if _fits(wanted, *row[:2])]


def _fits(wanted: str, group: str, name: str) -> bool:
    if wanted == "all" or wanted == name:
        return True
    first, separator, rest = wanted.partition(":")
    if not separator:
        first, separator, rest = wanted.partition(".")
    return bool(separator) and first == group and rest in ("", name)


def _is_counter(group: str, name: str) -> bool:
    return (
        group not in ("registrar", "shmem")
        and not name.startswith(("active", "early", "current", "inuse"))
        and (group != "usrloc" or name.endswith("_expires"))
    )


def groups(server: "Server") -> Groups:
    """All statistics by Kamailio's group and name, as far as they are counted here."""
    engine, modules = server.engine.stats(), server.host.counters()
    memory = shmmem()
    found: Groups = {
        "core": _core(server, engine),
        "sl": _sl(server, engine),
        "tmx": _tmx(server, engine),
        "tcp": {
            "con_timeout": engine.get("timeouts_idle", 0),
            "connect_failed": engine.get("connect_errors", 0) + engine.get("timeouts_connect", 0),
            "connect_success": engine.get("connections_opened", 0),
            "current_opened_connections": engine.get("connections_open", 0),
            "established": engine.get("connections_opened", 0) + engine.get("connections_accepted", 0),
            "local_reject": engine.get("refused_connections_max", 0) + engine.get("refused_per_source", 0),
            "passive_open": engine.get("connections_accepted", 0),
            "sendq_full": engine.get("write_buffer_full", 0),
        },
        "dns": {"failed_dns_request": engine["dns_failures"]},
        "shmem": {
            "fragments": memory["fragments"],
            "free_size": memory["free"],
            "max_used_size": memory["max_used"],
            "real_used_size": memory["real_used"],
            "total_size": memory["total"],
            "used_size": memory["used"],
        },
        "dialog": {
            name: value for name, value in modules.items() if name.endswith("_dialogs") and name != "dialog_dialogs"
        },
        "registrar": _registrar(modules),
        "usrloc": {
            name: value
            for name, value in modules.items()
            if name.endswith(("_users", "_contacts", "_expires")) and name not in ("max_expires", "max_contacts")
        },
    }
    for full, value in counters.counters.all().items():
        group, _, name = full.partition(".")
        found.setdefault(group, {})[name] = value
    return {group: values for group, values in found.items() if values}


def _registrar(modules: Mapping[str, int]) -> dict[str, int]:
    names = ("accepted_regs", "rejected_regs", "max_expires", "max_contacts", "default_expire")
    more = ("default_expires_range", "expires_range")
    return {name: modules[name] for name in (*names, *more) if name in modules}


def _core(server: "Server", engine: Mapping[str, int]) -> dict[str, int]:
    requests, responses, codes, _ = server.engine.traffic()
    by_method, by_code = dict(requests), dict(codes)
    found = {
        "bad_msg_hdr": engine["dropped_malformed"] + engine["answered_malformed"],
        "drop_requests": engine["overload_dropped"] + engine["overload_refused"],
        "err_requests": engine["script_errors"],
        "fwd_replies": engine["stray_responses"],
        "rcv_requests": sum(by_method.values()),
        "unsupported_methods": by_method.get("", 0),
        "rcv_replies": sum(sum(classes) for _, classes in responses),
        "rcv_replies_18x": sum(count for code, count in codes if 180 <= code < 190),
    }
    found |= {f"rcv_requests_{name.lower()}": by_method.get(name, 0) for name in _REQUEST_METHODS}
    found |= {f"rcv_replies_{code}": by_code.get(code, 0) for code in _REPLY_CODES}
    for digit in range(1, 7):
        found[f"rcv_replies_{digit}xx"] = sum(classes[digit] for _, classes in responses)
        for method, classes in responses:
            if method in _REPLY_METHODS:
                found[f"rcv_replies_{digit}xx_{_REPLY_METHODS[method]}"] = classes[digit]
    return found


def _sl_counts(server: "Server") -> dict[str, int]:
    """Stateless responses by what `sl.stats` calls them; the provisional ones as `1xx`."""
    found = dict.fromkeys(("1xx", *_SL_SHOWN), 0)
    for code, count in server.engine.traffic()[3]:
        name = str(code) if code in _SL_CODES else f"{code // 100}xx"
        found[name if name in found else "xxx"] += count
    return found


def _sl(server: "Server", engine: Mapping[str, int]) -> dict[str, int]:
    counts = _sl_counts(server)
    return {
        **{f"{name}_replies": count for name, count in counts.items()},
        "received_ACKs": engine["filtered_acks"],
        "sent_replies": sum(counts.values()),
        "sent_err_replies": 0,
        "failures": 0,
    }


def sl_stats(server: "Server") -> dict[str, int]:
    """Responses sent without a transaction, by code."""
    counts = _sl_counts(server)
    return {name: counts[name] for name in _SL_SHOWN}


def _tmx(server: "Server", engine: Mapping[str, int]) -> dict[str, int]:
    counts, finals = server.engine.transaction_counts()
    relayed = max(0, counts["sent"] - counts["generated"])
    return {
        "UAS_transactions": counts["created"] - counts["local"],
        "UAC_transactions": counts["local"],
        "active_transactions": engine["transactions"],
        "inuse_transactions": engine["transactions"],
        "rpl_received": counts["received"],
        "rpl_generated": counts["generated"],
        "rpl_sent": counts["sent"],
        "rpl_relayed": relayed,
        "rpl_absorbed": max(0, counts["received"] - relayed),
        **{f"{digit}xx_transactions": finals[digit] for digit in range(2, 7)},
    }


def tm_stats(server: "Server") -> dict[str, int]:
    """What transactions have done since the start; `waiting` are those that are answered and wait for retransmissions."""
    counts, finals = server.engine.transaction_counts()
    return {
        "current": counts["current"],
        "waiting": counts["waiting"],
        "total": counts["created"],
        "total_local": counts["local"],
        "rpl_received": counts["received"],
        "rpl_generated": counts["generated"],
        "rpl_sent": counts["sent"],
        **{f"{digit}xx": finals[digit] for digit in (6, 5, 4, 3, 2)},
        "created": counts["created"],
        "freed": counts["freed"],
        "delayed_free": 0,
    }


def named(server: "Server") -> dict[str, Any]:
    """All statistics as `group_name`."""
    return {f"{group}_{name}": value for group, values in groups(server).items() for name, value in values.items()}
