"""What the recording of calls costs: user instructions of a call with it and without, counted by callgrind.

`PYTHONPATH=bench:tests python -m load.recording --client target/bench/udp_closed_loop`
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from load import instructions, loads
from support.servers import ROOT, Sipwright

SCRIPT = ROOT / "examples" / "registrar_proxy.py"


class Recording(Sipwright):
    """With the recording."""

    name = "recording"

    def argv(self) -> list[str]:
        return [*super().argv(), "--set", "record.enabled=true"]


class NotRecording(Sipwright):
    """Without, as it is by default."""

    name = "not recording"


def main() -> None:
    """Prints both counts and the difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", type=Path, required=True, help="The load client that `make bench` builds.")
    plan = loads.Plan.make(parser.parse_args().client, quick=True)
    count = partial(instructions.count, script=SCRIPT, load=loads.registered_calls, plan=plan)
    with_it, without = count(Recording).each, count(NotRecording).each
    more = with_it - without
    print(f"the recording: {more:,.0f} user instructions a call more, {100 * more / without:.1f} %")


if __name__ == "__main__":
    main()
