"""Relays, and writes down what the variables of tm are in each of its routes, in the file that TM_VARIABLES names."""

import os

import KSR

NAMES = [
    "$T_reply_code",
    "$T_reply_reason",
    "$T_reply_last",
    "$T_reply_ruid",
    "$T_branch_idx",
    "$T(reply_code)",
    "$T(reply_reason)",
    "$T(branch_index)",
    "$T(reply_type)",
    "$T_branch(flags)",
    "$T_rpl($rs)",
    "$T_rpl($rr)",
    "$T_rpl($hdr(X-From))",
    "$rc",
    "$retcode",
    "$ruid",
    "$location_ua",
]
# Kamailio has no $T_req in the routes that see the request itself.
REPLY_NAMES = ["$T_req($ru)", "$T_req($rm)", "$T_req($hdr(X-Mark))", "$T_inv($rm)"]


def mod_init():
    return Variables()


def note(route, names):
    with open(os.environ["TM_VARIABLES"], "a") as out:
        for name in names:
            out.write(f"{route}\t{name}\t{KSR.pv.get(name)!r}\n")


class Variables:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.pv.get("$rm") == "ACK":
            KSR.tm.t_relay()
            return 1
        if KSR.pv.get("$rm") == "CANCEL":
            note("cancel", ["$T_inv($rm)", "$T_inv($hdr(X-Mark))"])
            KSR.tm.t_relay()
            return 1
        note("request", NAMES)
        KSR.tm.t_newtran()
        note("transaction", ["$T_branch_idx", "$T_reply_reason", "$T_reply_last", "$T(reply_type)", "$rc"])
        KSR.tm.t_on_branch("branch")
        KSR.tm.t_on_reply("reply")
        KSR.tm.t_on_branch_failure("branch_failure")
        KSR.tm.t_on_failure("failure")
        if KSR.pv.get("$hdr(X-Flag)"):
            KSR.setbflag(5)
        if KSR.pv.get("$hdr(X-Reply)"):
            KSR.tm.t_reply(404, "Not Here")
            note("replied", ["$T_reply_code"])
            return 1
        KSR.tm.t_relay()
        return 1

    def branch(self, msg):
        note("branch", NAMES)
        return 1

    def ksr_reply_route(self, msg):
        if KSR.pv.get("$rm") == "INVITE":
            note("core-reply", [*NAMES, *REPLY_NAMES])
        return 1

    def reply(self, msg):
        note("reply", [*NAMES, *REPLY_NAMES, "$T_branch(uri)", "$bf"])
        return 1

    def branch_failure(self, msg, event=None):
        note("branch-failure", [*NAMES, "$bf"])
        return 1

    def failure(self, msg):
        note("failure", [*NAMES, "$bf"])
        return 1

    def ksr_onsend_route(self, msg):
        return 1
