"""The oracle suite: Debian's Kamailio and Sipwright run the same script, get the same SIP, and must send the same.

    scenarios/   what happens: the script in the server, and the peers around it, one function each
    scenario.py  the decorator that registers a scenario, and its peers
    pair.py      both servers with the same configuration, and the run of all chosen scenarios against each
    scripts/     the KEMI script that hands each call to its scenario's routes
    transcript.py  what was sent, with what is free to differ (branches, tags, ports) replaced by names
    differences.py the known differences, each with its reason; docs/reference/differences.md is made from it

A difference that is not in the table fails the scenario's test; one in the table that no longer occurs does too.
"""
