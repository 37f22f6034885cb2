"""The edge of a provider: who may come in, and where their requests go."""

import re

import KSR

# Sets of dispatcher.list and groups of address.list.
APPLICATIONS = 1
TRUNKS = 1
BY_TURN = 4

# Flags of transactions, and of contacts, as kamailio.cfg names them.
TO_LOG, TO_DATABASE, IF_MISSED = 1, 2, 3
BEHIND_NAT, PING_BY_OPTIONS = 6, 7

FROM_OF_THE_USER = 1
QOP_AUTH = 1
WRONG_PASSWORD, UNKNOWN_USER, NOT_THE_USER = -2, -3, -8
# Wrong passwords within a minute until an address is banned.
PATIENCE = 5

# nathelper: the Contact is a private address (1), the Via is not where it came from (2), nor its port (16).
NAT_SIGNS = 1 + 2 + 16

SCANNERS = re.compile("friendly-scanner|sipvicious|sip-scan|sipcli|sundayddr|VaxSIP|pplsip", re.IGNORECASE)


def mod_init():
    return Edge()


class Edge:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        peer = self.known_peer()
        if not peer and self.is_unwanted():
            return 1
        if not self.is_sound():
            return 1
        self.mind_nat()

        if KSR.is_CANCEL():
            if KSR.tm.t_check_trans() > 0:
                self.media()
                KSR.tm.t_relay()
            return 1
        if KSR.siputils.has_totag() > 0:
            return self.within_dialog()
        # Copies of a request in work, and ACKs of failures, belong to their transactions.
        if KSR.tm.t_check_trans() == 0 or KSR.is_ACK():
            return 1

        if not peer and not self.is_authenticated():
            return 1
        if KSR.is_REGISTER():
            return self.register(peer)
        if not KSR.is_myself_ruri():
            KSR.sl.send_reply(403, "Relaying denied")
            return 1
        return self.route(peer)

    # ---- who may come in ---------------------------------------------------------------------------------------------

    def known_peer(self):
        """`application` or `trunk`, by the address that the request came from; empty for anybody else."""
        if KSR.dispatcher.ds_is_from_list(APPLICATIONS) > 0:
            return "application"
        if KSR.permissions.allow_source_address(TRUNKS) > 0:
            return "trunk"
        return ""

    def is_unwanted(self):
        """Whether nothing is to be said to the sender: it would only learn that somebody is here."""
        address = KSR.kx.get_srcip()
        if KSR.htable.sht_is_null("banned", address) < 0:
            return True
        if SCANNERS.search(KSR.kx.gete_ua()):
            return self.ban(address, "looks for open servers")
        if KSR.pike.pike_check_req() < 0:
            return self.ban(address, "floods")
        return False

    def ban(self, address, why):
        KSR.xlog.xwarn(f"{address} is banned: it {why} ($rm, $ua)\n")
        KSR.htable.sht_seti("banned", address, 1)
        return True

    def is_sound(self):
        if KSR.maxfwd.process_maxfwd(10) < 0:
            KSR.sl.send_reply(483, "Too Many Hops")
            return False
        if KSR.sanity.sanity_check(1511, 7) < 0:
            KSR.xlog.xwarn("malformed $rm from $si:$sp\n")
            return False
        # Keep-alives of phones, trunks and load balancers.
        if KSR.is_OPTIONS() and KSR.is_myself_ruri() and KSR.pv.is_null("$rU"):
            KSR.sl.send_reply(200, "Alive")
            return False
        return True

    def is_authenticated(self):
        realm = KSR.pv.get("$sel(cfg_get.edge.domain)")
        code = KSR.auth_db.auth_check(realm, "subscriber", FROM_OF_THE_USER)
        if code > 0:
            KSR.pv.sets("$avp(account)", KSR.kx.get_au())
            # Digests are no business of those whom our users call.
            KSR.auth.consume_credentials()
            return True
        if code in (WRONG_PASSWORD, UNKNOWN_USER):
            address = KSR.kx.get_srcip()
            if KSR.htable.sht_inc("failures", address) >= PATIENCE:
                self.ban(address, "guesses passwords")
                return False
        if code == NOT_THE_USER:
            KSR.sl.send_reply(403, "Not your address")
        else:
            KSR.auth.auth_challenge(realm, QOP_AUTH)
        return False

    # ---- NAT and media -----------------------------------------------------------------------------------------------

    def mind_nat(self):
        # Answers go back to the port that the request came from, whatever its Via says.
        KSR.force_rport()
        if KSR.nathelper.nat_uac_test(NAT_SIGNS) < 0:
            return
        if KSR.is_REGISTER():
            # save() keeps the source address beside the contact: over TCP and TLS that is the connection.
            KSR.nathelper.fix_nated_register()
            KSR.setbflag(BEHIND_NAT)
            if KSR.is_UDP():
                KSR.setbflag(PING_BY_OPTIONS)
        elif KSR.siputils.is_first_hop() > 0:
            # Requests within the dialog come with this alias and so find the way back.
            KSR.nathelper.set_contact_alias()

    def media(self):
        if hasattr(KSR, "rtpengine"):
            KSR.rtpengine.rtpengine_manage("replace-origin replace-session-connection")

    # ---- requests ----------------------------------------------------------------------------------------------------

    def register(self, peer):
        if peer:
            KSR.sl.send_reply(403, "Servers do not register")
        elif KSR.registrar.save("location", 0) < 0:
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
        if KSR.is_BYE():
            self.account()
        if not KSR.isdsturiset():
            KSR.nathelper.handle_ruri_alias()
        return self.relay()

    def route(self, peer):
        if KSR.is_INVITE():
            if not self.has_a_line_free():
                KSR.sl.send_reply(486, "Too Many Calls")
                return 1
            KSR.rr.record_route()
            self.account()
            KSR.xlog.xinfo("call $ci: $fu ($si, $proto) calls $ru\n")
        elif KSR.is_SUBSCRIBE():
            KSR.rr.record_route()
        if KSR.registrar.lookup("location") > 0:
            KSR.setflag(IF_MISSED)
            return self.relay()
        if peer == "application":
            # It has sent the call here because nobody but a registered user can take it.
            KSR.sl.send_reply(404, "Not Found")
            return 1
        return self.to_applications()

    def account(self):
        KSR.setflag(TO_LOG)
        KSR.setflag(TO_DATABASE)

    def has_a_line_free(self):
        if not hasattr(KSR, "dialog"):
            return True
        account = KSR.pv.get("$avp(account)")
        if account:
            KSR.dialog.get_profile_size("account", account, "$var(calls)")
            # What a select gives is text.
            if KSR.pv.get("$var(calls)") >= int(KSR.pv.get("$sel(cfg_get.edge.calls_per_user)")):
                KSR.xlog.xnotice("call $ci: $avp(account) has $var(calls) calls already\n")
                return False
        KSR.dialog.dlg_manage()
        if account:
            KSR.dialog.set_dlg_profile("account", account)
        return True

    def to_applications(self):
        if KSR.dispatcher.ds_select_dst(APPLICATIONS, BY_TURN) < 0:
            KSR.hdr.append_to_reply("Retry-After: 30\r\n")
            KSR.sl.send_reply(503, "Service Unavailable")
            return 1
        KSR.tm.t_on_failure("ksr_failure_application")
        return self.relay()

    def relay(self):
        if KSR.is_method_in("IABU"):
            self.media()
        KSR.tm.t_on_reply("ksr_onreply")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    # ---- routes of transactions --------------------------------------------------------------------------------------

    def ksr_onreply(self, msg):
        if KSR.isbflagset(BEHIND_NAT):
            KSR.nathelper.set_contact_alias()
        if KSR.is_method_in("IU"):
            self.media()
        return 1

    def ksr_failure_application(self, msg):
        """The next server, if the call failed by the fault of this one; a user who does not answer is no fault."""
        if KSR.tm.t_is_canceled() > 0:
            return 1
        is_silent = KSR.tm.t_branch_timeout() > 0 and KSR.tm.t_branch_replied() < 0
        if is_silent or KSR.tm.t_check_status("50[034]") > 0:
            KSR.xlog.xwarn("call $ci: $du failed with $T_reply_code\n")
            KSR.dispatcher.ds_mark_dst_state("ip")
            if KSR.dispatcher.ds_next_dst() > 0:
                KSR.tm.t_on_failure("ksr_failure_application")
                self.relay()
        return 1

    # Kamailio 5.6 looks for these at each reply and each send, and fails the next KSR call where one is missing.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
