"""Traces, sends requests of its own and looks registrations up, as the header X-Do asks: `function|argument|...`."""

import KSR


def mod_init():
    return Client()


class Client:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        for action in (KSR.hdr.get("X-Do") or "").split(";"):
            if action.strip():
                self.one(action.strip())
        if KSR.is_MESSAGE():
            KSR.tm.t_relay()
        else:
            KSR.sl.send_reply(200, "OK")
        return 1

    def one(self, action):
        name, *arguments = action.split("|")
        target = KSR
        for step in name.split("."):
            target = getattr(target, step)
        result = target(*[int(a) if a.isdigit() else a for a in arguments])
        KSR.hdr.append_to_reply(f"X-Result: {result} {KSR.pv.get('$var(out)')}\r\n")

    def traced(self, msg, event):
        parts = ("src_addr", "dst_hostip", "dst_port", "src_proto", "direction", "other")
        KSR.info(f"{event} {KSR.pv.get('$rm')} " + " ".join(str(KSR.pv.get(f"$siptrace({p})")) for p in parts) + "\n")
        if KSR.siputils.is_reply() > 0:
            KSR.set_drop()

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
