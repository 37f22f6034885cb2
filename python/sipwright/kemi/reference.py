"""Writes `docs/reference/ksr.md` from the KSR functions that there are: `python -m sipwright.kemi.reference [FILE]`.

Builtins bring their description from the engine's table, the functions written in Python from their docstring. A test
fails when the page is not current or a function lacks a description.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sipwright import _engine
from sipwright.kemi import known
from sipwright.kemi.namespace import python_functions

DEFAULT_FILE: Final = Path("docs/reference/ksr.md")
CORE: Final = "core"
_RESULTS: Final = {"int": "int", "bool": "bool", "none": "0", "xval": "str, int or None", "data": "list, dict or None"}
_HEAD: Final = """# KSR functions

Every function of `KSR` that Sipwright has. This page is generated from the functions themselves by
`python -m sipwright.kemi.reference`. Names, parameters and results are those of Kamailio's KEMI interface; what calls
have in common (positional arguments, what a wrong one does, results) is in [the script contract](script.md).

Unless a line says otherwise, a function with the result int returns 1 for success or yes and -1 for failure or no.
"""
_MODULES: Final = {
    CORE: "Logging, tests of the message, flags, the request-URI, forwarding. These are called without a module: "
    "`KSR.info(...)`.",
    "acc": "Accounting of transactions in the log and in a database ([how to](../howto/accounting.md)).",
    "alias_db": "Other names of users, by a table.",
    "app_python3": "Calls between the methods of the handler.",
    "auth": "Digest authentication: challenges and credentials ([how to](../howto/authentication.md)).",
    "auth_db": "Users whose passwords are in a database; the settings are those of `[auth_db]` in [settings](settings.md).",
    "auth_ephemeral": "Users whose names hold the time of their end, with passwords made from a shared secret.",
    "async": "Routes that go on later with the same message.",
    "cfgutils": "Chance, locks, pauses, shared variables.",
    "corex": "More of the core: branches, sockets, extended flags.",
    "counters": "Counters that scripts keep.",
    "debugger": "For scripts that call it; there is nothing to dump.",
    "dialog": "Dialogs, and profiles that count calls ([events](script.md#routes)).",
    "dispatcher": "Load balancing with failover and probing ([how to](../howto/load-balancing.md)).",
    "dmq": "Messages between Kamailio servers, which are refused.",
    "exec": "Programs that scripts start.",
    "domain": "Domains that are ours, with attributes, by a table that is kept in memory.",
    "group": "Groups of users, by a table.",
    "hdr": "Header fields by name.",
    "htable": "Hash tables that all workers share; the settings are those of `[htable]` in [settings](settings.md).",
    "http_async_client": "HTTP queries for which the transaction waits.",
    "http_client": "HTTP queries that wait for the answer.",
    "ipops": "IP addresses as texts, and questions to DNS.",
    "kex": "The level of the log.",
    "jsonrpcs": "The methods of the control socket for scripts, and over HTTP; the settings are those of `[jsonrpcs]`.",
    "kx": "Parts of the message without pseudo-variables (Kamailio's module kemix).",
    "log_systemd": "The journal of systemd.",
    "maxfwd": "Max-Forwards (RFC 3261 section 16.6 step 3).",
    "mqueue": "Queues between routes.",
    "nathelper": "Clients behind NAT.",
    "path": "Path of registrations (RFC 3327).",
    "permissions": "Addresses by group, and trusted peers, by tables or a file that are kept in memory.",
    "pike": "Senders of too many requests ([how to](../howto/floods.md)).",
    "pipelimit": "Limits by name ([how to](../howto/floods.md)).",
    "pv": "[Pseudo-variables](pseudo-variables.md) by name.",
    "pvx": "AVPs, extended AVPs and script variables by name.",
    "ratelimit": "Limits by method or number ([how to](../howto/floods.md)).",
    "registrar": "Registrations and the look-up of users (RFC 3261 section 10).",
    "rr": "Record-Route and loose routing (RFC 3261 sections 16.4 and 16.6).",
    "rtimer": "Routes by the clock.",
    "sanity": "Checks of requests from outside.",
    "sdpops": "What SDP bodies offer, and edits of them.",
    "sipjson": "The message as JSON.",
    "rtpengine": "Media through rtpengine ([how](../howto/media.md)); the settings are those of `[rtpengine]` in [settings](settings.md).",
    "rtpproxy": "Media through RTPProxy ([how](../howto/media.md)); the settings are those of `[rtpproxy]` in [settings](settings.md).",
    "siptrace": "Copies of messages for a capture server or a table ([how](../howto/tracing.md)).",
    "siputils": "Tests of requests, URIs and texts.",
    "sl": "Answers without a transaction.",
    "statistics": "The same counters by an older module's functions.",
    "speeddial": "Short numbers of users, by a table.",
    "sqlops": "SQL of scripts ([databases](../howto/databases.md)).",
    "textops": "Texts, header fields and bodies, by regular expressions and without.",
    "textopsx": "Edits that show at once, lists in header fields, iterators.",
    "tm": "Transactions, forwarding, failure routes ([how they work](../explain/transactions.md)).",
    "tmx": "More of transactions.",
    "uac": "Being a client: other From and To for the next hop, requests of our own, credentials, registrations elsewhere.",
    "websocket": "WebSocket clients (RFC 7118); [how to](../howto/websocket.md).",
    "uri_db": "Which URIs users may use, by a table.",
    "x": "Functions by the name that they have in a native configuration.",
    "xhttp": "HTTP requests on SIP's sockets, in the route of `xhttp:request`.",
    "xlog": "Logging of texts with pseudo-variables.",
}


@dataclass(frozen=True, slots=True, order=True)
class Function:
    """One KSR function: `params` as `name: type`, `result` as users read it, `doc` in one line."""

    module: str
    name: str
    params: str
    result: str
    doc: str

    @property
    def dotted(self) -> str:
        """Its name as `known.functions()` has it."""
        return self.name if self.module == CORE else f"{self.module}.{self.name}"

    @property
    def is_described(self) -> bool:
        """Whether the description says more than the name, as a sentence."""
        words = self.doc.rstrip(".").lower()
        return self.doc.endswith((".", ".)")) and words != self.name.replace("_", " ").lower()


def functions() -> list[Function]:
    """All functions, by module (the core first) and name."""
    found = [*_builtins(), *_written_in_python()]
    return sorted(found, key=lambda function: (function.module != CORE, function.module, function.name.lower()))


def reference() -> str:
    """The whole page."""
    all_functions = functions()
    parts = [_HEAD]
    for module in dict.fromkeys(function.module for function in all_functions):
        title = "KSR" if module == CORE else f"KSR.{module}"
        lines = [f"## {title}", "", _MODULES.get(module, ""), "", "| function | result | does |", "|---|---|---|"]
        lines += [_row(function) for function in all_functions if function.module == module]
        parts.append("\n".join([*lines, ""]))
    return "\n".join([*parts, _status(all_functions)])


def _builtins() -> Iterator[Function]:
    for module, name, params, result, doc in _engine.ksr_functions():
        typed = ", ".join(f"{param}: {kind}" for param, kind in params)
        yield Function(module, name, typed, _RESULTS[result], _one_line(doc))


def _written_in_python() -> Iterator[Function]:
    for module, found in python_functions().items():
        for name, function in found.items():
            signature = known.functions().get(f"{module}.{name}")
            result = _RESULTS[signature.returns] if signature else _RESULTS["int"]
            yield Function(module, name, _params(function), result, _one_line(function.__doc__ or ""))


def _params(function: Callable[..., Any]) -> str:
    """Parameters of a function of `@ksr`, whose wrapper keeps the annotations, or of a plain one."""
    annotations = dict(inspect.get_annotations(function))
    annotations.pop("return", None)
    variable = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.VAR_POSITIONAL
    ]
    named = [f"{name}: {kind.__name__}" for name, kind in annotations.items() if name not in variable]
    return ", ".join(named + [f"*{name}" for name in variable if name in annotations])


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _row(function: Function) -> str:
    doc = function.doc.replace("|", "\\|")
    return f"| `KSR.{function.dotted}({function.params})` | {function.result} | {doc} |"


def _status(all_functions: list[Function]) -> str:
    """How many of Kamailio's functions there are, module by module."""
    have = {function.dotted for function in all_functions}
    known_in: Counter[str] = Counter()
    present_in: Counter[str] = Counter()
    for dotted in known.functions():
        module = dotted.partition(".")[0] if "." in dotted else CORE
        known_in[module] += 1
        present_in[module] += dotted in have
    additions = sorted(have - known.functions().keys())
    begun = [module for module in sorted(known_in) if present_in[module]]
    missing = [f"{module} ({known_in[module]})" for module in sorted(known_in) if not present_in[module]]
    lines = [
        "## Status against Kamailio",
        "",
        f"Kamailio's modules export {known_in.total():,} functions to KEMI; {present_in.total():,} of them are here.",
        "`sipwright check` names those that a script uses and that are not.",
        "",
        "| module | in Kamailio | here |",
        "|---|---|---|",
        *[f"| {module} | {known_in[module]} | {present_in[module]} |" for module in begun],
        "",
        f"Not begun, with the number of functions: {', '.join(missing)}.",
    ]
    if additions:
        lines += ["", f"Here and not in Kamailio: {', '.join(f'`KSR.{name}`' for name in additions)}."]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(reference(), encoding="utf-8")
