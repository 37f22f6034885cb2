"""An edge proxy as of RFC 5626: the registrar or the callee is where X-To says; refuses changed tokens."""

import KSR


def mod_init():
    return Edge()


class Edge:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.siputils.has_totag() > 0 or KSR.hdr.is_present("Route") > 0:
            result = KSR.rr.loose_route()
            KSR.info(f"loose_route {KSR.pv.get('$rm')} {result} {KSR.pv.get('$du')}\n")
            if result == -2:
                KSR.sl.send_reply(403, "Forbidden")
                return 1
            if KSR.siputils.has_totag() < 0:
                KSR.rr.record_route()
        elif KSR.is_REGISTER():
            KSR.path.add_path()
            KSR.pv.sets("$du", KSR.hdr.get("X-To"))
        else:
            KSR.rr.record_route()
            KSR.pv.sets("$du", KSR.hdr.get("X-To"))
        if KSR.hdr.is_present("X-Fail") > 0:
            KSR.tm.t_on_failure("failed")
        KSR.tm.t_relay()
        return 1

    def failed(self, msg):
        replied = KSR.tm.t_branch_replied()
        KSR.info(f"failed {KSR.pv.get('$T_reply_code')} {KSR.tm.t_check_status('430')} {replied}\n")
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
