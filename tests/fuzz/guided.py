"""Runs one target of Python under libFuzzer, guided by the coverage of instrumented modules: `python -m fuzz.guided NAME ...`.

What follows the name are libFuzzer's options and folders of inputs. The process ends with the run, or at the first finding
with a status other than 0; libFuzzer writes the input to `-artifact_prefix`.
"""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> None:
    """Never returns: libFuzzer ends the process."""
    try:
        import atheris
    except ImportError:
        sys.exit("fuzz: the Python package atheris is missing; it is among the packages of requirements.lock")
    with atheris.instrument_imports(include=["sipwright"]):
        from fuzz.planted import planted
        from fuzz.targets import TARGETS, check
    function = {**TARGETS, "planted": planted}[arguments[0]]
    atheris.Setup([sys.argv[0], *arguments[1:]], lambda data: check(function, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
