"""Location tables that several servers share.

A record is about one binding by what tells it from the others of its user (`match_key`), not by its record id: a phone
that registers through two servers has one binding, the newest. Its stamp is `modified_at`, whose microseconds count
the changes of one second. What belongs to one server alone stays there: its connection, and when the contact was last seen.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

from sipwright import log
from sipwright._engine import Binding
from sipwright.modules.usrloc import ALL_METHODS, FLOW_PARAMETER, NO_Q, STEP, Location, Tables, is_live, new_ruid
from sipwright.settings.usrloc import UsrlocSettings
from sipwright.sharing import records
from sipwright.sharing.nodes import Node, Nodes
from sipwright.sharing.outbox import Outbox, Tombstones
from sipwright.sharing.records import MICROSECONDS, Record

# Attributes of a binding that are the same on all servers, with what they are where a record does not say.
SHARED: Final[dict[str, Any]] = {
    "uri": "",
    "expires_at": 0,
    "q": NO_Q,
    "call_id": "",
    "user_agent": "",
    "received": "",
    "path": "",
    "socket": "",
    "flags": 0,
    "cflags": 0,
    "methods": ALL_METHODS,
    "instance": "",
    "reg_id": 0,
    "server_id": 0,
    "ruid": "",
    "attributes": "",
}
# Bindings whose stamp has microseconds, which the binding itself cannot keep; the oldest are forgotten first.
MAX_STAMPS: Final = 100_000
# A table, a user of it, and the key that is gone, or None for whatever this user has.
_Changed = tuple[str, str, bytes | None]


class SharedLocations:
    """All location tables of this server, as the others see them."""

    def __init__(
        self,
        tables: Callable[[], Tables],
        settings: UsrlocSettings,
        nodes: Nodes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.nodes = nodes
        self.outbox: Outbox[_Changed] = Outbox()
        self.tombstones = Tombstones(settings.share_tombstone_s)
        self.refused = 0
        self._tables = tables
        self._settings = settings
        self._stamps: dict[bytes, int] = {}
        self._touched: dict[str, Location] = {}
        self._clock = clock

    # ---- what happens here -----------------------------------------------------------------------------------------

    def before_put(self, location: Location, binding: Binding) -> None:
        """A binding is about to be put into a table here: it becomes newer than whatever is known of it."""
        key = self._key(location, binding)
        for one in location.table.get(binding.aor):
            if one.ruid == binding.ruid and self._key(location, one) != key:
                # A record id belongs to one key, or two records could claim it.
                location.table.remove(one.aor, one.ruid)
                self.removed(location, one)
                binding.ruid = new_ruid()
        old = self._find(location, binding.aor, key)
        known = self.tombstones.get(key) if old is None else self._prefix(key, old)
        if known is not None and records.prefix(binding.modified_at * MICROSECONDS, binding.cseq, False) <= known:
            stamp = int(known[:20]) + 1
            binding.modified_at = stamp // MICROSECONDS
            self._keep_stamp(key, stamp)
        self.tombstones.drop(key)

    def changed(self, location: Location, aor: str) -> None:
        """The bindings of a user have changed here."""
        self.outbox.add((location.name, aor, None))

    def removed(self, location: Location, binding: Binding) -> None:
        """A binding has been removed here, before its end."""
        if not is_live(binding, self._clock()):
            return
        key = self._key(location, binding)
        stamp = max(int(self._clock()) * MICROSECONDS, self._stamp(key, binding))
        text = records.write(stamp, binding.cseq, True, _identity(location, binding))
        self.tombstones.put(key, text, self._clock(), binding.expires_at)
        self.outbox.add((location.name, binding.aor, key))

    def restore(self, location: Location, binding: Binding) -> None:
        """A binding was read from the database: it counts unless something newer is known."""
        if self._merge(location, binding, self._text(location, binding)):
            self.changed(location, binding.aor)

    # ---- what calls need -------------------------------------------------------------------------------------------

    def is_elsewhere(self, binding: Binding) -> bool:
        """Whether another server has taken the registration."""
        return self.nodes.is_elsewhere(binding.server_id)

    def way(self, binding: Binding) -> tuple[str, str] | None:
        """Request-URI and next hop of a request that has to go by the server that has the flow to a contact; None for one
        that this server sends itself.
        """
        node = self._owner_for(binding)
        if node is None:
            return None
        user, at, domain = binding.aor.rpartition("@")
        if not at or not self._settings.use_domain:
            # What is certainly a name of that server.
            user, domain = binding.aor, node.uri.partition(":")[2].partition(";")[0]
        return f"sip:{quote(user, safe=_USER)}@{domain};{FLOW_PARAMETER}={binding.ruid}", node.uri

    def _owner_for(self, binding: Binding) -> Node | None:
        mode = self._settings.share_by_node
        if mode == "never" or not self.is_elsewhere(binding):
            return None
        is_flow = bool(binding.received) or not binding.socket.startswith("udp:")
        node = self.nodes.alive(binding.server_id) if is_flow or mode == "all" else None
        return node if node is not None and node.uri else None

    # ---- the link --------------------------------------------------------------------------------------------------

    def records(self, keys: list[_Changed]) -> list[Record]:
        """As `Store.records`."""
        found: dict[bytes, Record] = {}
        for name, aor, gone in keys:
            location = self._tables().known(name)
            if gone is not None:
                if (text := self.tombstones.get(gone)) is not None:
                    found[gone] = Record(gone, text.encode(), self.tombstones.left_ms(gone, self._clock()))
            elif location is not None:
                found.update((one.key, one) for one in self._records(location, location.table.get(aor)))
        return list(found.values())

    def everything(self) -> Iterator[list[Record]]:
        """As `Store.everything`."""
        for location in self._tables().all():
            start = 0
            while True:
                start, page = location.table.page(start, STEP // 4)
                yield self._records(location, page)
                if not start:
                    break
        keys = self.tombstones.keys()
        for first in range(0, len(keys), STEP):
            yield self.records([("", "", key) for key in keys[first : first + STEP]])

    def apply(self, text: str) -> bool:
        """As `Store.apply`."""
        fields = records.read(text)
        values = fields.values
        location = self._tables().get(str(values["table"]))
        if location is None:
            self.refused += 1
            return False
        shared = {name: values.get(name, default) for name, default in SHARED.items()}
        uri, expires_at = shared.pop("uri"), shared.pop("expires_at")
        modified_at = fields.stamp // MICROSECONDS
        binding = Binding(str(values["aor"]), uri, expires_at, **shared)
        binding.cseq, binding.modified_at, binding.seen_at = fields.cseq, modified_at, modified_at
        return self._merge(location, binding, text)

    def applied(self) -> None:
        """As `Store.applied`: tables that are written at once write what has come."""
        touched, self._touched = self._touched, {}
        for location in touched.values():
            try:
                location.saved("")
            except Exception as error:
                log.error(f"usrloc: what others have registered is not written: {error}")

    def sweep(self, now: float) -> None:
        """As `Store.sweep`."""
        self.tombstones.sweep(now)

    # ---- how -------------------------------------------------------------------------------------------------------

    def _merge(self, location: Location, new: Binding, text: str) -> bool:
        """Makes the table what the record says, if it is newer than what is known."""
        key = self._key(location, new)
        with location.changing(new.aor):
            old = self._find(location, new.aor, key)
            if not self._is_newer(text, location, key, old):
                return False
            is_deleted = text[30] == "1"
            if old is not None and (is_deleted or old.ruid != new.ruid):
                location.table.remove(old.aor, old.ruid)
            if is_deleted:
                self.tombstones.put(key, text, self._clock(), new.expires_at)
            elif is_live(new, self._clock()):
                if old is None and location.is_full:
                    self.refused += 1
                    return False
                self.tombstones.drop(key)
                self._keep_stamp(key, int(text[:20]))
                location.table.put(new)
            elif old is not None:
                location.table.remove(old.aor, new.ruid)
        self._touched[location.name] = location
        return True

    def _is_newer(self, text: str, location: Location, key: bytes, old: Binding | None) -> bool:
        if old is None:
            return records.is_newer(text, self.tombstones.get(key))
        prefix = self._prefix(key, old)
        # The check sum is needed only where all else is the same.
        return records.is_newer(text, self._text(location, old)) if text.startswith(prefix) else text > prefix

    def _records(self, location: Location, bindings: list[Binding]) -> list[Record]:
        now, found = self._clock(), []
        for one in bindings:
            if is_live(one, now):
                life_s = one.expires_at - now + self._settings.rm_expired_delay_s if one.expires_at else 0.0
                text = self._text(location, one).encode()
                found.append(Record(self._key(location, one), text, max(1, int(life_s * 1000)) if life_s else 0))
        return found

    def _find(self, location: Location, aor: str, key: bytes) -> Binding | None:
        return next((one for one in location.table.get(aor) if self._key(location, one) == key), None)

    def _text(self, location: Location, binding: Binding) -> str:
        stamp = self._stamp(self._key(location, binding), binding)
        return records.write(stamp, binding.cseq, False, _values(location, binding))

    def _prefix(self, key: bytes, binding: Binding) -> str:
        return records.prefix(self._stamp(key, binding), binding.cseq, False)

    def _stamp(self, key: bytes, binding: Binding) -> int:
        kept = self._stamps.get(key, 0)
        return kept if kept // MICROSECONDS == binding.modified_at else binding.modified_at * MICROSECONDS

    def _keep_stamp(self, key: bytes, stamp: int) -> None:
        self._stamps.pop(key, None)
        if stamp % MICROSECONDS:
            while len(self._stamps) >= MAX_STAMPS:
                self._stamps.pop(next(iter(self._stamps)), None)
            self._stamps[key] = stamp

    def _key(self, location: Location, binding: Binding) -> bytes:
        match = match_key(binding, self._settings.matching_mode)
        return f"{location.name}\n{binding.aor}\n{match}".encode()


def match_key(binding: Binding, matching_mode: int) -> str:
    """What tells a binding from the others of its user; two with the same are one (`usrloc.match`)."""
    if binding.instance:
        return f"instance {binding.reg_id} {binding.instance}"
    if matching_mode == 3:
        return f"call {binding.call_id}"
    more = {1: binding.call_id, 2: binding.path}.get(matching_mode, "")
    return f"contact {binding.uri} {more}" if more else f"contact {binding.uri}"


_USER: Final = "-_.!~*'()&=+$,;?/%"


def _values(location: Location, binding: Binding) -> dict[str, Any]:
    values = {"table": location.name, "aor": binding.aor}
    for name, default in SHARED.items():
        value = getattr(binding, name)
        if value != default:
            values[name] = value
    return values


def _identity(location: Location, binding: Binding) -> dict[str, Any]:
    """What a record of a deleted binding has: what its key is made of, its record id and its end."""
    names = ("uri", "expires_at", "call_id", "path", "instance", "reg_id", "ruid")
    values = {name: value for name, value in _values(location, binding).items() if name in names}
    return {"table": location.name, "aor": binding.aor, **values}
