"""The registrar and proxy of registrar_proxy.py for users with passwords: nobody registers or calls without one.

    sipwright user add alice@example.com
    sipwright run examples/authentication.py

With Kamailio: load auth, auth_db and a database module, and set auth_db's `db_url` and `calculate_ha1` 0.
"""

import KSR
from registrar_proxy import Proxy

FROM_OF_THE_USER = 1
QOP_AUTH = 1


def mod_init():
    return Guarded()


class Guarded(Proxy):
    def ksr_request_route(self, msg):
        # What belongs to a dialog or a transaction was asked for a password when that began.
        belongs = KSR.siputils.has_totag() > 0 or KSR.is_ACK() or KSR.is_CANCEL()
        if belongs or self.is_authenticated():
            return super().ksr_request_route(msg)
        return 1

    def is_authenticated(self):
        realm = KSR.kx.get_fhost()
        code = KSR.auth_db.auth_check(realm, "subscriber", FROM_OF_THE_USER)
        if code > 0:
            # Our users' credentials are no business of those whom they call.
            KSR.auth.consume_credentials()
            return True
        if code == -8:
            KSR.sl.send_reply(403, "Not your address")
        else:
            KSR.auth.auth_challenge(realm, QOP_AUTH)
        return False
