"""Asks an HTTP server or waits, as X-Do says, and answers with what came of it."""

import KSR

later = KSR.__dict__["async"]


def mod_init():
    return Later()


class Later:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_ACK():
            KSR.tm.t_check_trans()
            return 1
        do, url = KSR.hdr.get("X-Do"), KSR.hdr.gete("X-Url")
        if do == "get":
            self.answer(KSR.http_client.query(url, "$var(result)"), KSR.pv.get("$var(result)"))
        elif do == "header":
            KSR.http_client.query(url, "$var(result)")
            self.answer(KSR.pv.get("$httprhdr(x-server)"), KSR.pv.get("$httprhdr(X-None)"))
        elif do == "post":
            result = KSR.http_client.query_post_hdrs(url, "a=1", "X-Mine: yes", "$var(result)")
            self.answer(result, KSR.pv.get("$var(result)"))
        elif do == "connection":
            result = KSR.http_client.curl_connect_post("server", "/path", "text/plain", "text", "$var(result)")
            self.answer(result, KSR.pv.get("$var(result)"))
        elif do == "ask":
            if KSR.hdr.gete("X-Method"):
                KSR.pv.sets("$http_req(method)", KSR.hdr.get("X-Method"))
                KSR.pv.sets("$http_req(body)", "body of the query")
                KSR.pv.sets("$http_req(hdr)", "X-Mine: yes")
            KSR.pv.sets("$avp(kept)", "kept")
            KSR.http_async_client.query(url, "asked")
            KSR.pv.sets("$avp(id)", KSR.pv.get("$http_req_id"))
        elif do == "apart":
            KSR.pv.seti("$http_req(suspend)", 0)
            KSR.http_async_client.query(url, "asked_apart")
            later.task_group_data("task", "others", "data of the task")
            KSR.sl.send_reply(200, "OK")
        elif do == "cluster":
            KSR.dmq.handle_message()
        elif do == "sleep":
            later.ms_route("woken", 200)
        elif do == "task":
            later.task_group_route("woken", "others")
        return 1

    def answer(self, *values):
        KSR.hdr.append_to_reply("X-Result: " + "|".join(str(value) for value in values).replace("\n", " ") + "\r\n")
        KSR.sl.send_reply(200, "OK")

    def asked(self, msg):
        names = ("$http_ok", "$http_rs", "$http_rr", "$http_hdr(X-Server)", "$http_rb", "$http_bs", "$avp(kept)")
        KSR.hdr.append_to_reply(
            "X-Result: " + "|".join(str(KSR.pv.get(name)) for name in names).replace("\n", " ") + "\r\n"
        )
        KSR.hdr.append_to_reply(f"X-Error: {KSR.pv.getw('$http_err')}\r\n")
        KSR.hdr.append_to_reply(f"X-Same-Id: {KSR.pv.get('$avp(id)') == KSR.pv.get('$http_req_id') is not None}\r\n")
        KSR.tm.t_reply(200, "OK")

    def asked_apart(self, msg, event=""):
        KSR.info(f"apart {KSR.pv.get('$http_rs')}")

    def task(self, msg, event=""):
        KSR.info(f"task {later.get_data()} of {later.get_gname()}")
        KSR.info("task variables " + " ".join(str(KSR.pv.get(f"$async({x})")) for x in ("data", "gname", "other")))

    def woken(self, msg):
        KSR.hdr.append_to_reply(f"X-Result: {KSR.pv.get('$rm')} {later.get_gname()}\r\n")
        KSR.tm.t_reply(202, "Accepted")
