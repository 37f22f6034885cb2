"""Calls that the server makes between two others: INVITE without media to the first, REFER to the second, BYE (RFC 3515)."""

import itertools
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sipwright import log
from sipwright.modules.dialog import Dialog, Leg
from sipwright.modules.dialog_requests import routes_to_callee, send, values_of
from sipwright.modules.requests import OutgoingRequest

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

# Routes of this module that the engine calls.
INVITED: Final = "dialog:bridge-invite"
REFERRED: Final = "dialog:bridge-refer"
# Nobody is to send media here: an address that is none (RFC 3264 section 8.4 of old), in the two codecs that all have.
HOLD: Final = (
    b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 9 RTP/AVP 8 0\r\n"
    b"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
)
# As Kamailio's requests begin.
FIRST_CSEQ: Final = 10
_UNFIT: Final = re.compile(r"[\r\n\0<>]")


@dataclass(slots=True)
class _Bridge:
    """A call that is being made: our side of it, and where the other one is sent."""

    dialog: Dialog
    to: str


class Bridges:
    """The calls that are being made."""

    def __init__(self, host: "Host") -> None:
        self._settings = host.settings.dialog
        self._numbers = itertools.count(1)
        self._bridges: dict[str, _Bridge] = {}
        host.route(INVITED, self._invited)
        host.route(REFERRED, self._referred)

    def start(self, from_uri: str, to_uri: str, proxy: str = "", body: bytes = HOLD) -> bool:
        """Calls `from_uri`, by way of `proxy`; what it answers makes it call `to_uri`. False, with a log line, if not sent."""
        settings, number = self._settings, str(next(self._numbers))
        caller = Leg(secrets.token_hex(8), settings.bridge_controller, FIRST_CSEQ)
        call_id = secrets.token_hex(12)
        dialog = Dialog(0, 0, 0, call_id, settings.bridge_controller, from_uri, from_uri, caller, 0, 0)
        headers = f"Contact: <{settings.bridge_contact}>\r\n"
        if body:
            headers += "Content-Type: application/sdp\r\n"
        request = OutgoingRequest(
            "INVITE",
            from_uri,
            from_uri=dialog.from_uri,
            to_uri=dialog.to_uri,
            from_tag=caller.tag,
            call_id=call_id,
            cseq=caller.cseq,
            next_hop=proxy,
            headers=headers,
            body=body,
            callback=INVITED,
            event=number,
        )
        self._bridges[number] = _Bridge(dialog, to_uri)
        try:
            if _UNFIT.search(from_uri + to_uri + proxy):
                raise ValueError("that is not a URI")
            request.send()
        except ValueError as error:
            del self._bridges[number]
            log.error(f"dialog: {from_uri} and {to_uri} cannot be bridged: {error}")
            return False
        return True

    def _invited(self, message: "Message", event: str) -> None:
        """The route that is told what became of the INVITE."""
        bridge = self._bridges.get(event)
        if bridge is None:
            return
        contacts = message.contacts() if message.Type == "SIP_REPLY" and message.Status.startswith("2") else []
        if not contacts:
            del self._bridges[event]
            return
        dialog = bridge.dialog
        routes = routes_to_callee(values_of(message.headers("Record-Route")), 0, 0)
        dialog.callee = Leg(message.to_tag, contacts[0].uri, 0, routes, message.source.socket_name)
        lines = f"Referred-By: <{dialog.from_uri}>\r\nRefer-To: <{bridge.to}>\r\nContact: <{self._settings.bridge_contact}>\r\n"
        if not send(dialog, "REFER", True, lines, callback=REFERRED, event=event):
            self._hang_up(event)

    def _referred(self, _message: "Message", event: str) -> None:
        """The route that is told what became of the REFER: our part in the call is over, whatever it was."""
        self._hang_up(event)

    def _hang_up(self, event: str) -> None:
        bridge = self._bridges.pop(event, None)
        if bridge is not None:
            send(bridge.dialog, "BYE", True)
