# Written by `python -m sipwright.kemi.stubs`.
"""The functions of Kamailio's core, and the modules as attributes."""

from . import acc as acc
from . import alias_db as alias_db
from . import app_python3 as app_python3
from . import auth as auth
from . import auth_db as auth_db
from . import auth_ephemeral as auth_ephemeral
from . import cfgutils as cfgutils
from . import corex as corex
from . import counters as counters
from . import debugger as debugger
from . import dialog as dialog
from . import dispatcher as dispatcher
from . import dmq as dmq
from . import domain as domain
from . import exec as exec
from . import group as group
from . import hdr as hdr
from . import htable as htable
from . import http_async_client as http_async_client
from . import http_client as http_client
from . import ipops as ipops
from . import jsonrpcs as jsonrpcs
from . import kex as kex
from . import kx as kx
from . import log_systemd as log_systemd
from . import maxfwd as maxfwd
from . import mqueue as mqueue
from . import nathelper as nathelper
from . import path as path
from . import permissions as permissions
from . import pike as pike
from . import pipelimit as pipelimit
from . import pv as pv
from . import pvx as pvx
from . import ratelimit as ratelimit
from . import registrar as registrar
from . import rr as rr
from . import rtpengine as rtpengine
from . import rtpproxy as rtpproxy
from . import sanity as sanity
from . import sdpops as sdpops
from . import sipjson as sipjson
from . import siptrace as siptrace
from . import siputils as siputils
from . import sl as sl
from . import speeddial as speeddial
from . import sqlops as sqlops
from . import statistics as statistics
from . import textops as textops
from . import textopsx as textopsx
from . import tls as tls
from . import tm as tm
from . import tmx as tmx
from . import uac as uac
from . import uri_db as uri_db
from . import websocket as websocket
from . import x as x
from . import xhttp as xhttp
from . import xlog as xlog

def add_local_rport() -> bool:
    """Asks for rport in our own Via."""

def add_tcp_alias(port: int, /) -> int:
    """Uses the connection for messages to that port of the peer too (RFC 5923); -1 if another one is there for it."""

def add_tcp_alias_via() -> int:
    """As `add_tcp_alias` with the port of the top Via."""

def alert(text: str, /) -> int:
    """Logs the text at level alert."""

def crit(text: str, /) -> int:
    """Logs the text at level crit."""

def dbg(text: str, /) -> int:
    """Logs the text at level dbg."""

def err(text: str, /) -> int:
    """Logs the text at level err."""

def force_rport() -> bool:
    """Answers to the sender's port whatever its Via asks (RFC 3581)."""

def forward() -> int:
    """Forwards the message without a transaction (RFC 3261 section 16.11); 1 or -1."""

def forward_uri(uri: str, /) -> int:
    """Forwards the message without a transaction to the next hop that the URI names."""

def get_debug() -> int:
    """The highest log level written (Kamailio's `debug`)."""

def info(text: str, /) -> int:
    """Logs the text at level info."""

def is_ACK() -> bool:
    """Whether the method is ACK (of CSeq, for a response)."""

def is_BYE() -> bool:
    """Whether the method is BYE (of CSeq, for a response)."""

def is_CANCEL() -> bool:
    """Whether the method is CANCEL (of CSeq, for a response)."""

def is_DELETE() -> bool:
    """Whether the method is DELETE (of CSeq, for a response)."""

def is_GET() -> bool:
    """Whether the method is GET (of CSeq, for a response)."""

def is_INFO() -> bool:
    """Whether the method is INFO (of CSeq, for a response)."""

def is_INVITE() -> bool:
    """Whether the method is INVITE (of CSeq, for a response)."""

def is_IPv4() -> bool:
    """Whether the message came over IPv4."""

def is_IPv6() -> bool:
    """Whether the message came over IPv6."""

def is_KDMQ() -> bool:
    """Whether the method is KDMQ (of CSeq, for a response)."""

def is_MESSAGE() -> bool:
    """Whether the method is MESSAGE (of CSeq, for a response)."""

def is_NOTIFY() -> bool:
    """Whether the method is NOTIFY (of CSeq, for a response)."""

def is_OPTIONS() -> bool:
    """Whether the method is OPTIONS (of CSeq, for a response)."""

def is_POST() -> bool:
    """Whether the method is POST (of CSeq, for a response)."""

def is_PRACK() -> bool:
    """Whether the method is PRACK (of CSeq, for a response)."""

def is_PUBLISH() -> bool:
    """Whether the method is PUBLISH (of CSeq, for a response)."""

def is_PUT() -> bool:
    """Whether the method is PUT (of CSeq, for a response)."""

def is_REFER() -> bool:
    """Whether the method is REFER (of CSeq, for a response)."""

def is_REGISTER() -> bool:
    """Whether the method is REGISTER (of CSeq, for a response)."""

def is_SCTP() -> bool:
    """Whether the message came over SCTP: never, SCTP is not supported."""

def is_SUBSCRIBE() -> bool:
    """Whether the method is SUBSCRIBE (of CSeq, for a response)."""

def is_TCP() -> bool:
    """Whether the message came over TCP."""

def is_TCPX() -> bool:
    """Whether the message came over a stream: TCP, TLS or WebSocket."""

def is_TLS() -> bool:
    """Whether the message came over TLS."""

def is_UDP() -> bool:
    """Whether the message came over UDP."""

def is_UPDATE() -> bool:
    """Whether the method is UPDATE (of CSeq, for a response)."""

def is_WS() -> bool:
    """Whether the message came over WS."""

def is_WSS() -> bool:
    """Whether the message came over WSS."""

def is_WSX() -> bool:
    """Whether the message came over WebSocket, secure or not."""

def is_dst_port(port: int, /) -> bool:
    """Whether the port of our socket is this one."""

def is_method(names: str, /) -> bool:
    """Whether the method is one of those named, as in `INVITE|ACK`."""

def is_method_in(letters: str, /) -> bool:
    """Whether the method is one of these letters: I INVITE, A ACK, C CANCEL, B BYE, O OPTIONS, R REGISTER, E PRACK, S SUBSCRIBE, N NOTIFY, P PUBLISH, F REFER, M MESSAGE, U UPDATE."""

def is_myself(uri: str, /) -> bool:
    """Whether host, host:port or proto:host:port names this server."""

def is_myself_duri() -> bool:
    """Whether the destination URI names this server."""

def is_myself_furi() -> bool:
    """Whether the From URI names this server."""

def is_myself_nhuri() -> bool:
    """Whether the next hop names this server."""

def is_myself_ruri() -> bool:
    """Whether the request-URI names this server."""

def is_myself_srcip() -> bool:
    """Whether the sender's address names this server."""

def is_myself_suri() -> bool:
    """Whether the sender's address and port names this server."""

def is_myself_turi() -> bool:
    """Whether the To URI names this server."""

def is_proto(letters: str, /) -> bool:
    """Whether the message came over one of the transports with these letters: u UDP, t TCP, e TLS, w WS, v WSS."""

def is_src_port(port: int, /) -> bool:
    """Whether the sender's port is this one."""

def isbflagset(flag: int, /) -> bool:
    """Whether a flag of the main branch is set."""

def isbiflagset(flag: int, branch: int, /) -> bool:
    """Whether a flag of a branch is set."""

def isdsturiset() -> bool:
    """Whether a next hop is set."""

def isflagset(flag: int, /) -> bool:
    """Whether a message flag is set."""

def issflagset(flag: int, /) -> bool:
    """Whether a script flag is set."""

def log(level: str, text: str, /) -> int:
    """Logs the text at the named level: alert, crit, err, warn, notice, info or dbg."""

def notice(text: str, /) -> int:
    """Logs the text at level notice."""

def resetbflag(flag: int, /) -> bool:
    """Clears a flag of the main branch."""

def resetbiflag(flag: int, branch: int, /) -> bool:
    """Clears a flag of a branch by its index."""

def resetdsturi() -> bool:
    """Forgets the next hop."""

def resetflag(flag: int, /) -> bool:
    """Clears a message flag."""

def resetsflag(flag: int, /) -> bool:
    """Clears a script flag."""

def set_advertised_address(host: str, /) -> int:
    """Sets the host of our Via for this message."""

def set_advertised_port(port: str, /) -> int:
    """Sets the port of our Via for this message."""

def set_drop() -> int:
    """Drops the message in reply and branch routes, in the onsend route a request."""

def set_forward_close() -> bool:
    """Closes the connection after the forwarded request."""

def set_forward_no_connect() -> bool:
    """Opens no connection to forward the request: without one the branch fails."""

def set_reply_close() -> bool:
    """Closes the connection after the final reply."""

def set_reply_no_connect() -> bool:
    """Opens no connection for the reply where that of the request is gone."""

def setbflag(flag: int, /) -> bool:
    """Sets a flag of the main branch."""

def setbiflag(flag: int, branch: int, /) -> bool:
    """Sets a flag of a branch by its index, 0 for the main one."""

def setdsturi(text: str, /) -> bool:
    """Sets the next hop. What was tried is not tried again by that, as it is by `$du = ..`."""

def setflag(flag: int, /) -> bool:
    """Sets message flag 0 to 31, kept by the transaction."""

def sethost(text: str, /) -> bool:
    """Sets the host of the request-URI."""

def setsflag(flag: int, /) -> bool:
    """Sets a script flag 0 to 31, for this run only."""

def seturi(text: str, /) -> bool:
    """Sets the request-URI."""

def setuser(text: str, /) -> bool:
    """Sets the user of the request-URI."""

def to_IPv4() -> bool:
    """Whether the message leaves over IPv4 (onsend route)."""

def to_IPv6() -> bool:
    """Whether the message leaves over IPv6 (onsend route)."""

def to_SCTP() -> bool:
    """Whether the message leaves over SCTP: never, SCTP is not supported."""

def to_TCP() -> bool:
    """Whether the message leaves over TCP (onsend route)."""

def to_TLS() -> bool:
    """Whether the message leaves over TLS (onsend route)."""

def to_UDP() -> bool:
    """Whether the message leaves over UDP (onsend route)."""

def to_WS() -> bool:
    """Whether the message leaves over WS (onsend route)."""

def to_WSS() -> bool:
    """Whether the message leaves over WSS (onsend route)."""

def to_WSX() -> bool:
    """Whether the message leaves over WebSocket, secure or not (onsend route)."""

def warn(text: str, /) -> int:
    """Logs the text at level warn."""
