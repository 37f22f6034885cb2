"""The routing that runs when no script is given: a registrar and a proxy for the users registered with it.

    sipwright run                                   on loopback
    sipwright run --listen udp:0.0.0.0:5060         on the network

It is an ordinary KEMI script, for Sipwright and for Kamailio's app_python3: copy it and change the copy.

- REGISTER for one of our domains is stored. There are no passwords, so calls go to where a registration came from, whatever its
  Contact says, and registrations that name a Path are refused: nobody can have calls sent to a third party.
- Calls and messages to a registered user go to all of its contacts.
- It is no open relay: requests that start a dialog are relayed to registered users only, and requests within a
  dialog only if they carry the mark that this server put into the dialog's Record-Route.

Set the environment variable ROUTE_SECRET to a text of your own if calls should survive a restart.
"""

import hashlib
import hmac
import os
import secrets

import KSR

LOCATION = "location"
# Branch flag of contacts that are behind NAT; kept with the binding.
FLB_NAT = 6
MAX_FORWARDS = 70
# nat_uac_test: private address in Contact (1), source other than Via (2), private address in Via (16).
NAT_TESTS = 1 + 2 + 16
# sanity_check: version, CSeq, Content-Length, Expires, required headers, URIs.
SANITY_CHECKS = 1511
SANITY_URIS = 7

# In the environment, because each worker may have its own copy of this module.
os.environ.setdefault("ROUTE_SECRET", secrets.token_hex(16))


def mod_init() -> "Router":
    """Makes the object whose methods are the routes."""
    return Router()


class Router:
    """The routes; each returns 1, which nobody reads."""

    def child_init(self, rank: int) -> int:
        """Nothing to prepare in a worker."""
        return 0

    def ksr_request_route(self, msg: object) -> int:
        """Every request starts here."""
        if not self.is_acceptable():
            return 1
        if KSR.is_CANCEL():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
            return 1
        if not KSR.is_ACK() and KSR.tm.t_check_trans() == 0:
            return 1  # a retransmission, which has been answered
        KSR.force_rport()
        is_natted = KSR.nathelper.nat_uac_test(NAT_TESTS) > 0
        if KSR.siputils.has_totag() > 0:
            return self.within_dialog(is_natted)
        if KSR.is_ACK():
            return 1
        if KSR.rr.loose_route() > 0:
            KSR.sl.send_reply(403, "Preloaded Route denied")
            return 1
        if KSR.is_REGISTER():
            return self.register(is_natted)
        return self.start_dialog(is_natted)

    def is_acceptable(self) -> bool:
        """Whether a request is well-formed and not in a loop; answers it otherwise."""
        if KSR.maxfwd.process_maxfwd(MAX_FORWARDS) < 0:
            KSR.sl.send_reply(483, "Too Many Hops")
            return False
        return bool(KSR.sanity.sanity_check(SANITY_CHECKS, SANITY_URIS) > 0)

    def register(self, is_natted: bool) -> int:
        """Stores the contacts of one of our users."""
        if not KSR.is_myself_turi():
            KSR.sl.send_reply(403, "Not a domain of this server")
            return 1
        if KSR.hdr.is_present("Path") > 0:
            KSR.sl.send_reply(403, "Path is not accepted here")
            return 1
        KSR.nathelper.fix_nated_register()
        if is_natted:
            KSR.setbflag(FLB_NAT)
        KSR.registrar.save(LOCATION, 0)
        return 1

    def start_dialog(self, is_natted: bool) -> int:
        """Calls, messages and subscriptions to our users; OPTIONS to ourselves."""
        if not KSR.is_myself_ruri():
            KSR.sl.send_reply(403, "Relaying denied")
            return 1
        if KSR.corex.has_ruri_user() < 0:
            if KSR.is_OPTIONS():
                KSR.sl.send_reply(200, "Keepalive")
            else:
                KSR.sl.send_reply(484, "Address Incomplete")
            return 1
        if is_natted:
            KSR.nathelper.set_contact_alias()
        found = KSR.registrar.lookup(LOCATION)
        if found < 0:
            if found == -2:
                KSR.sl.send_reply(405, "Method Not Allowed")
            else:
                KSR.sl.send_reply(404, "Not Found")
            return 1
        if KSR.is_method_in("IS"):
            self.record_route()
        return self.relay()

    def within_dialog(self, is_natted: bool) -> int:
        """Requests of a dialog that was set up through this server, by their Route."""
        if KSR.rr.loose_route() > 0:
            if KSR.rr.check_route_param("mark=" + self.mark()) < 0:
                if not KSR.is_ACK():
                    KSR.sl.send_reply(403, "Not a dialog of this server")
                return 1
            if is_natted:
                KSR.nathelper.set_contact_alias()
            if not KSR.isdsturiset():
                KSR.nathelper.handle_ruri_alias()
            if KSR.is_NOTIFY():
                self.record_route()
            return self.relay()
        if KSR.is_ACK():
            # The ACK to a final response that this server forwarded; of any other, nobody waits for an answer.
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
            return 1
        KSR.sl.send_reply(404, "Not here")
        return 1

    def record_route(self) -> None:
        """Stays on the dialog's path, with the mark by which its requests are known again."""
        KSR.rr.record_route()
        KSR.rr.add_rr_param(";mark=" + self.mark())

    def relay(self) -> int:
        """Sends the request on; its responses come by `onreply`."""
        KSR.tm.t_on_reply("onreply")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    def onreply(self, msg: object) -> int:
        """Lets the caller reach a callee behind NAT."""
        if KSR.nathelper.nat_uac_test(1) > 0:
            KSR.nathelper.set_contact_alias()
        return 1

    def mark(self) -> str:
        """A text that only this server can make for a dialog."""
        secret, call_id = os.environ["ROUTE_SECRET"], str(KSR.pv.gete("$ci"))
        return hmac.new(secret.encode(), call_id.encode(), hashlib.sha256).hexdigest()[:16]
