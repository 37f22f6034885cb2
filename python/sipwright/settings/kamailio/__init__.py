"""Reads kamailio.cfg as KEMI deployments write it, into the one settings model.

`lexer` cuts the text into tokens, with the help of `preprocessor` (defines, conditions, substitutions, includes);
`statements` finds the statements; `translate` turns them into settings and a report of what was done with each.
"""

from sipwright.settings.kamailio.translate import Translation, read_kamailio_cfg

__all__ = ["Translation", "read_kamailio_cfg"]
