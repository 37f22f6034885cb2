"""Relays by TLS to where `X-Du` says; of `tls:connection-out` it refuses peers whose name begins with `evil`."""

import KSR


def mod_init():
    return Event()


class Event:
    def child_init(self, rank):
        return 0

    def ksr_onsend_route(self, msg):
        return 1

    def ksr_request_route(self, msg):
        KSR.pv.sets("$du", KSR.pv.get("$hdr(X-Du)"))
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_send_reply(500, "Not relayed")
        return 1

    def ksr_tls_event(self, msg, event):
        name = KSR.pv.get("$tls_peer_subject_cn")
        KSR.notice(f"event {event} peer {name} verified {KSR.tls.is_peer_verified()}\n")
        if name.startswith("evil"):
            KSR.set_drop()
        return 1
