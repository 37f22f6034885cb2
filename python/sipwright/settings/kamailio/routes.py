"""Native route blocks: which are without effect beside a Python script, and which decide about the routing.

With `cfgengine "python"` Kamailio runs a native `request_route` instead of the script's, likewise a native reply route,
`onsend_route` and event route. Named routes are run only from native ones.
"""

from typing import Final

from sipwright.settings.kamailio.report import Entry
from sipwright.settings.kamailio.statements import Block, KamailioCfg

# What may be in a block that has no effect on a call.
_HARMLESS: Final = {"xlog", "xdbg", "xinfo", "xnotice", "xwarn", "xerr", "log", "exit", "return", "if"}
_EXECUTES: Final = {"python_exec", "python_run"}
# What the script has in place of a block.
_INSTEAD: Final = {
    "request_route": "ksr_request_route(self, msg)",
    "reply_route": "ksr_reply_route(self, msg)",
    "onreply_route": "ksr_reply_route(self, msg)",
    "onsend_route": "ksr_onsend_route(self, msg)",
}
ENGINES: Final = ("python", "python3", "app_python3", "app_python3s")


def judged(cfg: KamailioCfg) -> list[Entry]:
    """An entry for each route block and for the engine."""
    entries = [_engine(cfg), _script(cfg)]
    runs_python = cfg.engine is not None and cfg.engine.value == "python"
    entries += [_block(block, runs_python) for block in cfg.blocks]
    return [entry for entry in entries if entry is not None]


def _engine(cfg: KamailioCfg) -> Entry | None:
    from sipwright.settings.kamailio.tokens import Place

    if cfg.engine is None:
        main = next((block for block in cfg.blocks if _kind(block) == "request_route"), None)
        place = main.place if main else Place(cfg.shown, 1)
        what = 'the routing is native: there is no cfgengine "python"'
        return Entry("refused", "global", "cfgengine", "", place, f"{what}; write the routes as a KEMI Python script")
    value, place = str(cfg.engine.value), cfg.engine.place
    if value == "python":
        return Entry("honoured", "global", "cfgengine", value, place, "the script's routes are run")
    if value in ENGINES:
        return Entry("refused", "global", "cfgengine", value, place, 'Kamailio knows this engine as "python"')
    return Entry("refused", "global", "cfgengine", value, place, 'only "python" is offered')


def _script(cfg: KamailioCfg) -> Entry | None:
    module = next((module for module in cfg.modules if module.name in ("app_python3", "app_python3s")), None)
    if module is None:
        from sipwright.settings.kamailio.tokens import Place

        place = cfg.engine.place if cfg.engine else Place(cfg.shown, 1)
        return Entry("refused", "module", "loadmodule", "", place, 'loadmodule "app_python3.so" is missing')
    names = {parameter.name for parameter in cfg.parameters if module.name in parameter.modules}
    if names & {"load", "script_name"}:
        return None
    note = f'names no script: modparam("{module.name}", "load", "FILE.py") is missing'
    return Entry("refused", "module", "loadmodule", module.name, module.place, note)


def _kind(block: Block) -> str:
    if block.kind == "route" and block.name in ("", "0"):
        return "request_route"
    return block.kind


def _block(block: Block, runs_python: bool) -> Entry | None:
    kind = _kind(block)
    decides = kind in ("request_route", "onsend_route", "event_route") or (
        kind in ("reply_route", "onreply_route") and not block.name
    )
    if not decides:
        note = "is run from native routes only, of which there are none"
        return Entry("ignored", "route", str(block), "", block.place, note)
    if not runs_python:
        return (
            None if kind == "request_route" else Entry("refused", "route", str(block), "", block.place, _native(block))
        )
    if kind != "request_route" and set(block.calls) <= _HARMLESS:
        return Entry("ignored", "route", str(block), "", block.place, "decides nothing")
    return Entry("refused", "route", str(block), "", block.place, _native(block))


def _native(block: Block) -> str:
    kind = _kind(block)
    if called := sorted(_EXECUTES & set(block.calls)):
        what = f"calls the script by {called[0]}"
        return f"{what}: native routes are not run; let the script's {_INSTEAD.get(kind, 'event callback')} do it"
    if kind == "event_route":
        module = block.name.partition(":")[0]
        what = f'name a method of the script by modparam("{module}", "event_callback", ...)'
        return f"native routes are not run; {what} and move it there"
    return f"Kamailio runs this block instead of the script's; move it to {_INSTEAD[kind]}"
