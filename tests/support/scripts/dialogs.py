"""Follows dialogs, and says in the file `events` what it learns of each call. X-Do of an INVITE says what is done with it."""

import os

import KSR

# Kamailio works in another directory.
EVENTS = os.path.join(os.environ.get("EVENTS_DIRECTORY", "."), "events")


def mod_init():
    return Handler()


def say(*words):
    # After a timeout the message is made up.
    call = KSR.pv.get("$dlg(callid)") or KSR.pv.get("$ci")
    line = " ".join(str(word) for word in (call, *words)) + "\n"
    out = os.open(EVENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(out, line.encode())
    os.close(out)


def size(value):
    KSR.dialog.get_profile_size("caller", value, "$var(size)")
    return KSR.pv.get("$var(size)")


class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.siputils.has_totag() > 0:
            self.within()
        elif KSR.is_INVITE():
            self.begin((KSR.hdr.get("X-Do") or "").split())
        elif KSR.is_OPTIONS() and KSR.pv.get("$rU") == "bridge":
            done = KSR.dialog.dlg_bridge(KSR.hdr.get("X-From"), KSR.hdr.get("X-To"), "")
            KSR.sl.send_reply(200, f"Bridge {done}")
            return 1
        elif KSR.is_OPTIONS():
            KSR.sl.send_reply(200, "Size {}".format(size(KSR.pv.get("$rU"))))
            return 1
        KSR.tm.t_relay()
        return 1

    # Kamailio asks for these as well, and for a number from each.
    def ksr_onsend_route(self, msg):
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def begin(self, wishes):
        if "bye" in wishes:
            KSR.pv.seti("$dlg_ctx(timeout_bye)", 1)
        if "route" in wishes:
            KSR.pv.sets("$dlg_ctx(timeout_route)", "late")
        for wish in wishes:
            if wish.startswith("timeout="):
                KSR.pv.seti("$avp(timeout)", int(wish[8:]))
        if "flag" in wishes:
            KSR.setflag(4)
        else:
            KSR.dialog.dlg_manage()
            KSR.pv.sets("$dlg_var(x)", "kept")
            KSR.dialog.set_dlg_profile("caller", "alice")
            KSR.dialog.set_dlg_profile_static("plain")
            KSR.dialog.dlg_setflag(3)
            if "ka" in wishes:
                KSR.dialog.dlg_set_property("ka-src")
                KSR.dialog.dlg_set_property("ka-dst")
        KSR.rr.record_route()
        if "spiral" in wishes and KSR.hdr.get("X-Passed") is None:
            KSR.hdr.append("X-Passed: once\r\n")
            KSR.pv.sets("$du", "sip:{}:{}".format(KSR.pv.get("$Ri"), KSR.pv.get("$Rp")))

    def within(self):
        KSR.rr.loose_route()
        names = ("$rm", "$DLG_status", "$dlg_var(x)", "$dlg(sflags)", "$dlg(callid)")
        say("within", *(KSR.pv.get(name) for name in names), size("alice"))
        if KSR.is_INFO():
            # What the script has changed meanwhile is kept, too.
            KSR.pv.sets("$dlg_var(y)", "new")
            KSR.pv.unset("$dlg_var(x)")
        elif KSR.is_UPDATE():
            say("dlg_set_ruri", KSR.dialog.dlg_set_ruri(), KSR.pv.get("$ru"))

    def dialog_event(self, msg, event):
        if event != "unknown":
            say(event, KSR.pv.get("$dlg(callid)"), KSR.pv.get("$dlg_var(x)"), KSR.pv.get("$dlg_var(y)"))
        return 1
