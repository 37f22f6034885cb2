"""Load on Sipwright and on Debian's Kamailio, in turn, in one run: `python -m load` (make bench)."""
