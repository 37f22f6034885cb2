"""The link of a server to Redis or Valkey: two threads of its own, and nothing that a call could wait for.

What is there, for each module that shares something (MODULE is `usrloc` or `htable`):

- `{sipwright}:MODULE:r:KEY`: the last record of each key, with the life that its state has left;
- `{sipwright}:MODULE:stream`: the records that won, in batches, for the other servers;
- `{sipwright}:MODULE:nodes`: a hash with a line about each server.

One thread sends: a script in Redis writes each record of a batch that is newer than what is there, and adds those to the
stream in the same step. The other one reads the stream. A batch has the sender's number for it, so a gap is noticed, and
all of the state is read and sent anew then; so it is after a restart of Redis (its run id changes), and at the start.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from sipwright import log
from sipwright.settings.errors import SettingsError
from sipwright.sharing.nodes import BEAT_S, Nodes
from sipwright.sharing.outbox import Outbox
from sipwright.sharing.records import Record

if TYPE_CHECKING:
    from redis import Redis

# Records sent at a time, and how long the first of them waits for others.
BATCH: Final = 200
LINGER_S: Final = 0.02
# Batches that the stream keeps for servers that lag behind.
STREAM_BATCHES: Final = 4_000
READ_MS: Final = 1_000
CONNECT_S: Final = 2.0
ANSWER_S: Final = 3.0
FIRST_RETRY_S: Final = 0.2
LAST_RETRY_S: Final = 5.0
STOP_S: Final = 0.5
# From node to node of a cluster.
MOST_MOVES: Final = 4
SWEEP_S: Final = 30.0
# Between two steps of reading or sending everything, so that others get the interpreter.
PAUSE_S: Final = 0.002

# KEYS: the stream, then the keys of records. ARGV: the sender's name of the batch, how long the stream is, then text and
# life of each record. Returns how many were newer than what was there.
WRITE: Final = """
local fields = {'from', ARGV[1]}
for i = 2, #KEYS do
    local text, life = ARGV[2 * i - 1], tonumber(ARGV[2 * i])
    local known = redis.call('GET', KEYS[i])
    if not known or string.sub(known, 1, 41) < string.sub(text, 1, 41) then
        if life > 0 then
            redis.call('SET', KEYS[i], text, 'PX', life)
        else
            redis.call('SET', KEYS[i], text)
        end
        fields[#fields + 1] = tostring(i)
        fields[#fields + 1] = text
    end
end
if #fields > 2 then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(fields))
end
return #fields / 2 - 1
"""


class Store(Protocol):
    """What is shared: the tables of a module, as the link sees them."""

    @property
    def outbox(self) -> Outbox[Any]:
        """What has changed here."""

    @property
    def refused(self) -> int:
        """Number of records that there was no room for."""

    def records(self, keys: list[Any]) -> list[Record]:
        """The state of keys that the outbox had."""

    def everything(self) -> Iterator[list[Record]]:
        """All of the state, in pages."""

    def apply(self, text: str) -> bool:
        """Takes a record of another server; whether it was newer. Raises ValueError for what is none."""

    def applied(self) -> None:
        """Some records have been taken."""

    def sweep(self, now: float) -> None:
        """Forgets what is no longer needed."""


class _Gap(Exception):
    """Something is missing between what is known and what is there."""


class Link:
    """Keeps a store and Redis the same, as long as Redis answers."""

    def __init__(self, url: str, store: Store, nodes: Nodes) -> None:
        self.store, self.nodes = store, nodes
        self.module = nodes.module
        self.is_connected = False
        self.is_synced = False
        self.counts = dict.fromkeys(("sent", "received", "applied", "bad", "syncs", "failures"), 0)
        self.last_error = ""
        self._url = url
        self.name = self._check_url()
        self._stopping = threading.Event()
        self._broken = threading.Event()
        self._applying = threading.Lock()
        self._thread: threading.Thread | None = None
        self._clients: list[Redis] = []
        # Where the stream was read up to, in which run of Redis, and the last batch of each sender.
        self._position: bytes | None = None
        self._run_id = ""
        self._batches: dict[bytes, int] = {}
        self._sender = f"{nodes.own}-{int(time.time() * 1000):x}"
        self._batch = 0
        self._is_told_away = False
        self._swept_at = self._beat_at = 0.0

    def start(self) -> None:
        """Begins, in threads of its own."""
        self._thread = threading.Thread(target=self._run, name=f"{self.module}-share", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Sends what waits, if that is quickly done, and ends."""
        self._stopping.set()
        self.store.outbox.wake.set()
        if self._thread is not None:
            if self.is_connected:
                self._thread.join(STOP_S)
            for client in self._clients:
                # It ends a thread that waits for an answer.
                client.connection_pool.disconnect(inuse_connections=True)
            self._thread.join(STOP_S)

    def counters(self) -> dict[str, int]:
        """Counters, by the ends of their names."""
        return {
            "connected": int(self.is_connected),
            "waiting": len(self.store.outbox),
            "nodes": sum(node.is_alive for node in self.nodes.others.values()),
            "refused": self.store.refused,
            **self.counts,
        }

    def state(self) -> dict[str, Any]:
        """What the control method shows."""
        others = sorted(self.nodes.others.values(), key=lambda node: node.number)
        return {
            "redis": self.name,
            "connected": self.is_connected,
            "synced": self.is_synced,
            "last_error": self.last_error,
            "server_id": self.nodes.own,
            "node": self.nodes.uri,
            "waiting": len(self.store.outbox),
            "refused": self.store.refused,
            **self.counts,
            "nodes": [{"server_id": node.number, "node": node.uri, "alive": node.is_alive} for node in others],
        }

    # ---- threads ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        while not self._stopping.is_set():
            try:
                self._session()
                retry_s = FIRST_RETRY_S
            except _Gap as gap:
                log.info(f"{self.module}: all of {self.name} is read again: {gap}")
                self._stopping.wait(FIRST_RETRY_S)
            except Exception as error:
                if self.is_connected:
                    retry_s = FIRST_RETRY_S
                self._failed(error)
                self._sweep_if_due()
                self._stopping.wait(retry_s)
                retry_s = min(2 * retry_s, LAST_RETRY_S)
            finally:
                self.is_connected = self.is_synced = False
                for client in self._clients:
                    client.connection_pool.disconnect(inuse_connections=True)
                self._clients = []

    def _session(self) -> None:
        """As long as the connection lasts. Returns at the stop; raises RedisError, OSError or _Gap."""
        redis = self._connected()
        reading = self._client(self._place_of(redis))
        self._clients = [redis, reading]
        self._broken.clear()
        self._beat(redis)
        is_gapless = self._find_position(redis)
        self._is_back()
        reader = threading.Thread(target=self._read, args=(reading,), name=f"{self.module}-share-read", daemon=True)
        reader.start()
        try:
            if not is_gapless or self.store.outbox.has_overflowed():
                self._sync(redis)
            self.is_synced = True
            self._serve(redis)
        finally:
            self._broken.set()
            reading.connection_pool.disconnect(inuse_connections=True)
            reader.join(ANSWER_S)

    def _serve(self, redis: "Redis") -> None:
        """Sends what changes."""
        outbox = self.store.outbox
        while not self._has_ended():
            outbox.wake.wait(max(0.0, self._beat_at - time.monotonic()))
            if outbox.has_overflowed():
                raise _Gap("more has changed than could be listed")
            if len(outbox):
                self._stopping.wait(LINGER_S)
                while self._send_some(redis) and time.monotonic() < self._beat_at:
                    pass
            self._beat_if_due(redis)
        if self._stopping.is_set():
            self._leave(redis)
        elif self._position is None:
            raise _Gap("batches are missing")
        else:
            raise ConnectionError(self.last_error or "reading has ended")

    def _leave(self, redis: "Redis") -> None:
        ends_at = time.monotonic() + STOP_S
        while self._send_some(redis) and time.monotonic() < ends_at:
            pass
        redis.hdel(self._named("nodes"), str(self.nodes.own))

    def _read(self, redis: "Redis") -> None:
        """Takes the records of other servers from the stream."""
        stream = self._named("stream")
        try:
            while not self._has_ended():
                assert self._position is not None
                found = cast("Any", redis.xread({stream: self._position}, count=50, block=READ_MS))
                # redis-py gives a list or, in newer versions, a dictionary.
                for _, entries in found.items() if isinstance(found, dict) else found:
                    for position, fields in entries:
                        self._take(fields)
                        self._position = position
                if found:
                    self.store.applied()
        except _Gap:
            self._position = None
        except Exception as error:
            if not self._broken.is_set():
                self.last_error = _text(error)
        finally:
            self._broken.set()
            self.store.outbox.wake.set()

    # ---- steps -----------------------------------------------------------------------------------------------------

    def _find_position(self, redis: "Redis") -> bool:
        """Where to read the stream from; whether nothing is missing since."""
        info = redis.info("server")
        run_id = str(info.get("run_id", ""))
        is_same = bool(run_id) and run_id == self._run_id and self._position is not None
        self._run_id = run_id
        if is_same and self._is_there(redis):
            return True
        self._batches.clear()
        last = cast("list[Any]", redis.xrevrange(self._named("stream"), count=1))
        self._position = last[0][0] if last else b"0-0"
        return False

    def _is_there(self, redis: "Redis") -> bool:
        """Whether the stream still has all that came after what was read."""
        assert self._position is not None
        first = cast("list[Any]", redis.xrange(self._named("stream"), count=1))
        last = cast("list[Any]", redis.xrevrange(self._named("stream"), count=1))
        if not first:
            return self._position == b"0-0"
        return _number(first[0][0]) <= _number(self._position) <= _number(last[0][0])

    def _take(self, fields: dict[bytes, bytes]) -> None:
        sender, _, number = fields.pop(b"from").partition(b" ")
        known = self._batches.get(sender)
        self._batches[sender] = int(number)
        if known is not None and int(number) > known + 1:
            raise _Gap("batches are missing")
        if sender == self._sender.encode():
            return
        for text in fields.values():
            self.counts["received"] += 1
            self._apply(text)

    def _apply(self, text: bytes) -> None:
        # What is read at the start and what the stream brings meanwhile come in different threads.
        with self._applying:
            try:
                self.counts["applied"] += self.store.apply(text.decode())
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                self.counts["bad"] += 1
                log.debug(f"{self.module}: a record of {self.name} is none: {error}")

    def _sync(self, redis: "Redis") -> None:
        """Reads all records, then sends all of ours, of which those that are newer count."""
        self.store.outbox.everything_is_sent_from_now()
        count, keys = 0, []
        for key in redis.scan_iter(match=self._named("r:*"), count=1_000):
            keys.append(key)
            if len(keys) == 500:
                count += self._read_some(redis, keys)
                keys = []
        count += self._read_some(redis, keys) if keys else 0
        sent = 0
        for page in self.store.everything():
            for start in range(0, len(page), BATCH):
                sent += self._send(redis, page[start : start + BATCH])
            if self._has_ended():
                return
            self._beat_if_due(redis)
            time.sleep(PAUSE_S)
        self.counts["syncs"] += 1
        log.info(f"{self.module}: {count} records of {self.name} are read, {sent} are written")

    def _read_some(self, redis: "Redis", keys: list[bytes]) -> int:
        texts = [text for text in cast("list[bytes | None]", redis.mget(keys)) if text is not None]
        for text in texts:
            self._apply(text)
        self.store.applied()
        self._beat_if_due(redis)
        time.sleep(PAUSE_S)
        return len(texts)

    def _send_some(self, redis: "Redis") -> bool:
        """Sends what has waited longest; whether there was anything."""
        keys = self.store.outbox.take(BATCH)
        try:
            records = self.store.records(keys)
            for start in range(0, len(records), BATCH):
                self._send(redis, records[start : start + BATCH])
        except BaseException:
            self.store.outbox.add_all(keys)
            raise
        return bool(keys)

    def _send(self, redis: "Redis", records: list[Record]) -> int:
        keys: list[str | bytes] = [self._named("stream")]
        arguments: list[Any] = [f"{self._sender} {self._batch + 1}", STREAM_BATCHES]
        for record in records:
            keys.append(self._named("r:").encode() + record.key)
            arguments += [record.text, record.ttl_ms]
        # After an error it may have been done or not; the next batch has the same number then, so nobody misses one.
        count = int(cast("int", redis.register_script(WRITE)(keys, arguments)))
        self._batch += count > 0
        self.counts["sent"] += count
        return count

    def _beat_if_due(self, redis: "Redis") -> None:
        if time.monotonic() < self._beat_at:
            return
        if not self._beat(redis):
            self._position = None
            raise _Gap("it has been emptied")
        self._sweep_if_due()

    def _sweep_if_due(self) -> None:
        if time.monotonic() - self._swept_at > SWEEP_S:
            self._swept_at = time.monotonic()
            self.store.sweep(time.time())

    def _beat(self, redis: "Redis") -> bool:
        """Says that we are there, and learns who else is; whether what we said last is still there."""
        name = self._named("nodes")
        with redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(name)
            pipe.hset(name, str(self.nodes.own), self.nodes.line())
            lines = cast("dict[bytes, bytes]", pipe.execute()[0])
        for gone in self.nodes.learn(lines, time.monotonic()):
            redis.hdel(name, gone)
        self._beat_at = time.monotonic() + BEAT_S
        return str(self.nodes.own).encode() in lines

    def _has_ended(self) -> bool:
        return self._stopping.is_set() or self._broken.is_set()

    # ---- connection ------------------------------------------------------------------------------------------------

    def _connected(self) -> "Redis":
        """A client that is connected: in a cluster with the node that has our slot, of which there is one."""
        from redis.exceptions import MovedError

        place: dict[str, Any] = {}
        for _ in range(MOST_MOVES):
            redis = self._client(place)
            self._clients = [redis]
            try:
                redis.exists(self._named("stream"))
            except MovedError as moved:
                place = {**place, "host": moved.host or place.get("host"), "port": moved.port}
                redis.connection_pool.disconnect(inuse_connections=True)
                continue
            return redis
        raise ConnectionError("the nodes of the cluster send each to another")

    @staticmethod
    def _place_of(redis: "Redis") -> dict[str, Any]:
        found = redis.connection_pool.connection_kwargs
        return {name: found[name] for name in ("host", "port") if name in found}

    def _client(self, place: Mapping[str, Any]) -> "Redis":
        """A client of the URL, or of another node of its cluster."""
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        client = Redis.from_url(
            self._url,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=CONNECT_S,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        client.connection_pool.connection_kwargs.update(place)
        return client

    def _check_url(self) -> str:
        """What of the URL may be shown. Raises SettingsError for one that is none."""
        try:
            parts = self._client({}).connection_pool.connection_kwargs
        except ValueError as error:
            # The text of the error may quote the URL, with its password.
            kinds = "redis://host:port/number, rediss:// (TLS) or unix://path"
            raise SettingsError(f"{self.module}.share_url is no URL of Redis: {kinds}") from error
        if "path" in parts:
            return str(parts["path"])
        return f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}/{parts.get('db', 0)}"

    def _named(self, rest: str) -> str:
        # The braces keep all keys in one slot of a cluster, as the script needs them.
        return f"{{sipwright}}:{self.module}:{rest}"

    def _failed(self, error: Exception) -> None:
        self.last_error = _text(error)
        self.counts["failures"] += 1
        if not self._is_told_away and not self._stopping.is_set():
            self._is_told_away = True
            log.error(f"{self.module}: {self.name} does not answer, this server goes on alone: {self.last_error}")

    def _is_back(self) -> None:
        self.is_connected = True
        self.last_error = ""
        if self._is_told_away:
            self._is_told_away = False
            log.notice(f"{self.module}: {self.name} answers again")


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _number(position: bytes) -> tuple[int, int]:
    milliseconds, _, count = position.partition(b"-")
    return int(milliseconds), int(count)
