"""Kamailio and Sipwright with the same configuration and script, and the run of scenarios against each."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from oracle import databases, locations, media, routing, web
from oracle.profile import HERE, Profile
from oracle.scenario import Net, Scenario, play
from oracle.transcript import Transcript, transcript
from support.servers import Kamailio, Listen, Server, Sipwright, SipwrightByCfg

DISPATCH = Path(__file__).parent / "scripts" / "dispatch.py"
AT_ONCE = 24
# The kind of server that is Sipwright with Kamailio's own file.
BY_CFG = "sipwright-by-cfg"

FR_MS = 800
FR_INV_MS = 1600
T1_MS = 250


# What every profile has: lines of kamailio.cfg and the settings that say the same.
COMMON = Profile(
    f"""
server_header="Server: oracle"
user_agent_header="User-Agent: oracle"
alias="oracle.test"
modparam("tm", "auto_inv_100_reason", "Trying")
modparam("rr", "enable_full_lr", 0)
modparam("tm", "fr_timer", {FR_MS})
modparam("tm", "fr_inv_timer", {FR_INV_MS})
modparam("tm", "retr_timer1", {T1_MS})
modparam("tm", "contacts_avp", "tm_contacts")
modparam("tm", "contact_flows_avp", "tm_contact_flows")
modparam("htable", "htable", "t=>size=4")
""",
    {
        "server_header": "oracle",
        "aliases": "oracle.test",
        "timers.fr_ms": FR_MS,
        "timers.fr_inv_ms": FR_INV_MS,
        "timers.t1_ms": T1_MS,
        # RFC 5393, which Kamailio does not know: every forked request would differ in Max-Breadth.
        "tm.max_breadth": 0,
        "htable.tables.t.autoexpire_s": 0,
        "usrloc.db_mode": 0,
    },
)

DIALOG = Profile(
    """
loadmodule "dialog.so"
modparam("dialog", "event_callback", "dialog_event")
modparam("dialog", "profiles_with_value", "caller")
modparam("dialog", "profiles_no_value", "plain")
""",
    {
        "dialog.event_callback": "dialog_event",
        "dialog.profiles_with_value": "caller",
        "dialog.profiles_no_value": "plain",
    },
)


def dialog_with(**more: object) -> Profile:
    """The profile of dialogs with further parameters, whose names are the same in both."""
    lines = "".join(f'modparam("dialog", "{name}", {_quoted(value)})\n' for name, value in more.items())
    named = {"default_timeout": "default_timeout_s"}
    settings = {f"dialog.{named.get(name, name)}": value for name, value in more.items()}
    return Profile(DIALOG.kamailio + lines, {**DIALOG.sipwright, **settings})


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


PROFILES: dict[str, Profile] = {
    "default": Profile(),
    "dialog": DIALOG,
    "dialog_flag": dialog_with(dlg_flag=4),
    "dialog_timeout": dialog_with(default_timeout=1, send_bye=1),
    **databases.PROFILES,
    **locations.PROFILES,
    **media.PROFILES,
    **routing.PROFILES,
    **web.PROFILES,
}


def run_all(kind: str, profile: str, scenarios: Iterable[Scenario], directory: Path) -> dict[str, Transcript]:
    """Run the scenarios, many at a time, against a fresh server of that kind."""
    chosen = list(scenarios)
    directory.mkdir(parents=True)
    script = directory / "oracle_dispatch.py"
    shutil.copy(DISPATCH, script)
    for name, text in PROFILES[profile].files.items():
        (directory / name).write_text(text)
    (directory / "routes.json").write_text(json.dumps({one.name: one.script for one in chosen}))
    (directory / "peers").mkdir()
    with PROFILES[profile].around(), server(kind, profile, script, directory) as running:
        nets = asyncio.run(play_all(chosen, running, directory))
        assert running.process.running(), f"{kind} has ended:\n{running.log()[-8000:]}"
    notes = read_notes(directory)
    return {net.scenario.name: transcript(net, notes.get(net.scenario.name, [])) for net in nets}


def server(kind: str, profile: str, script: Path, directory: Path) -> Server:
    """One worker each: what comes first is dealt with first, in both."""
    extra, listen = PROFILES[profile], (Listen("udp"), Listen("tcp"))
    config = (COMMON.kamailio + extra.kamailio).replace(HERE, str(directory))
    if extra.prepare is not None:
        extra.prepare(directory)
    if kind == "kamailio":
        return Kamailio(script, directory, listen, workers=1, extra_config=config, first_modules=extra.loads_first)
    if kind == BY_CFG:
        beyond = {"tm.max_breadth": COMMON.sipwright["tm.max_breadth"]}
        first = extra.loads_first
        return SipwrightByCfg(
            script, directory, listen, workers=1, extra_config=config, settings=beyond, first_modules=first
        )
    settings = {**COMMON.sipwright, **extra.sipwright}
    settings = {name: str(value).replace(HERE, str(directory)) for name, value in settings.items()}
    return Sipwright(script, directory, listen, workers=1, settings=settings)


async def play_all(scenarios: list[Scenario], running: Server, directory: Path) -> list[Net]:
    gate = asyncio.Semaphore(AT_ONCE)

    def announce(name: str, peers: dict[str, str]) -> None:
        host, port = running.address("udp")
        (directory / "peers" / name).write_text(json.dumps({**peers, "server": f"{host}:{port}"}))

    async def one(scenario: Scenario) -> Net:
        async with gate:
            return await play(scenario, running.address("udp"), running.address("tcp"), announce)

    return await asyncio.gather(*map(one, scenarios))


def read_notes(directory: Path) -> dict[str, list[str]]:
    """The notes of each scenario's routes, those of one run together, in the order in which the runs began."""
    notes: dict[str, dict[str, list[str]]] = {}
    path = directory / "notes"
    for line in path.read_text(errors="surrogateescape").splitlines() if path.exists() else ():
        name, run, text = line.split("\t", 2)
        notes.setdefault(name, {}).setdefault(run, []).append(text)
    return {name: list(itertools.chain(*runs.values())) for name, runs in notes.items()}
