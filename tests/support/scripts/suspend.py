"""Suspends requests and responses, and resumes them as other requests or threads of the script ask.

The header X-Do says what the request is for: `suspend` (options in X-How), `suspend-reply`, `where` for index and label
of the call in X-Call, `continue` with these in X-Index and X-Label and the route in X-Route, `reply` and `cancel`. X-Then tells the resumed
route what to do.
"""

import threading
import time

import KSR

names = {}


def mod_init():
    return Suspend()


def remember():
    names[KSR.pv.get("$ci")] = (int(KSR.pv.get("$T(id_index)")), int(KSR.pv.get("$T(id_label)")))


def resume_later(call, seconds):
    time.sleep(seconds)  # a blocking call, such as a query of a web service
    KSR.tmx.t_continue(*names[call], "resumed")


class Suspend:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        what = KSR.hdr.get("X-Do")
        if KSR.pv.get("$rm") in ("ACK", "CANCEL"):
            KSR.tm.t_relay()
        elif what == "suspend":
            self.suspend(KSR.hdr.get("X-How") or "")
        elif what == "where":
            index, label = names.get(KSR.hdr.get("X-Call"), (0, 0))
            KSR.hdr.append_to_reply(f"X-Name: {index} {label}\r\n")
            KSR.sl.send_reply(200, "OK")
        elif what == "continue":
            index, label = int(KSR.hdr.get("X-Index")), int(KSR.hdr.get("X-Label"))
            self.answer(KSR.tmx.t_continue(index, label, KSR.hdr.get("X-Route") or "resumed"))
        elif what == "reply":
            self.answer(KSR.tmx.t_reply_callid(KSR.hdr.get("X-Call"), "1", 480, "By Call-ID"))
        elif what == "cancel":
            code = int(KSR.hdr.get("X-Code"))
            if code:
                self.answer(KSR.tmx.t_cancel_callid_reason(KSR.hdr.get("X-Call"), "1", 9, code))
            else:
                self.answer(KSR.tmx.t_cancel_callid(KSR.hdr.get("X-Call"), "1", 9))
        else:
            KSR.tm.t_on_failure("failure")
            if what == "suspend-reply":
                KSR.tm.t_on_reply("suspend_reply")
            KSR.tm.t_relay()
        return 1

    def answer(self, result):
        KSR.hdr.append_to_reply(f"X-Result: {result}\r\n")
        KSR.sl.sl_send_reply(200, "OK")

    def suspend(self, how):
        KSR.tm.t_on_failure("failure")
        KSR.pv.sets("$avp(kept)", "avp")
        KSR.setflag(7)
        KSR.hdr.append("X-Before: yes\r\n")
        if "user" in how:
            KSR.pv.sets("$rU", "rewritten")
        if "short" in how:
            KSR.tm.t_set_fr(0, 400)
        KSR.tmx.t_suspend()
        remember()
        if "thread" in how:
            threading.Thread(target=resume_later, args=(KSR.pv.get("$ci"), 0.3)).start()
        if "at-once" in how:
            threading.Thread(target=resume_later, args=(KSR.pv.get("$ci"), 0)).start()
            time.sleep(0.001)
        if "self" in how:
            KSR.tmx.t_continue(*names[KSR.pv.get("$ci")], "resumed")
        if "answered" in how:
            KSR.tm.t_reply(480, "While Suspended")
        KSR.pv.sets("$avp(late)", "late")

    def resumed(self, msg):
        then = KSR.hdr.get("X-Then") or "relay"
        if then == "relay":
            kept = [KSR.pv.getw("$avp(kept)"), KSR.pv.getw("$avp(late)"), "flag" if KSR.isflagset(7) else "none"]
            KSR.hdr.append(f"X-Kept: {' '.join(kept)}\r\n")
            KSR.tm.t_relay()
        elif then == "reply":
            where = "failure" if KSR.tmx.t_is_failure_route() == 1 else "request"
            KSR.sl.send_reply(480, f"From the {where} route")
        elif then == "again":
            KSR.tmx.t_suspend()
            remember()
        elif then == "raise":
            raise RuntimeError("as wanted")
        return 1

    def second(self, msg):
        KSR.tm.t_reply(480, "Second Time")
        return 1

    def failure(self, msg):
        if KSR.hdr.get("X-Failure") == "reply":
            flagged = " flagged" if KSR.isflagset(9) else ""
            KSR.tm.t_reply(480, f"Failure {KSR.pv.get('$T_reply_code')}{flagged}")
        return 1

    def suspend_reply(self, msg):
        if KSR.pv.get("$rs") >= 200:
            KSR.tmx.t_suspend()
            remember()
        return 1

    def resumed_reply(self, msg):
        KSR.hdr.append(f"X-Resumed: {msg.Type} {KSR.pv.get('$rs')}\r\n")
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
