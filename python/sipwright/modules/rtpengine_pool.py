"""The instances of rtpengine: which one gets a command, and what administrators see of them."""

import threading
import time
import zlib
from typing import TYPE_CHECKING, Any

from sipwright import log
from sipwright.control.rpc import FAILED, INVALID_PARAMS, RpcError
from sipwright.modules.media_nodes import Node, Nodes, Unreachable, by_weight, parse_nodes
from sipwright.modules.rtpengine import Calls, Refused, encoded, read_answer
from sipwright.settings.rtpengine import RtpengineSettings

if TYPE_CHECKING:
    from sipwright.storage.database import Database

PING = {"command": "ping"}


class Pool:
    """Instances, and the calls that they have. Waits only in the thread that calls."""

    def __init__(self, settings: RtpengineSettings, database: "Database | None" = None) -> None:
        self._settings = settings
        self._database = database
        self.nodes = Nodes(settings.rtpengine_sock)
        self._calls = Calls(settings.hash_table_tout_s)
        self._timeouts = 0
        if database is not None:
            self._load(database)

    def begin(self) -> None:
        """Asks every instance in the background whether it is there."""
        if self._settings.ping_mode and any(self.nodes):
            threading.Thread(target=self._test_all, name="rtpengine", daemon=True).start()

    def run(self, made: dict[str, Any], sets: list[int]) -> tuple[str, dict[str, Any]]:
        """Sends a command to the instance of its call: the URL and what it says. Raises Refused.

        A new call goes to one of the sets, by its Call-ID. An instance that does not answer is left alone for a while, and one
        that is at its limit for this command; then the next one is asked.
        """
        refused: set[Node] = set()
        for _ in range(self._settings.queried_nodes_limit):
            node = self._node(made, sets, refused)
            if node is None:
                break
            answer = self._ask(node, made)
            if answer is None or answer["result"] == "load limit":
                refused.add(node)
                continue
            if answer["result"] != "ok":
                raise Refused(f"{node.url}: {answer.get('error-reason', answer['result'])}")
            if "warning" in answer:
                log.warning(f"rtpengine: {node.url}: {answer['warning']}")
            self._note(made, node)
            return node.url, answer
        raise Refused("no instance serves")

    def _node(self, made: dict[str, Any], sets: list[int], refused: set[Node]) -> Node | None:
        now = time.monotonic()
        call_id, branch = made["call-id"], made.get("via-branch", "")
        url = self._calls.get(call_id, branch, now)
        for node in self.nodes.named(url) if url else ():
            allowed = not node.is_off or self._settings.rtpengine_allow_op
            if node not in refused and allowed and node.recheck_at is None:
                return node
        for number in sets:
            nodes = [node for node in self.nodes.of(number) if node not in refused]
            found = self._chosen([node for node in nodes if self._serves(node, now)], call_id)
            if found is None and self._settings.aggressive_redetection:
                # Better to ask those that are left alone than nobody.
                found = self._chosen([node for node in nodes if not node.is_off and self._test(node)], call_id)
            if found is not None:
                return found
        return None

    def _chosen(self, nodes: list[Node], call_id: str) -> Node | None:
        if self._settings.hash_algo == 0:
            return by_weight(nodes, call_id)
        weighted = [node for node in nodes for _ in range(node.weight)]
        return weighted[zlib.crc32(call_id.encode()) % len(weighted)] if weighted else None

    def _serves(self, node: Node, now: float) -> bool:
        if node.is_off:
            return False
        if (node.is_tested or not self._settings.ping_mode) and node.recheck_at is None:
            return True
        return (node.recheck_at is None or node.recheck_at <= now) and self._test(node)

    def _ask(self, node: Node, made: dict[str, Any]) -> dict[str, Any] | None:
        settings = self._settings
        try:
            data = node.ask(encoded(made), settings.rtpengine_tout_ms / 1_000, settings.rtpengine_retr)
        except Unreachable as error:
            log.error(f"rtpengine: {error}; it is left alone for {settings.rtpengine_disable_tout_s} s")
            node.recheck_at = time.monotonic() + settings.rtpengine_disable_tout_s
            self._timeouts += 1
            return None
        return read_answer(data)

    def _test(self, node: Node) -> bool:
        with node.lock:
            if node.is_tested and node.recheck_at is None:
                return True
            try:
                answer = self._ask(node, PING)
            except Refused as error:
                log.error(f"rtpengine: {node.url}: {error}")
                answer = None
            if answer is None or answer["result"] != "pong":
                node.recheck_at = time.monotonic() + self._settings.rtpengine_disable_tout_s
                return False
            node.recheck_at = None
            node.is_tested = True
            return True

    def _test_all(self) -> None:
        for node in self.nodes:
            if not node.is_off:
                self._test(node)

    def _note(self, made: dict[str, Any], node: Node) -> None:
        call = made["call-id"], made.get("via-branch", "")
        if made["command"] == "delete":
            self._calls.remove(*call)
        else:
            self._calls.put(*call, node.url, time.monotonic())

    # ---- table -----------------------------------------------------------------------------------------------------

    def _load(self, database: "Database") -> None:
        from sqlalchemy import text

        s = self._settings
        columns = ", ".join((s.setid_col, s.url_col, s.weight_col, s.disabled_col))
        found = database.query(text(f"SELECT {columns} FROM {s.table_name}"))
        rows: list[Any] = list(found)
        before = {(node.set_id, node.url): node for node in self.nodes}
        texts = (f"{row[0]} == {row[1]}={row[2]}" for row in rows)
        fresh = Nodes(one for one in texts if self._is_good(one))
        off = {(row[0], row[1]) for row in rows if row[3]}
        for node in fresh:
            old = before.get((node.set_id, node.url))
            node.is_off = (node.set_id, node.url) in off
            if old is not None:
                node.is_tested, node.recheck_at = old.is_tested, old.recheck_at
        self.nodes = fresh

    def _is_good(self, text: str) -> bool:
        """Whether a row is an instance; one that is none does not keep the others from being used."""
        try:
            parse_nodes(text)
        except ValueError as error:
            log.error(f"rtpengine: {self._settings.table_name}: {error}; the row is left out")
            return False
        return True

    # ---- control ---------------------------------------------------------------------------------------------------

    def counters(self) -> dict[str, int]:
        """What is counted."""
        disabled = sum(node.is_disabled for node in self.nodes)
        return {
            "rtpengine_calls": len(self._calls),
            "rtpengine_disabled": disabled,
            "rtpengine_timeouts": self._timeouts,
        }

    def sweep(self) -> None:
        """Forgets calls of which nothing was heard for long."""
        self._calls.sweep(time.monotonic())

    def show(self, url: str = "all") -> list[dict[str, Any]]:
        """The instances with this URL, or all."""
        now = time.monotonic()
        return [_shown(node, now) for node in self._named(url)]

    def ping(self, url: str = "all") -> list[dict[str, str]]:
        """Asks instances whether they are there."""
        found = self._named(url)
        for node in found:
            node.is_tested = False
        return [{"url": node.url, "status": "success" if self._test(node) else "fail"} for node in found]

    def enable(self, url: str, on: int | str) -> dict[str, str]:
        """Switches instances on or off until further notice."""
        if str(on) not in ("0", "1"):
            raise RpcError(INVALID_PARAMS, "the second parameter is 0 or 1")
        for node in self._named(url):
            node.is_off = str(on) == "0"
            node.recheck_at = None
            node.is_tested = False
        return {"url": url, "status": "enable" if str(on) == "1" else "disable"}

    def reload(self) -> None:
        """Reads the table of instances again."""
        if self._database is None:
            raise RpcError(FAILED, "No Database URL")
        self._load(self._database)

    def get_hash_total(self) -> int:
        """How many calls are known to be at an instance."""
        return len(self._calls)

    def _named(self, url: str) -> list[Node]:
        found = self.nodes.named(url)
        if not found and url != "all":
            raise RpcError(FAILED, "Instance not found")
        return found


def _shown(node: Node, now: float) -> dict[str, Any]:
    if node.is_off:
        state: tuple[int | str, int | str] = "1(permanent)", "N/A"
    else:
        state = int(node.recheck_at is not None), max(0, round((node.recheck_at or now) - now))
    return {
        "url": node.url,
        "set": node.set_id,
        "index": node.index,
        "weight": node.weight,
        "disabled": state[0],
        "recheck_ticks": state[1],
    }
