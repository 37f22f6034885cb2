"""Sipwright: a SIP server whose routing is Python."""
