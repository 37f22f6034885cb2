"""Fails in ways that scripts fail, each named by the user part of the Request-URI."""

import sys

import KSR


def mod_init():
    return Raising()


class Raising:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        what = KSR.pv.get("$rU")
        if what == "raise":
            raise ValueError("the script broke")
        if what == "replied":
            KSR.sl.sl_send_reply(486, "Busy Here")
            raise ValueError("broke after a reply")
        if what == "exit":
            KSR.sl.sl_send_reply(200, "OK")
            sys.exit()
        if what == "types":
            wrong = KSR.sl.sl_send_reply("404", "Not Found")
            KSR.sl.sl_send_reply(200, f"Returned {wrong}")
        if what == "unknown":
            KSR.nosuchmodule.call()
        return 1
