"""A REGISTER in work as the registrar takes it (RFC 3261 section 10.3 steps 1 to 6)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sipwright import _engine, log
from sipwright._engine import RegistrarRules
from sipwright.modules import attributes
from sipwright.modules.registrar import Registration
from sipwright.modules.usrloc import NO_USER_AGENT, methods_mask
from sipwright.settings.model import Settings
from sipwright.settings.registrar import RegistrarSettings

if TYPE_CHECKING:
    from sipwright._engine import Message

GetVariable = Callable[[str], Any]


def read(message: "Message", aor: str, uri: str, settings: Settings, get: GetVariable) -> Registration:
    """The registration that a message asks for. Raises ValueError for a Contact that is none.

    `uri` is the URI of the address-of-record; `get` reads a pseudo-variable.
    """
    rules = settings.registrar
    allow = message.headers("Allow")
    supported = _options(message, "Supported")
    path = ",".join(message.headers("Path"))
    cflags = get("$bf")
    request = Registration(
        aor=aor,
        contacts=message.contacts(),
        call_id=message.call_id,
        cseq=message.cseq,
        expires=message.header("Expires"),
        user_agent=message.header("User-Agent") or NO_USER_AGENT,
        methods=methods_mask(",".join(allow) if allow else None),
        path=path,
        supported=supported,
        required=_options(message, "Require"),
        received=variable(rules.received_avp, get) or message.received or "",
        socket=_socket(message, rules, get),
        connection=message.source.conn,
        cflags=cflags if isinstance(cflags, int) else 0,
        server_id=settings.server_id,
        attributes=attributes.take(settings.usrloc.xavp_contact),
        via_count=sum(_values(line) for line in message.headers("Via")),
        gruu=_gruu(uri) if rules.gruu_enabled and "gruu" in supported else None,
    )
    if rules.path_use_received and path:
        _use_received(request, settings)
    if rules.xavp_cfg:
        _take_wishes(request, rules.xavp_cfg, get)
    return request


def rules(settings: Settings) -> RegistrarRules:
    """What of the settings the engine needs."""
    registrar = settings.registrar
    return RegistrarRules(
        use_domain=settings.usrloc.use_domain,
        case_sensitive=registrar.case_sensitive,
        realm_prefix=registrar.realm_prefix.lower(),
        received_param=registrar.received_param,
        default_expires_s=registrar.default_expires_s,
        min_expires_s=registrar.min_expires_s,
        max_expires_s=registrar.max_expires_s,
        default_q=registrar.default_q,
        gruu=registrar.gruu_enabled,
    )


def variable(name: str, get: GetVariable) -> str:
    """The text of a variable that a setting names; empty when it is not set or names none."""
    value = get(name) if name else None
    return value if isinstance(value, str) else ""


def _options(message: "Message", name: str) -> frozenset[str]:
    text = ",".join(message.headers(name))
    return frozenset(word.strip().lower() for word in text.split(",") if word.strip())


def _values(line: str) -> int:
    """The number of values in a Via line; commas occur in quotes only in parameters that nobody writes."""
    return line.count(",") + 1


def _socket(message: "Message", rules: RegistrarSettings, get: GetVariable) -> str:
    if rules.sock_flag >= 0 and rules.sock_hdr_name and _engine.core_isflagset(rules.sock_flag):
        text = (message.header(rules.sock_hdr_name) or "").strip()
        if _is_socket(text):
            return text
        log.warning(f"registrar: {rules.sock_hdr_name}: {text!r} is no socket such as udp:192.0.2.1:5060")
    if rules.sock_mode == 1:
        return f"{message.source.proto}:{get('$RAi')}:{get('$RAp')}"
    return message.source.socket_name


def _is_socket(text: str) -> bool:
    proto, _, rest = text.partition(":")
    return proto in ("udp", "tcp", "tls", "ws", "wss", "sctp") and rest.rpartition(":")[2].isdigit() and len(text) <= 64


def _gruu(uri: str) -> tuple[str, str] | None:
    """User and host of the URI of an address-of-record."""
    user, at, host = uri.partition(":")[2].partition("@")
    return (user.partition(":")[0], host.partition(";")[0].partition("?")[0]) if at else None


def _use_received(request: Registration, settings: Settings) -> None:
    """The edge proxy says where the client is."""
    first = request.path.partition("<")[2].partition(">")[0]
    received = next((p.partition("=")[2] for p in first.split(";") if p.lower().startswith("received=")), "")
    if received:
        request.received = received.replace("%3b", ";").replace("%3B", ";").strip('"')
        if settings.usrloc.nat_bflag >= 0:
            request.cflags |= 1 << settings.usrloc.nat_bflag


def _take_wishes(request: Registration, name: str, get: GetVariable) -> None:
    """What the script wants instead of what the request says: `$xavp(name=>...)`."""

    def number(key: str) -> int | None:
        value = get(f"$xavp({name}=>{key})")
        return value if isinstance(value, int) and value >= 0 else None

    request.granted_s = number("expires")
    request.max_contacts = number("max_contacts")
    q = number("q")
    request.q = q if q is None or q <= 1000 else None
    socket = get(f"$xavp({name}=>socket)")
    if isinstance(socket, str) and _is_socket(socket):
        request.socket = socket
