"""A registrar, a proxy and a hash table: for tests of what several servers share."""

import KSR


def mod_init():
    return Shared()


class Shared:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_method("MESSAGE") and KSR.is_myself_ruri() and KSR.hdr.is_present("X-Table") > 0:
            return self.table()
        if KSR.is_CANCEL():
            if KSR.tm.t_check_trans() > 0:
                KSR.tm.t_relay()
            return 1
        if KSR.siputils.has_totag() > 0:
            if KSR.rr.loose_route() > 0 or KSR.is_ACK():
                KSR.tm.t_relay()
            return 1
        if KSR.is_REGISTER():
            if KSR.hdr.is_present("X-NAT") > 0:
                KSR.nathelper.fix_nated_register()
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
        KSR.tm.t_on_failure("failed")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    def failed(self, msg):
        return 1

    def table(self):
        """`X-Table: set key value seconds`, `get key`, `inc key` or `rm key`; the answer has the value."""
        what, key, *more = KSR.pv.get("$hdr(X-Table)").split()
        if what == "set":
            KSR.htable.sht_setxs("shared", key, more[0], int(more[1]))
        elif what == "seti":
            KSR.htable.sht_seti("shared", key, int(more[0]))
        elif what == "inc":
            KSR.htable.sht_inc("shared", key)
        elif what == "rm":
            KSR.htable.sht_rm("shared", key)
        KSR.hdr.append_to_reply(f"X-Value: {KSR.htable.sht_getw('shared', key)}\r\n")
        KSR.sl.send_reply(200, "OK")
        return 1

    def ended(self, msg, event):
        KSR.info(f"ended {event} {KSR.pv.get('$ulc(exp=>aor)')}\n")
        return 1

    def table_event(self, msg, event):
        KSR.info(f"item {event} {KSR.pv.get('$shtrecord(key)')}\n")
        return 1
