"""The KEMI script of the oracle suite: hands each message to the routes of its scenario.

A scenario's Call-IDs are `name-number@oracle`. Its routes come from routes.json beside this file; what they note, and
that they ran, is appended to `notes` with the number of the run, so that a test sees return codes and values from
inside of either server, and can tell routes apart that ran at the same time.
"""

import json
import os
import sys

import KSR

HERE = os.path.dirname(os.path.abspath(__file__))
NOTES = os.path.join(HERE, "notes")
# The route that runs, below it those that it interrupted.
RUNS = []


def mod_init():
    with open(os.path.join(HERE, "routes.json")) as source:
        return Dispatcher(json.load(source))


class Scenario:
    """What the routes of one scenario may use besides KSR."""

    def __init__(self, name, source):
        self.name = name
        self.routes = {"KSR": KSR, "note": self.note, "at": self.at, "pv": self.pv, "sys": sys}
        exec(compile(source, "scenario " + name, "exec"), self.routes)

    def note(self, *values):
        """Append a line to the transcript."""
        write(
            self.name, RUNS[-1], "  " + " ".join(value if isinstance(value, str) else repr(value) for value in values)
        )

    def at(self, peer):
        """The address of a peer of this scenario, as 127.0.0.1:5060."""
        with open(os.path.join(HERE, "peers", self.name)) as peers:
            return json.load(peers)[peer]

    def pv(self, *names):
        """Note the values of pseudo-variables."""
        for name in names:
            self.note(name, "=", repr(KSR.pv.get(name)))


class Dispatcher:
    def __init__(self, sources):
        self.count = 0
        self.scenarios = {name: Scenario(name, source) for name, source in sources.items()}

    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        return self.run("ksr_request_route", msg)

    def ksr_reply_route(self, msg):
        return self.run("ksr_reply_route", msg)

    def ksr_onsend_route(self, msg):
        return self.run("ksr_onsend_route", msg)

    def __getattr__(self, name):
        """Routes that scenarios arm by name, such as `t_on_failure("busy")`."""
        if not any(name in scenario.routes for scenario in self.__dict__.get("scenarios", {}).values()):
            raise AttributeError(name)
        return lambda msg, *arguments: self.run(name, msg, *arguments)

    def run(self, route, msg, *arguments):
        call_id = KSR.pv.get("$ci")
        # An HTTP request has none: its path begins with the scenario.
        name = scenario_of(call_id) if call_id else (KSR.pv.get("$hu") or "/").split("/")[1]
        scenario = self.scenarios.get(name)
        if scenario is None or route not in scenario.routes:
            return 1
        what = [KSR.pv.get("$rm"), KSR.pv.get("$rs") if KSR.siputils.is_reply() > 0 else None]
        what = " ".join(str(part) for part in what if part is not None)
        self.count += 1
        RUNS.append(f"{os.getpid()}.{self.count}")
        try:
            write(scenario.name, RUNS[-1], f"{' '.join([route, *arguments])}: {what}")
            scenario.routes[route](self, msg, *arguments)
        except Exception as error:
            write(scenario.name, RUNS[-1], f"  raised {error!r}")
            raise
        finally:
            RUNS.pop()
        return 1


def scenario_of(call_id):
    return (call_id or "").partition("@")[0].rpartition("-")[0]


def write(scenario, run, text):
    """One line, whole even when several processes write."""
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    line = f"{scenario}\t{run}\t{text}\n"
    out = os.open(NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(out, line.encode("utf-8", "surrogateescape"))
    finally:
        os.close(out)
