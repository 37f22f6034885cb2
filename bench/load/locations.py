"""Memory and time of a location table: `python -m load.locations [BINDINGS]`, one million unless said otherwise.

Prints one line of JSON: bytes of resident memory for each binding, and the microseconds of one put, one look-up and
the longest step of a sweep.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from sipwright._engine import Binding
from sipwright.modules.usrloc import STEP, Location
from sipwright.settings.usrloc import UsrlocSettings


def main() -> int:
    """Measures and prints."""
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)))
    return 0


def measure(count: int) -> dict[str, float]:
    """The figures of a table of so many bindings, as phones behind NAT make them."""
    now = int(time.time())
    table = Location("location", UsrlocSettings(max_bindings=count + 1))
    before, start = resident_bytes(), time.perf_counter()
    for number in range(count):
        table.put(binding(number, now + 3600))
    put_s = time.perf_counter() - start
    used = resident_bytes() - before
    start = time.perf_counter()
    for number in range(0, count, max(1, count // 10_000)):
        assert table.bindings(f"user{number}")
    looked_up = len(range(0, count, max(1, count // 10_000)))
    lookup_s = time.perf_counter() - start
    return {
        "bindings": count,
        "bytes_each": round(used / count, 1),
        "put_us": round(1e6 * put_s / count, 2),
        "lookup_us": round(1e6 * lookup_s / looked_up, 2),
        "longest_step_ms": round(longest_step_ms(table, now), 2),
    }


def longest_step_ms(table: Location, now: int) -> float:
    """The longest time that a sweep keeps others from the table and from Python."""
    at, longest = 0, 0.0
    while True:
        start = time.perf_counter()
        at, _ = table.table.sweep(at, STEP, now)
        longest = max(longest, time.perf_counter() - start)
        if not at:
            return 1e3 * longest


def binding(number: int, expires_at: int) -> Binding:
    """A binding with everything that an ordinary phone's has."""
    return Binding(
        f"user{number}",
        f"sip:user{number}@192.168.{number // 256 % 256}.{number % 256}:5060;transport=udp",
        expires_at,
        call_id=f"{number:016x}@192.168.1.{number % 256}",
        cseq=1,
        user_agent=f"Phone {number % 50}",
        received=f"sip:203.0.{number // 256 % 256}.{number % 256}:{1024 + number % 60000}",
        socket="udp:198.51.100.1:5060",
        ruid=f"uloc-6b02f2f7-a7c-{number:x}",
        methods=8191,
        modified_at=expires_at - 3600,
        seen_at=expires_at - 3600,
    )


def resident_bytes() -> int:
    """Memory of this process (proc(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("no VmRSS")


if __name__ == "__main__":
    raise SystemExit(main())
