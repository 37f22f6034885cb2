"""A registrar and proxy for phones with passwords, behind NAT or not, with a voicemail for who does not answer."""

import KSR

# Flags of a contact, as kamailio.cfg names them: behind NAT, wants OPTIONS as keep-alive.
BEHIND_NAT = 6
PING_BY_OPTIONS = 7

FROM_OF_THE_USER = 1
QOP_AUTH = 1
NOT_THE_USER = -8

# nathelper: the Contact is a private address (1), the Via is not where it came from (2), nor its port (16).
NAT_SIGNS = 1 + 2 + 16

NO_ANSWER = "408|480|486|600|603"


def mod_init():
    return Lab()


class Lab:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if not self.is_sound():
            return 1
        if self.is_behind_nat():
            self.remember_nat()

        if KSR.is_CANCEL():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
            return 1
        if KSR.siputils.has_totag() > 0:
            return self.within_dialog()
        # Copies of a request in work, and ACKs of failures, belong to their transactions.
        if KSR.tm.t_check_trans() == 0 or KSR.is_ACK():
            return 1

        if not self.is_authenticated():
            return 1
        if KSR.is_REGISTER():
            return self.register()
        if not KSR.is_myself_ruri():
            KSR.sl.send_reply(403, "Relaying denied")
            return 1
        return self.call()

    # ---- what comes first --------------------------------------------------------------------------------------------

    def is_sound(self):
        if KSR.maxfwd.process_maxfwd(10) < 0:
            KSR.sl.send_reply(483, "Too Many Hops")
            return False
        if KSR.sanity.sanity_check(1511, 7) < 0:
            KSR.xlog.xwarn("malformed $rm from $si:$sp\n")
            return False
        if KSR.is_OPTIONS() and KSR.is_myself_ruri() and KSR.pv.is_null("$rU"):
            KSR.sl.send_reply(200, "OK")
            return False
        return True

    def is_behind_nat(self):
        # Answers go back to the port that the request came from, whatever its Via says.
        KSR.force_rport()
        return KSR.nathelper.nat_uac_test(NAT_SIGNS) > 0

    def remember_nat(self):
        if KSR.is_REGISTER():
            # save() keeps the source address beside the contact.
            KSR.nathelper.fix_nated_register()
            KSR.setbflag(BEHIND_NAT)
            KSR.setbflag(PING_BY_OPTIONS)
        elif KSR.siputils.is_first_hop() > 0:
            # Requests within the dialog come with this alias and so find the way back.
            KSR.nathelper.set_contact_alias()

    def is_authenticated(self):
        realm = KSR.pv.get("$sel(cfg_get.lab.domain)")
        code = KSR.auth_db.auth_check(realm, "subscriber", FROM_OF_THE_USER)
        if code > 0:
            # Digests are no business of those whom our users call.
            KSR.auth.consume_credentials()
            return True
        if code == NOT_THE_USER:
            KSR.sl.send_reply(403, "Not your address")
        else:
            KSR.auth.auth_challenge(realm, QOP_AUTH)
        return False

    # ---- requests ----------------------------------------------------------------------------------------------------

    def register(self):
        if KSR.registrar.save("location", 0) < 0:
            KSR.sl.sl_reply_error()
        return 1

    def within_dialog(self):
        if KSR.rr.loose_route() < 0:
            # The ACK of a failure has a To tag, too; its transaction takes it.
            if KSR.is_ACK():
                KSR.tm.t_check_trans()
            else:
                KSR.sl.send_reply(404, "Not Found")
            return 1
        if not KSR.isdsturiset():
            KSR.nathelper.handle_ruri_alias()
        return self.relay()

    def call(self):
        if KSR.is_INVITE():
            KSR.rr.record_route()
        if KSR.registrar.lookup("location") > 0:
            if KSR.is_INVITE():
                KSR.tm.t_on_failure("ksr_failure_voicemail")
            return self.relay()
        if KSR.is_INVITE() and KSR.auth_db.is_subscriber(KSR.pv.get("$ru"), "subscriber", 0) > 0:
            return self.to_voicemail()
        KSR.sl.send_reply(404, "Not Found")
        return 1

    def to_voicemail(self):
        place = KSR.pv.get("$sel(cfg_get.voicemail.address)").removeprefix("sip:")
        # $oU: the user who was called; lookup() has put a phone's address into the request-URI.
        KSR.seturi(f"sip:{KSR.pv.get('$oU')}@{place}")
        KSR.resetdsturi()
        KSR.xlog.xinfo("voicemail for $oU, called by $fu\n")
        return self.relay()

    def relay(self):
        KSR.tm.t_on_reply("ksr_onreply_nat")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    # ---- routes of transactions --------------------------------------------------------------------------------------

    def ksr_onreply_nat(self, msg):
        if KSR.nathelper.nat_uac_test(1) > 0:
            KSR.nathelper.set_contact_alias()
        return 1

    def ksr_failure_voicemail(self, msg):
        if KSR.tm.t_is_canceled() < 0 and KSR.tm.t_check_status(NO_ANSWER) > 0:
            self.to_voicemail()
        return 1

    # Kamailio 5.6 looks for these at each reply and each send, and fails the next KSR call where one is missing.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
