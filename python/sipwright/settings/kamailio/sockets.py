"""Addresses in kamailio.cfg: `listen`, `socket` blocks and `alias`, from tokens.

A list of addresses has no commas and no end mark. It goes on while something that can be an address follows; a name that
begins a line and is followed by `=` or `.name =` is the next statement.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

from sipwright.settings.kamailio.lexer import Lexer
from sipwright.settings.kamailio.tokens import BOOLEANS, WORDS, CfgError, Place, Token
from sipwright.settings.listen import join_host_port

# In small or in capital letters, nothing between.
PROTOCOLS: Final = ("udp", "tcp", "tls", "sctp")
OPTIONS: Final = ("advertise", "name", "virtual", "agname")


@dataclass(frozen=True, slots=True)
class SocketLine:
    """One address to listen on; `proto` None for all, `port` None for the default one."""

    proto: str | None
    host: str
    port: int | None
    place: Place
    advertise: tuple[str, int | None] | None = None
    name: str | None = None
    virtual: bool = False
    agname: str | None = None

    def __str__(self) -> str:
        text = join_host_port(self.host, self.port)
        return f"{self.proto}:{text}" if self.proto else text


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that is this server, `[proto:]host[:port]`."""

    text: str
    place: Place


def read_sockets(lexer: Lexer, place: Place) -> list[SocketLine]:
    """The addresses after `listen=`."""
    found: list[SocketLine] = []
    while not found or _begins_address(lexer):
        proto, hosts, port = _address(lexer, "listen")
        options = _options(lexer)
        found += [SocketLine(proto, host, port, place, **options) for host in hosts]  # type: ignore[arg-type]
    return found


def read_aliases(lexer: Lexer, place: Place) -> list[Alias]:
    """The names after `alias=`."""
    found: list[Alias] = []
    while not found or _begins_address(lexer):
        proto, hosts, port = _address(lexer, "alias")
        for host in hosts:
            text = join_host_port(host, port)
            found.append(Alias(f"{proto}:{text}" if proto else text, place))
    return found


def read_socket_block(lexer: Lexer, place: Place) -> list[SocketLine]:
    """The address of `socket = { bind = ...; advertise = ...; name = "x"; ... }`, after its brace."""
    bound: tuple[str | None, list[str], int | None] | None = None
    options: dict[str, object] = {}
    while not (token := lexer.next()).is_mark("}"):
        if token.is_mark(";"):
            continue
        equals = lexer.next()
        if token.kind != "id" or not equals.is_mark("="):
            raise CfgError(token.place, f"socket: {token} where NAME = VALUE; is expected")
        if token.text == "bind":
            bound = _address(lexer, "bind")
        elif token.text == "advertise":
            _, hosts, port = _address(lexer, "advertise")
            options["advertise"] = (hosts[0], port)
        elif token.text in ("name", "agname"):
            options[token.text] = _quoted(lexer, token)
        elif token.text == "virtual":
            options["virtual"] = bool(_number(lexer, token))
        elif token.text == "workers":
            _number(lexer, token)
        else:
            raise CfgError(token.place, f"socket: {token.text} is not known; bind, advertise, name, agname, virtual")
    if bound is None:
        raise CfgError(place, "socket: has no bind = ADDRESS")
    proto, hosts, port = bound
    return [SocketLine(proto, host, port, place, **options) for host in hosts]  # type: ignore[arg-type]


def _begins_address(lexer: Lexer) -> bool:
    """Whether the next token goes on with the list."""
    token = lexer.peek()
    if token.kind in ("ip", "string", "number"):
        return True
    if token.is_mark("("):
        return True
    if token.kind != "id":
        return False
    return not (token.first and _begins_statement(lexer))


def _begins_statement(lexer: Lexer) -> bool:
    """Whether the name that comes begins a statement: a word, `name =`, `group.name =`."""
    if lexer.peek().text in WORDS:
        return True
    taken = [lexer.next(), lexer.next()]
    if taken[1].is_mark("."):
        taken += [lexer.next(), lexer.next()]
    answer = taken[-1].is_mark("=")
    for token in reversed(taken):
        lexer.push_back(token)
    return answer


def _address(lexer: Lexer, what: str) -> tuple[str | None, list[str], int | None]:
    """`[proto:]host[:port]`, the host also as `(host, host)`."""
    proto = None
    token = lexer.next()
    if (
        token.kind == "id"
        and token.text.lower() in PROTOCOLS
        and token.text in (token.text.lower(), token.text.upper())
    ):
        following = lexer.next()
        if following.is_mark(":"):
            proto, token = token.text.lower(), lexer.next()
        else:
            lexer.push_back(following)
    hosts = _host_list(lexer, what) if token.is_mark("(") else [_host(lexer, token, what)]
    port = None
    following = lexer.next()
    if following.is_mark(":"):
        port_token = lexer.next()
        if port_token.kind != "number" or not 0 <= port_token.number < 65_536:
            raise CfgError(port_token.place, f"{what}: {port_token} is not a port from 0 to 65535")
        port = port_token.number
    else:
        lexer.push_back(following)
    return proto, hosts, port


def _host_list(lexer: Lexer, what: str) -> list[str]:
    hosts = [_host(lexer, lexer.next(), what)]
    while (token := lexer.next()).is_mark(","):
        hosts.append(_host(lexer, lexer.next(), what))
    if not token.is_mark(")"):
        raise CfgError(token.place, f"{what}: {token} where ')' is expected")
    return hosts


def _host(lexer: Lexer, token: Token, what: str) -> str:
    """An address, or a name whose parts `.` and `-` join."""
    if token.kind in ("string", "ip"):
        return _checked(token)
    if token.kind not in ("id", "number"):
        raise CfgError(token.place, f"{what}: {token} where an address, an interface or a host name is expected")
    text = token.text
    while (following := lexer.next()).is_mark(".", "-"):
        part = lexer.next()
        if part.kind not in ("id", "number"):
            raise CfgError(part.place, f"{what}: {part} cannot stand in the host name {text}{following.text}")
        text += following.text + part.text
    lexer.push_back(following)
    return text


def _checked(token: Token) -> str:
    if token.kind == "string":
        return token.text
    try:
        return str(ipaddress.ip_address(token.text))
    except ValueError:
        raise CfgError(token.place, f"{token.text} is not an IP address") from None


def _options(lexer: Lexer) -> dict[str, object]:
    options: dict[str, object] = {}
    while (token := lexer.peek()).is_id(*OPTIONS):
        lexer.next()
        if token.text in options:
            raise CfgError(token.place, f"listen: {token.text} is given twice")
        if token.text == "advertise":
            _, hosts, port = _address(lexer, "advertise")
            options["advertise"] = (hosts[0], port)
        elif token.text == "virtual":
            options["virtual"] = True
        else:
            options[token.text] = _quoted(lexer, token)
    return options


def _quoted(lexer: Lexer, option: Token) -> str:
    token = lexer.next()
    if token.kind != "string":
        raise CfgError(token.place, f"{option.text}: {token} must be in quotes")
    return token.text


def _number(lexer: Lexer, option: Token) -> int:
    token = lexer.next()
    if token.kind == "number":
        return token.number
    if token.kind == "id" and token.text in BOOLEANS:
        return BOOLEANS[token.text]
    raise CfgError(token.place, f"{option.text}: {token} is no number")
