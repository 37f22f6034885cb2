"""The control protocol of rtpengine (NG): commands from Kamailio's flags, and what answers say (module rtpengine)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sipwright.modules import bencode

_TRANSPORTS: Final = {"RTP": 0x100, "AVP": 0x100, "SRTP": 0x101, "AVPF": 0x102}
_PROFILES: Final = ("RTP/AVP", "RTP/SAVP", "RTP/AVPF", "RTP/SAVPF")
_WHOLE_PROFILES: Final = (*_PROFILES, "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF")
_NUMBERS: Final = {"TOS": "TOS", "repacketize": "repacketize", "delete-delay": "delete delay"}
# `name-item` and `name=item` are items of these lists, in the order in which commands have them.
_LISTS: Final = ("replace", "rtcp-mux", "SDES", "T.38", "OSRTP")
_CODECS: Final = ("transcode", "mask", "strip", "offer", "except", "set", "accept", "consume", "ignore")
_TAGS: Final = ("call-id", "from-tag", "to-tag", "via-branch")
# What these values of via-branch stand for in requests.
_IN_REQUESTS: Final = {"auto": "1", "auto-extra": "extra", "auto-next": "next"}
# Commands that name both sides, and those that name neither unless told.
_WITH_TO_TAG: Final = ("offer", "answer", "query", "start recording", "stop recording", "play media", "stop media")
_WITHOUT_TAGS: Final = (
    "block media",
    "unblock media",
    "block DTMF",
    "unblock DTMF",
    "silence media",
    "unsilence media",
    "start forwarding",
    "stop forwarding",
)


class Refused(Exception):
    """A command cannot be made, or it was refused."""


@dataclass(frozen=True, slots=True)
class Call:
    """What commands say of the message in work."""

    call_id: str
    from_tag: str
    to_tag: str
    source: str
    is_request: bool
    branches: list[str] = field(default_factory=list)
    extra_id: str = ""
    # The branch that the request will leave with, empty where that is not known.
    next_branch: Callable[[], str] = str


@dataclass(slots=True)
class Flags:
    """Kamailio's flags, read."""

    single: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    codecs: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    transport: int = 0
    profile: str = ""
    names_to_tag: bool = False


def read_flags(text: str, via_branch: str = "") -> Flags:
    """Reads flags as Kamailio's `rtpengine_offer` takes them. Raises Refused for one that lacks its value."""
    flags = Flags()
    for word in text.split():
        key, _, value = word.partition("=")
        _read(flags, key, value, "=" in word)
    if via_branch:
        flags.tags["via-branch"] = via_branch
    return flags


def _read(flags: Flags, key: str, value: str, has_value: bool) -> None:
    if key in _TAGS:
        _read_tag(flags, key, value)
    elif key in _NUMBERS:
        if not value.isdigit():
            raise Refused(f"flag {key}: no number")
        flags.single[_NUMBERS[key]] = int(value)
    elif key == "direction" and has_value:
        flags.lists.setdefault("direction", []).append(value)
    elif not has_value and key in ("internal", "external"):
        flags.lists.setdefault("direction", []).append(key)
    elif not has_value and key in _TRANSPORTS:
        flags.transport |= _TRANSPORTS[key]
    elif not has_value and key in _WHOLE_PROFILES:
        flags.profile = key
    elif not _read_item(flags, key, value, has_value):
        if has_value:
            flags.single[key] = value
        else:
            flags.lists.setdefault("flags", []).append(key)


def _read_tag(flags: Flags, key: str, value: str) -> None:
    if key == "to-tag":
        flags.names_to_tag = True
    elif not value:
        raise Refused(f"flag {key}: no value")
    if value:
        flags.tags[key] = value


def _read_item(flags: Flags, key: str, value: str, has_value: bool) -> bool:
    """Reads `codec-mask-X`, `replace-X`, `SDES=X` and their kin; False for anything else."""
    text = f"{key}-{value}" if has_value else key
    if text.startswith("codec-"):
        verb, _, name = text.removeprefix("codec-").partition("-")
        if verb in _CODECS and name:
            flags.codecs.setdefault(verb, []).append(name)
            return True
    for name in _LISTS:
        if text.startswith(f"{name}-") and (not has_value or key == name):
            flags.lists.setdefault(name, []).append(text.removeprefix(f"{name}-"))
            return True
    return False


def command(verb: str, call: Call, flags: Flags, sdp: bytes | None = None) -> dict[str, Any]:
    """The dictionary of a command. Raises Refused when the message lacks what it needs."""
    made: dict[str, Any] = {"supports": ["load limit"]}
    if sdp is not None:
        made["sdp"] = sdp
    made.update(flags.single)
    for name in ("direction", "flags", *_LISTS):
        if name in flags.lists and name not in made:
            made[name] = flags.lists[name]
    if flags.codecs:
        made["codec"] = flags.codecs
    profile = flags.profile or (_PROFILES[flags.transport & 3] if flags.transport else "")
    if profile:
        made["transport-protocol"] = profile
    made["call-id"] = flags.tags.get("call-id", call.call_id)
    branch = _branch(call, flags.tags.get("via-branch", ""))
    if branch:
        made["via-branch"] = branch
    if "received-from" not in made:
        made["received-from"] = ["IP6" if ":" in call.source else "IP4", call.source]
    made.update(_tags(verb, call, flags))
    made["command"] = verb
    return made


def _branch(call: Call, wish: str) -> str:
    if not wish:
        return ""
    kind = wish
    if wish in _IN_REQUESTS:
        # Our own Via is the first one of a response.
        kind = _IN_REQUESTS[wish] if call.is_request else ("2" if wish == "auto" else "1")
    if kind == "extra":
        found = call.extra_id
    elif kind == "next":
        found = call.next_branch()
    elif kind in ("1", "2"):
        index = int(kind) - 1
        found = call.branches[index] if index < len(call.branches) else ""
    else:
        raise Refused(f"via-branch={wish} is none of 1, 2, auto, extra, next, auto-extra and auto-next")
    if not found:
        raise Refused(f"via-branch={wish}: there is none")
    return found


def _tags(verb: str, call: Call, flags: Flags) -> dict[str, str]:
    """from-tag is the side that sent the description, to-tag the other one."""
    chosen: dict[str, str] = {name: flags.tags[name] for name in ("from-tag", "to-tag") if name in flags.tags}
    if verb in _WITHOUT_TAGS:
        return chosen
    first, second = call.from_tag, call.to_tag
    if verb == "answer":
        if call.is_request:
            first, second = second, first
        if not first:
            raise Refused("an answer without a To tag")
    elif verb == "offer" and not call.is_request:
        first, second = second, first
    tags = {"from-tag": first}
    if second and (verb in _WITH_TO_TAG or flags.names_to_tag):
        tags["to-tag"] = second
    return tags | chosen


def encoded(made: dict[str, Any]) -> bytes:
    """The bytes of a command, without the cookie."""
    return bencode.encode(made)


def read_answer(data: bytes) -> dict[str, Any]:
    """The dictionary of an answer. Raises Refused for what is none."""
    try:
        answer = bencode.decode(data)
    except ValueError as error:
        raise Refused(f"{error} in {data[:64]!r}") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("result"), str):
        raise Refused("an answer without a result")
    return answer


# ---- statistics ----------------------------------------------------------------------------------------------------


def totals(answer: dict[str, Any]) -> str | None:
    """`$rtpstat` of the answer to a query: what was relayed; None without statistics."""
    found = answer.get("totals")
    if not isinstance(found, dict):
        return None
    parts = []
    for kind in ("RTP", "RTCP"):
        numbers = found.get(kind)
        if not isinstance(numbers, dict):
            return None
        parts.append(
            f"{kind}: {numbers.get('bytes', 0)} bytes, {numbers.get('packets', 0)} packets, "
            f"{numbers.get('errors', 0)} errors"
        )
    return "; ".join(parts)


def mos(answer: dict[str, Any], label: str | None = None) -> dict[str, str]:
    """What is known of the quality: values of `mos_*_pv` by the middle of their names (`min_at`, `average_samples`).

    With a `label` only what the sides with that label sent counts.
    """
    streams = list(_streams(answer, label))
    values: dict[str, str] = {}
    for kind, name, better in (("min", "lowest MOS", min), ("max", "highest MOS", max)):
        records = [stream[name] for stream in streams if _has_mos(stream.get(name))]
        if records:
            values |= _extreme(kind, better(records, key=lambda record: record["MOS"]), answer)
    averages = [stream["average MOS"] for stream in streams if _has_mos(stream.get("average MOS"))]
    if averages:
        values |= _average(averages)
    return values


def _has_mos(record: Any) -> bool:
    return isinstance(record, dict) and _number(record, "MOS") > 0


def _number(record: dict[str, Any], key: str, default: int = 0) -> int:
    """A number of a record; the default where it is missing or none."""
    value = record.get(key)
    return value if isinstance(value, int) else default


def _listed(record: Any, key: str) -> list[dict[str, Any]]:
    """The dictionaries of a list in a record."""
    items = record.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _streams(answer: dict[str, Any], label: str | None) -> Iterator[dict[str, Any]]:
    found = answer.get("SSRC")
    wanted = None if label is None else set(_sources(answer, label))
    for source, stream in found.items() if isinstance(found, dict) else ():
        if isinstance(stream, dict) and (wanted is None or source in wanted):
            yield stream


def _sources(answer: dict[str, Any], label: str) -> Iterator[str]:
    tags = answer.get("tags")
    for tag in tags.values() if isinstance(tags, dict) else ():
        if isinstance(tag, dict) and tag.get("label") == label:
            for media in _listed(tag, "medias"):
                for stream in _listed(media, "streams"):
                    yield str(stream.get("SSRC", ""))
                    for source in _listed(stream, "ingress SSRCs"):
                        yield str(source.get("SSRC", ""))


def _extreme(kind: str, record: dict[str, Any], answer: dict[str, Any]) -> dict[str, str]:
    at = _number(record, "reported at") - _number(answer, "created")
    return {
        kind: _tenths(record["MOS"]),
        f"{kind}_at": f"{at // 60}:{at % 60:02}",
        **{f"{kind}_{name}": str(record.get(key, 0)) for name, key in _QUALITIES},
    }


def _average(records: list[dict[str, Any]]) -> dict[str, str]:
    """Weighted by the number of samples."""
    samples = sum(max(1, _number(record, "samples", 1)) for record in records)

    def mean(key: str) -> int:
        return sum(_number(record, key) * max(1, _number(record, "samples", 1)) for record in records) // samples

    return {
        "average": _tenths(mean("MOS")),
        "average_samples": str(samples),
        **{f"average_{name}": str(mean(key)) for name, key in _QUALITIES},
    }


_QUALITIES: Final = (("packetloss", "packet loss"), ("jitter", "jitter"), ("roundtrip", "round-trip time"))


def _tenths(number: int) -> str:
    return f"{number // 10}.{number % 10}"


# ---- where calls are -----------------------------------------------------------------------------------------------


class Calls:
    """Which instance serves which call; forgets those of which nothing was heard for a while."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._at: dict[tuple[str, str], tuple[str, float]] = {}

    def __len__(self) -> int:
        return len(self._at)

    def get(self, call_id: str, branch: str, now: float) -> str | None:
        """URL of the instance of the call."""
        found = self._at.get((call_id, branch))
        return found[0] if found is not None and found[1] > now else None

    def put(self, call_id: str, branch: str, url: str, now: float) -> None:
        """The call is at this instance from now on."""
        self._at[call_id, branch] = url, now + self._keep_s

    def remove(self, call_id: str, branch: str) -> None:
        """The call has ended."""
        self._at.pop((call_id, branch), None)

    def sweep(self, now: float) -> None:
        """Forgets calls whose time is over."""
        for key in [key for key, (_, until) in list(self._at.items()) if until <= now]:
            self._at.pop(key, None)


def as_text(value: Any, form: str) -> str:
    """An answer as JSON (`j`) or in the short form of Kamailio's logs (`r`)."""
    import json

    if form == "j":
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return " ".join(_flat(value, ""))


def _flat(value: Any, prefix: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{prefix}{key}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(item, f"{prefix}{index}.")
    else:
        yield f"{prefix.rstrip('.')}={value}"
