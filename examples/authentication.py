"""A registrar and proxy for users with passwords: nobody registers or calls without one.

    sipwright user add alice@example.com
    sipwright run examples/authentication.py

With Kamailio: load auth, auth_db and a database module, and set auth_db's `db_url` and `calculate_ha1` 0.
"""

import KSR

FROM_OF_THE_USER = 1
QOP_AUTH = 1


def mod_init():
    return Proxy()


class Proxy:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_CANCEL():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
            return 1

        if KSR.siputils.has_totag() > 0:
            if KSR.rr.loose_route() > 0 or KSR.is_ACK():
                KSR.tm.t_relay()
            else:
                KSR.sl.send_reply(404, "Not Found")
            return 1

        # ACK of a refusal that was answered without a transaction, such as a challenge.
        if KSR.is_ACK():
            KSR.tm.t_check_trans()
            return 1

        if not self.is_authenticated():
            return 1

        if KSR.is_REGISTER():
            KSR.registrar.save("location", 0)
            return 1

        if not KSR.is_myself_ruri():
            KSR.sl.send_reply(403, "Relaying denied")
            return 1

        if KSR.registrar.lookup("location") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return 1

        if KSR.is_INVITE():
            KSR.rr.record_route()
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
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

    # Kamailio 5.6 looks for these at each reply and each send, and fails the next KSR call where one is missing.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
