"""`python -m fuzz`: runs every target, or those that are named, one after the other (`make fuzz`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuzz.run import RUST, FuzzError, run
from fuzz.targets import TARGETS


def main() -> int:
    """Status 1 when something was found, 2 when a target cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join([*RUST, *TARGETS])}; all of them")
    parser.add_argument("--seconds", type=int, default=180, help="for each target (default: %(default)s)")
    parser.add_argument(
        "--work", type=Path, default=Path("target/fuzz"), help="keeps inputs between runs (default: %(default)s)"
    )
    options = parser.parse_args()
    names = options.targets or [*RUST, *TARGETS]
    if unknown := [name for name in names if name not in RUST and name not in TARGETS]:
        parser.error(f"there is no target {unknown[0]}; there are {', '.join([*RUST, *TARGETS])}")
    failed = []
    for name in names:
        try:
            outcome = run(name, options.seconds, options.work.resolve())
        except FuzzError as error:
            print(error, file=sys.stderr)
            return 2
        print(outcome, flush=True)
        if not outcome.is_good:
            failed.append(name)
    if failed:
        print(
            f"\nFound something in {', '.join(failed)}. Mend it, and put the input into fuzz/findings/TARGET/ under a name "
            "that says what it was: the tests replay it from then on."
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
