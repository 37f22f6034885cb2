"""Answers a REGISTER by the location table if the user's password is right, and nothing else: for measurements."""

import KSR

REALM = "sip.test"
FROM_OF_THE_USER = 1
QOP_NONE = 0


def mod_init():
    return Registrar()


class Registrar:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_REGISTER():
            if KSR.auth_db.auth_check(REALM, "subscriber", FROM_OF_THE_USER) < 0:
                KSR.auth.auth_challenge(REALM, QOP_NONE)
                return 1
            KSR.registrar.save("location", 0)
        return 1
