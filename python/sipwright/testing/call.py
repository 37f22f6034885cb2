"""A request that a phone of a test has sent, its responses, and the dialog that comes of it."""

from typing import TYPE_CHECKING

from sipwright.testing.dialog import DIALOG_METHODS, Dialog
from sipwright.testing.expect import ExpectationError, Wanted, fits, shown
from sipwright.testing.message import Headers, SipMessage, to_bytes

if TYPE_CHECKING:
    from sipwright.testing.phone import Phone

# Headers that CANCEL, and the ACK of a failure, have in common with their INVITE (RFC 3261 sections 9.1, 17.1.1.3).
_SAME = ("Max-Forwards", "From", "Call-ID", "Route")


class Call:
    """A request of `phone` with the responses so far. Of an INVITE it is the call: `ack`, `cancel`, `bye`."""

    def __init__(self, phone: "Phone", request: SipMessage) -> None:
        self.phone = phone
        self.request = request
        self.responses: list[SipMessage] = []
        self.dialog: Dialog | None = None
        self._unread: list[SipMessage] = []
        self._authenticated = False

    def __repr__(self) -> str:
        codes = " ".join(str(one.status) for one in self.responses) or "no response"
        return f"<{self.request.summary()} by {self.phone.name}: {codes}>"

    @property
    def status(self) -> int:
        """The code of the last response; 0 if there is none."""
        return self.responses[-1].status if self.responses else 0

    @property
    def final(self) -> SipMessage | None:
        """The final response, or None; a challenge that the phone has answered is none."""
        return next((one for one in self.responses if one.status >= 200 and not self._is_answered_challenge(one)), None)

    @property
    def routes(self) -> list[str]:
        """Names of the script's routes that ran for this request and its responses, in order; those for its ACK and
        CANCEL are left out."""
        calls = self.phone.server.route_calls
        return [one.name for one in calls if one.call_id == self.request.call_id and one.is_of(self.request)]

    def expect(self, wanted: Wanted) -> SipMessage:
        """The next response, which must have the wanted code: `486`, `"4xx"`, `range(400, 700)` or a tuple of such.

        A 100 is passed over unless it is wanted, and so is a challenge that the phone has answered with its password.
        """
        while self._unread:
            response = self._unread.pop(0)
            if fits(response, wanted):
                return response
            if response.status != 100 and not self._is_answered_challenge(response):
                raise self._failure(f"{shown(wanted)} was expected, but the next response is {response.summary()}")
        raise self._failure(f"{shown(wanted)} was expected, but there is no further response")

    def expect_nothing(self) -> None:
        """That there is no response which was not looked at, a 100 left out."""
        left = [one for one in self._unread if one.status != 100 and not self._is_answered_challenge(one)]
        if left:
            raise self._failure(f"no further response was expected, but there is {left[0].summary()}")

    def ack(self, *, headers: Headers | None = None, body: bytes | str = b"") -> SipMessage:
        """Sends the ACK of a 2xx. That of any other final response the phone sends by itself."""
        if self.dialog is None or self.final is None or self.final.status >= 300:
            raise self._failure("only a call that was answered with 2xx has an ACK of its own")
        made = self.dialog.request("ACK", self.phone.via(), self.phone.contact_header, headers, to_bytes(body))
        self.phone.send(made)
        return made

    def cancel(self, *, headers: Headers | None = None) -> "Call":
        """Sends a CANCEL; what is returned has the responses to it, those to the INVITE come here."""
        return self.phone.transact(self._same("CANCEL", self.request["To"]).with_headers(headers))

    def bye(self, *, headers: Headers | None = None) -> "Call":
        """Ends the call."""
        return self.request_within("BYE", headers=headers)

    def request_within(self, method: str, *, headers: Headers | None = None, body: bytes | str = b"") -> "Call":
        """Sends a request within the dialog."""
        if self.dialog is None:
            raise self._failure(f"there is no dialog for a {method}: no response had a tag")
        return self.phone.transact_within(self.dialog, method, headers, to_bytes(body))

    def receive(self, response: SipMessage) -> None:
        """Takes a response that has come; for the network of the kit."""
        self.responses.append(response)
        self._unread.append(response)
        makes_dialog = response.to_tag and response.status > 100 and self.request.method in DIALOG_METHODS
        if makes_dialog and (self.dialog is None or response.status // 100 == 2):
            self.dialog = Dialog.of_caller(self.request, response)
        if response.status < 300:
            return
        if self.request.method == "INVITE":
            self.phone.send(self._same("ACK", response["To"]))
        if response.status in (401, 407) and self.phone.password is not None and not self._authenticated:
            self._authenticate(response)

    def _authenticate(self, challenge: SipMessage) -> None:
        from sipwright.modules.digest_client import Account, choose

        proxy = challenge.status == 407
        found = choose(challenge.all("Proxy-Authenticate" if proxy else "WWW-Authenticate"))
        if not found:
            return
        self._authenticated = True
        account = Account(self.phone.user, self.phone.password or "")
        answer = found[0].answer(account, self.request.method, self.request.uri, self.request.body)
        self.request = self.request.with_headers(
            {
                "Via": self.phone.via(),
                "CSeq": f"{self.request.cseq + 1} {self.request.method}",
                "Proxy-Authorization" if proxy else "Authorization": answer,
            }
        )
        self.phone.send_again(self)

    def _is_answered_challenge(self, response: SipMessage) -> bool:
        return self._authenticated and response.status in (401, 407) and response.cseq < self.request.cseq

    def _same(self, method: str, to: str) -> SipMessage:
        """A request of the same transaction."""
        kept = [(name, value) for name, value in self.request.headers if name in _SAME]
        lines = [("Via", self.request["Via"]), *kept, ("To", to), ("CSeq", f"{self.request.cseq} {method}")]
        return SipMessage(f"{method} {self.request.uri} SIP/2.0", tuple(lines))

    def _failure(self, why: str) -> ExpectationError:
        return ExpectationError(f"{self!r}: {why}\n{self.phone.server.story()}")
