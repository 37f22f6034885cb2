"""What a test names in X-Case is done: functions of KSR.tm and KSR.tmx in the routes where scripts use them.

X-To are the destinations, as URIs with commas between them. What the functions return goes into X-Result of the
answer, if the script answers, and into the log as `RESULT call-id case value ...`.
"""

import time

import KSR

TM = KSR.tm


def header(name):
    return KSR.pv.gete(f"$hdr({name})")


def targets():
    return header("X-To").split(",")


def result(*values):
    said = " ".join(str(value) for value in values)
    KSR.err(f"RESULT {KSR.pv.get('$ci')} {header('X-Case')} {said}\n")


def mod_init():
    return Script()


class Script:
    def child_init(self, rank):
        return 0

    # Kamailio 5.6 looks for these at each reply and each send, and fails the next KSR call where one is missing.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1

    def ksr_request_route(self, msg):
        if KSR.is_method("ACK") and header("X-How") == "late":
            time.sleep(0.05)
            result(TM.t_check_trans(), TM.t_relay())
            return 1
        if KSR.is_method("ACK") or KSR.is_method("CANCEL"):
            if TM.t_check_trans() > 0:
                TM.t_relay()
            return 1
        getattr(self, "case_" + header("X-Case"))()
        return 1

    def first(self, route):
        """Forwards to the first target, with edits, and with this failure route."""
        TM.t_on_failure(route)
        KSR.hdr.append("X-Edit: request\r\n")
        KSR.rr.record_route()
        KSR.setflag(5)
        KSR.pv.sets("$avp(note)", "kept")
        KSR.pv.sets("$du", targets()[0])
        return TM.t_relay()

    # Failure routes and the destinations they set.

    def case_failure_ru(self):
        self.first("failure_ru")

    def failure_ru(self, msg):
        result(KSR.pv.get("$ru"), KSR.pv.get("$du"), KSR.isflagset(5), KSR.pv.get("$avp(note)"))
        KSR.hdr.append("X-Edit: failure\r\n")
        KSR.pv.unset("$du")
        KSR.pv.sets("$ru", targets()[1])
        TM.t_relay()
        return 1

    def case_failure_du(self):
        self.first("failure_du")

    def failure_du(self, msg):
        KSR.pv.sets("$du", targets()[1])
        result(TM.t_relay())
        return 1

    def case_failure_append(self):
        self.first("failure_append")

    def failure_append(self, msg):
        KSR.pv.sets("$du", targets()[1])
        KSR.corex.append_branch()
        result(TM.t_relay(), TM.t_relay())
        return 1

    def case_failure_nothing(self):
        self.first("failure_nothing")

    def failure_nothing(self, msg):
        result(TM.t_relay())
        return 1

    def case_save_lumps(self):
        before = TM.t_save_lumps()
        TM.t_newtran()
        TM.t_on_failure("failure_du")
        KSR.hdr.append("X-Edit: saved\r\n")
        result(before, TM.t_save_lumps())
        KSR.hdr.append("X-Edit: not saved\r\n")
        KSR.pv.sets("$du", targets()[0])
        TM.t_relay()

    def case_relay_twice(self):
        KSR.pv.sets("$du", targets()[0])
        first, again = TM.t_relay(), TM.t_relay()
        KSR.pv.sets("$du", targets()[1])
        result(first, again, TM.t_relay())

    # t_drop_replies: X-How names what each failure route drops, and whether it goes on.

    def case_drop(self):
        self.first("failure_drop")

    def failure_drop(self, msg):
        step = int(KSR.pv.get("$avp(step)") or 0)
        how = header("X-How").split(",")[step]
        result(KSR.pv.get("$T_reply_code"))
        if how[0] != "-":
            TM.t_drop_replies(how[0])
        if how[1:] == "+":
            KSR.pv.unset("$avp(step)")
            KSR.pv.seti("$avp(step)", step + 1)
            if step + 1 < len(header("X-How").split(",")):
                TM.t_on_failure("failure_drop")
            KSR.pv.sets("$du", targets()[step + 1])
            TM.t_relay()
        return 1

    # Replies of the script.

    def case_reply_in_failure(self):
        self.first("failure_reply")

    def failure_reply(self, msg):
        KSR.hdr.append_to_reply("X-Result: failure\r\n")
        first = TM.t_reply(480, "Mine")
        result(first, TM.t_reply(481, "Again"))
        return 1

    def case_reply_in_reply(self):
        TM.t_on_reply("onreply_reply")
        self.first("failure_nothing")

    def onreply_reply(self, msg):
        result(KSR.pv.get("$rs"), TM.t_reply(480, "Mine"))
        return 1

    def case_reply_in_branch(self):
        TM.t_on_branch("branch_reply")
        KSR.pv.sets("$du", targets()[0])
        TM.t_relay()

    def branch_reply(self, msg):
        result(TM.t_reply(480, "Mine"))
        return 1

    def case_own_2xx(self):
        TM.t_newtran()
        result(TM.t_reply(200, "Mine"))

    def case_drop_request(self):
        TM.t_newtran()
        result(KSR.tmx.t_drop_rcode(403) if header("X-How") else KSR.tmx.t_drop())

    # Flags and settings of one transaction.

    def case_flags(self):
        KSR.pv.sets("$du", targets()[0])
        result(TM.t_relay_to_flags(int(header("X-How"))))

    def case_flags_bad(self):
        KSR.pv.sets("$du", "sip:nosuch.invalid")
        returned = TM.t_relay_to_flags(int(header("X-How")))
        result(returned, TM.t_reply(503, "Mine"))

    def case_internal_reply(self):
        TM.t_set_disable_internal_reply(1)
        KSR.pv.sets("$du", "sip:nosuch.invalid")
        returned = TM.t_relay()
        result(returned, TM.t_reply(503, "Mine"))

    def case_no_trying(self):
        result(TM.t_set_auto_inv_100(0))
        KSR.pv.sets("$du", targets()[0])
        TM.t_relay()

    def case_retr(self):
        result(TM.t_set_retr(100, 200))
        KSR.pv.sets("$du", targets()[0])
        TM.t_relay()

    def case_retr_reset(self):
        TM.t_set_retr(100, 200)
        TM.t_newtran()
        result(TM.t_reset_retr())
        KSR.pv.sets("$du", targets()[0])
        TM.t_relay()

    def case_lifetime(self):
        result(TM.t_set_max_lifetime(400, 400))
        TM.t_on_failure("failure_expired")
        KSR.pv.sets("$du", targets()[0])
        TM.t_relay()

    def failure_expired(self, msg):
        result(TM.t_is_expired(), KSR.pv.get("$T_reply_code"))
        return 1

    def case_lifetime_reset(self):
        TM.t_set_max_lifetime(100, 100)
        TM.t_newtran()
        result(TM.t_reset_max_lifetime(), TM.t_is_expired())
        KSR.pv.sets("$du", targets()[0])
        TM.t_relay()

    def case_no_cancel_reason(self):
        TM.t_set_no_e2e_cancel_reason(1)
        KSR.pv.sets("$du", targets()[0])
        TM.t_relay()

    def case_relay(self):
        KSR.pv.sets("$du", targets()[0])
        TM.t_relay()

    def case_exists(self):
        before = TM.t_exists(), TM.t_is_expired(), KSR.tmx.t_flush_xflags(), KSR.tmx.t_drop()
        TM.t_newtran()
        after = TM.t_exists(), TM.t_is_expired(), KSR.tmx.t_flush_xflags(), TM.t_clean(), TM.t_use_uac_headers()
        result(*before, *after)
        TM.t_reply(404, "Not Found")

    def case_fork(self):
        """All targets at once."""
        KSR.pv.sets("$ru", targets()[0])
        for uri in targets()[1:]:
            KSR.corex.append_branch_uri(uri)
        if header("X-How"):
            TM.t_on_failure(header("X-How"))
        TM.t_relay()

    def case_reuse(self):
        """All targets at once; the first one that fails is tried once more."""
        KSR.hdr.append("X-Edit: request\r\n")
        TM.t_on_branch_failure("branch_failed")
        self.case_fork()

    def branch_failed(self, msg):
        if KSR.pv.is_null("$avp(tried)"):
            KSR.pv.seti("$avp(tried)", 1)
            result(KSR.pv.get("$T_reply_code"), TM.t_next_contact_flow(), KSR.tmx.t_reuse_branch(), KSR.pv.get("$ru"))
            TM.t_relay()
        return 1

    def case_register(self):
        KSR.registrar.save("location", 0)

    def case_flows(self):
        """The contacts of a user, one flow of each user agent at a time."""
        found = KSR.registrar.lookup("location")
        result(found, TM.t_load_contacts(), TM.t_next_contacts())
        TM.t_on_branch_failure("flow_failed")
        TM.t_relay()

    def flow_failed(self, msg):
        more = TM.t_next_contact_flow()
        result(KSR.pv.get("$T_reply_code"), more)
        if more > 0:
            TM.t_on_branch_failure("flow_failed")
            TM.t_relay()
        return 1

    # Copies.

    def case_replicate(self):
        KSR.sl.send_reply(200, "OK")
        result(TM.t_replicate(targets()[0]))

    def case_replicate_and_relay(self):
        copied = TM.t_replicate(targets()[1])
        KSR.pv.sets("$du", targets()[0])
        result(copied, TM.t_relay())

    # Serial forking: X-How are the q values of the targets, `-` for none.

    def case_serial(self):
        values = header("X-How").split(",")
        for uri, q in list(zip(targets(), values, strict=True))[1:]:
            if q == "-":
                KSR.corex.append_branch_uri(uri)
            else:
                KSR.corex.append_branch_uri_q(uri, q)
        KSR.pv.sets("$ru", targets()[0])
        mode = header("X-Mode")
        loaded = TM.ki_t_load_contacts_mode(int(mode)) if mode else TM.t_load_contacts()
        result(loaded, TM.t_next_contacts())
        TM.t_on_failure("failure_serial")
        TM.t_relay()

    def failure_serial(self, msg):
        code = KSR.pv.get("$T_reply_code")
        more = TM.t_next_contacts()
        result(code, more)
        if more > 0:
            TM.t_on_failure("failure_serial")
            TM.t_relay()
        return 1
