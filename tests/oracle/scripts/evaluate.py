"""The KEMI script of the tables of expressions: evaluates those of the table that a request's Call-ID names.

The tables come from tables.json beside this file. Each line is Python; what begins with `$` is short for
`KSR.pv.get(..)`. The value of each line, or the exception that it raised, is appended to `results` as it comes, so that
a server that ends in the middle shows where.
"""

import json
import os

import KSR

HERE = os.path.dirname(os.path.abspath(__file__))


def mod_init():
    with open(os.path.join(HERE, "tables.json")) as source:
        return Evaluator(json.load(source))


class Evaluator:
    def __init__(self, tables):
        self.tables = tables

    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        name = KSR.pv.get("$ci")
        for number, line in enumerate(self.tables[name]):
            write([name, number, value_of(line)])
        write([name, -1, "end"])
        KSR.sl.sl_send_reply(200, "OK")
        return 1


def value_of(line):
    try:
        if line.startswith("$"):
            return repr(KSR.pv.get(line))
        return repr(eval(line, {"KSR": KSR, "pv": KSR.pv.get}))
    except Exception as error:
        return f"raised {type(error).__name__}"


def write(row):
    with open(os.path.join(HERE, "results"), "a") as out:
        out.write(json.dumps(row) + "\n")
