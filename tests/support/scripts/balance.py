"""A load balancer as deployments write it: round robin, failover to the next destination, sources by list."""

import KSR


def mod_init():
    return Balancer()


class Balancer:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_ACK():
            KSR.tm.t_check_trans()
            return 1
        if KSR.is_OPTIONS():
            for header in ("X-First", "X-Second"):
                active = KSR.dispatcher.ds_is_active_uri(1, KSR.hdr.gete(header))
                KSR.hdr.append_to_reply(f"{header}: {active}\r\n")
            KSR.hdr.append_to_reply(f"X-Gateway: {KSR.dispatcher.ds_is_from_list(1)}\r\n")
            KSR.sl.send_reply(200, "OK")
            return 1
        if KSR.dispatcher.ds_select_dst(1, 8) < 0:
            KSR.sl.send_reply(503, "No Gateways")
            return 1
        KSR.tm.t_on_failure("next_gateway")
        KSR.tm.t_relay()
        return 1

    def next_gateway(self, msg):
        if KSR.tm.t_check_status("408|5[0-9][0-9]") > 0:
            KSR.dispatcher.ds_mark_dst_state("ip")
            if KSR.dispatcher.ds_next_dst() > 0:
                KSR.tm.t_on_failure("next_gateway")
                KSR.tm.t_relay()
        return 1

    def changed(self, msg, event):
        KSR.info(f"event {event} {KSR.pv.get('$ru')}")

    # Kamailio 5.6 looks for these at each reply and each send, and fails the next KSR call where one is missing.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
