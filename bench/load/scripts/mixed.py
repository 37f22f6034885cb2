"""The script of `load.endurance`: examples/websocket.py, in which users have passwords if their names begin with `member`."""

import os
import sys

import KSR

sys.path.insert(0, os.environ["EXAMPLES"])
from websocket import WithBrowsers


def mod_init():
    return Mixed()


class Mixed(WithBrowsers):
    def is_authenticated(self):
        user = KSR.pv.get("$fU") or ""
        return not user.startswith("member") or super().is_authenticated()
