"""Asks DNS for the name in X-Name and answers with what `$dns`, `$srvquery` and `$naptrquery` have then."""

import KSR

FIELDS = {
    "A": ("dns", ("count", "ipv4", "ipv6", "addr[0]", "type[0]", "addr[1]", "type[1]")),
    "SRV": ("srvquery", ("count", "priority[0]", "weight[0]", "port[0]", "target[0]", "target[1]", "target[-1]")),
    "NAPTR": ("naptrquery", ("count", "order[0]", "pref[0]", "flags[0]", "services[0]", "regex[0]", "replace[0]")),
}


def mod_init():
    return Names()


class Names:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        kind, name = KSR.hdr.get("X-Kind"), KSR.hdr.get("X-Name")
        query = {"A": KSR.ipops.dns_query, "SRV": KSR.ipops.srv_query, "NAPTR": KSR.ipops.naptr_query}[kind]
        result = query(name, "answer")
        variable, fields = FIELDS[kind]
        found = [KSR.pv.getw(f"${variable}(answer=>{field})") for field in fields]
        KSR.hdr.append_to_reply(f"X-Result: {' '.join(str(value) for value in [result, *found])}\r\n")
        KSR.sl.send_reply(200, "OK")
        return 1
