"""Sends requests of its own to the URI in X-Uri of the requests that it gets, and answers these with the result."""

import KSR


def mod_init():
    return Uac()


def own_headers(call):
    return f"From: <sip:server@test.invalid>\r\nTo: <sip:callee@test.invalid>\r\nCall-ID: {call}\r\n"


class Uac:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.hdr.get("X-Do") == "completed":
            self.send_and_be_told()
        else:
            headers = own_headers(KSR.hdr.get("X-Call")) + (KSR.hdr.get("X-More") or "").replace("|", "\r\n")
            result = KSR.tm.t_uac_send(
                KSR.hdr.get("X-Method") or "OPTIONS",
                KSR.hdr.get("X-Uri"),
                KSR.hdr.get("X-Hop") or "",
                KSR.hdr.get("X-Socket") or "",
                headers,
                KSR.hdr.get("X-Body") or "",
            )
            KSR.hdr.append_to_reply(f"X-Result: {result}\r\n")
        KSR.sl.send_reply(200, "OK")
        return 1

    def send_and_be_told(self):
        from sipwright.modules.requests import OutgoingRequest

        request = OutgoingRequest(
            KSR.hdr.get("X-Method") or "OPTIONS",
            KSR.hdr.get("X-Uri"),
            from_uri="sip:server@test.invalid",
            to_uri="sip:callee@test.invalid",
            call_id=KSR.hdr.get("X-Call"),
            cseq=5,
            callback="outcome",
            event="uac:reply",
        )
        request.send()

    def tm_event(self, msg, event):
        KSR.hdr.append(f"X-Event: {event} {msg.Type} {KSR.pv.get('$rm')} {KSR.pv.get('$du')}\r\n")
        if KSR.pv.get("$hdr(X-Drop)"):
            KSR.set_drop()
        return 1

    def outcome(self, msg, event):
        words = [event, msg.Type, str(KSR.pv.get("$rs")), str(KSR.pv.get("$T_reply_code")), KSR.pv.get("$ci")]
        KSR.err(f"outcome {' '.join(words)}\n")
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
