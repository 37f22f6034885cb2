"""Tells what it sees of TLS, and relays by TLS to where a header says.

OPTIONS: a reply with one `X-Value: name=value` for each variable in `X-Names`, and what KSR.tls says.
MESSAGE: relayed to `X-Du`, by the profile `X-Id`.
"""

import KSR


def mod_init():
    return Probe()


class Probe:
    def child_init(self, rank):
        return 0

    def ksr_onsend_route(self, msg):
        return 1

    def ksr_request_route(self, msg):
        if KSR.pv.get("$rm") == "OPTIONS":
            return self.tell()
        server_id = KSR.pv.get("$hdr(X-Id)")
        if server_id is not None:
            KSR.tls.set_connect_server_id(server_id)
        KSR.pv.sets("$du", KSR.pv.get("$hdr(X-Du)"))
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_send_reply(500, "Not relayed")
        return 1

    def tell(self):
        for name in (KSR.pv.get("$hdr(X-Names)") or "").split():
            value = KSR.pv.get("$" + name)
            KSR.hdr.append_to_reply(f"X-Value: {name}={value!r}\r\n")
        KSR.hdr.append_to_reply(f"X-Value: verified={KSR.tls.is_peer_verified()}\r\n")
        KSR.hdr.append_to_reply(f"X-Value: cget={KSR.tls.cget('m_subject_line')!r}\r\n")
        KSR.sl.sl_send_reply(200, "OK")
        return 1
