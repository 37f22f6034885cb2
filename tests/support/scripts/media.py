"""Sends the media of calls through a proxy: `$def(MEDIA)` is not there, so the module is named by the header X-Media."""

import KSR


def mod_init():
    return Media()


def part(name):
    return getattr(KSR, name)


class Media:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        action = KSR.hdr.get("X-Do")
        if action:
            self.one(action)
        elif KSR.siputils.has_totag() > 0:
            KSR.rr.loose_route()
            self.manage()
            KSR.tm.t_relay()
        else:
            KSR.rr.record_route()
            if KSR.hdr.is_present("X-Branched") > 0:
                KSR.tm.t_on_branch("branched")
            else:
                self.manage()
            KSR.tm.t_on_reply("answered")
            KSR.tm.t_relay()
        return 1

    def one(self, action):
        name, *arguments = action.split("|")
        target = KSR
        for step in name.split("."):
            target = getattr(target, step)
        result = target(*[int(a) if a.isdigit() else a for a in arguments])
        values = " ".join(str(KSR.pv.get(pv)) for pv in ("$avp(inst)", "$avp(new)", "$avp(mos)"))
        KSR.hdr.append_to_reply(f"X-Result: {result} {values}\r\n".replace("\r\nv=", "v=").replace("None", "-")[:900])
        KSR.sl.send_reply(200, "OK")

    def manage(self):
        name = KSR.hdr.get("X-Media") or "rtpengine"
        flags = KSR.hdr.get("X-Flags") or ""
        result = getattr(part(name), f"{name}_manage")(flags)
        KSR.info(f"manage {KSR.pv.get('$rm')} {result}\n")

    def dtmf(self, msg, event):
        names = ("$avp(dtmf_event_callid)", "$avp(dtmf_event_source_tag)", "$avp(key)", "$avp(dtmf_event_duration)")
        KSR.info(f"{event} " + " ".join(str(KSR.pv.get(name)) for name in names) + "\n")

    def branched(self, msg):
        self.manage()
        return 1

    def answered(self, msg):
        self.manage()
        return 1

    def ksr_reply_route(self, msg):
        return 1

    def ksr_onsend_route(self, msg):
        return 1
