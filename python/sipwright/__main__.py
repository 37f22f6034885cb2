"""`python -m sipwright` is the command `sipwright`."""

from sipwright.cli import main

main(prog_name="sipwright")
