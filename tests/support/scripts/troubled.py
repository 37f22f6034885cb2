"""A registrar and proxy with accounting, for tests of what happens while something around it fails."""

import KSR

ACCOUNTED = 1


def mod_init():
    return Proxy()


class Proxy:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_REGISTER():
            KSR.registrar.save("location", 0)
        elif KSR.siputils.has_totag() > 0:
            self.within()
        elif KSR.is_OPTIONS():
            KSR.sl.send_reply(200, "OK")
        else:
            self.begin()
        return 1

    def within(self):
        KSR.rr.loose_route()
        if KSR.is_BYE():
            KSR.setflag(ACCOUNTED)
        self.relay()

    def begin(self):
        if KSR.is_myself_ruri() and KSR.registrar.lookup("location") < 0:
            KSR.sl.send_reply(404, "Not Found")
            return
        KSR.rr.record_route()
        KSR.setflag(ACCOUNTED)
        self.relay()

    def relay(self):
        # More often than the defaults, so that a test needs less time.
        KSR.tm.t_set_retr(100, 1000)
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
