"""A candidate script that writes to databases: to copies, of which the running server's see nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from pathlib import Path

from conftest import Start
from sipwright.control.client import call as ask
from support.control import data_of
from support.messages import request
from support.peers import UdpPeer
from support.process import Child, wait_until
from support.servers import SIPWRIGHT

LIVE = """
import KSR

class Router:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_REGISTER():
            KSR.registrar.save("location", 0)
            return 1
        KSR.sl.send_reply(486, "Busy Here")
        return 1

def mod_init():
    return Router()
"""

# It writes all that the running server's script does not, in every way there is, and answers with what it then reads.
CANDIDATE = """
import KSR

class Router:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_REGISTER():
            KSR.registrar.unregister("location", "sip:kept@h")
            KSR.registrar.save("location", 0)
            return 1
        KSR.htable.sht_sets("seen", "carol", "by the candidate")
        KSR.htable.sht_rm("seen", "alice")
        for number in ("1", "2"):
            KSR.sqlops.sql_query("cb", f"insert into speed_dial (username, domain, sd_username, sd_domain, new_uri)"
                                 f" values ('alice', 'h', '9{number}', 'h', 'sip:new{number}@h')", "")
        KSR.sqlops.sql_query("cb", "update speed_dial set new_uri = 'sip:changed@h' where sd_username = '7'", "")
        KSR.sqlops.sql_query("cb", "delete from speed_dial where sd_username = '8'", "")
        KSR.sqlops.sql_query("cb", "create table made (a integer)", "")
        KSR.acc.acc_db_request("486 told", "acc")
        KSR.sqlops.sql_query("cb", "select new_uri from speed_dial order by sd_username", "r")
        found = [KSR.pv.get(f"$dbr(r=>[{row},0])") for row in range(KSR.sqlops.sql_num_rows("r"))]
        KSR.sqlops.sql_query("cb", "select sip_reason from acc", "a")
        found.append(KSR.pv.get("$dbr(a=>[0,0])"))
        KSR.sl.send_reply(480, " ".join([*map(str, found), str(KSR.htable.sht_get("seen", "carol"))]))
        return 1

def mod_init():
    return Router()
"""
ROWS = """
insert into speed_dial (username, domain, sd_username, sd_domain, new_uri) values
  ('alice', 'h', '7', 'h', 'sip:seven@h'), ('alice', 'h', '8', 'h', 'sip:eight@h');
insert into htable (key_name, key_type, value_type, key_value, expires) values ('alice', 0, 0, 'by the server', 0);
"""


def content(path: Path) -> list[str]:
    """All of a database, as SQL."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        lines = list(database.iterdump())
    database.close()
    return lines


def settings(tmp_path: Path) -> tuple[Path, Path]:
    """A settings file and the database that all modules of it use."""
    path, config = tmp_path / "sip.db", tmp_path / "sipwright.toml"
    url = f"sqlite://{path}"
    create = Child([SIPWRIGHT, "db", "create", "--url", url], tmp_path / "create.log", cwd=tmp_path)
    assert create.wait(30) == 0, create.output()
    with sqlite3.connect(path) as database:
        database.executescript(ROWS)
    database.close()
    config.write_text(
        f"""
[database]
url = "{url}"
[usrloc]
db_mode = 1
[htable]
db_url = "{url}"
[htable.tables.seen]
size = 4
dbtable = "htable"
dbmode = 1
[sqlops]
sqlcon = ["cb=>{url}"]
"""
    )
    return config, path


async def told(server_address: tuple[str, int], alice: UdpPeer, user: str) -> None:
    """A registration and a call that is refused."""
    contact = f"sip:{user}@127.0.0.1:{alice.address[1]}"
    sent = request("REGISTER", "sip:h", alice.address, to_uri=f"sip:{user}@h", contact=contact)
    assert (await alice.ask(sent, server_address, 20)).status == 200
    message = request("MESSAGE", "sip:bob@h", alice.address)
    assert (await alice.ask(message, server_address, 20)).status == 486


def test_a_candidate_changes_no_database(start: Start, tmp_path: Path) -> None:
    """What the candidate saves, inserts, updates and deletes it finds again; the running server's database, hash table and
    registrations are those of the running server's script alone.
    """
    config, path = settings(tmp_path)
    live, candidate = tmp_path / "live.py", tmp_path / "candidate.py"
    live.write_text(LIVE)
    candidate.write_text(CANDIDATE)
    server = start(live, arguments=["--config", str(config)])
    data, address = data_of(server), server.address("udp")
    argv: list[str | Path] = [SIPWRIGHT, "shadow", candidate, "-d", data, "-c", config, "-o", "json"]
    before: list[str] = []

    async def story() -> Child:
        async with UdpPeer.open() as alice:
            await told(address, alice, "kept")
            wait_until(lambda: any("kept" in line for line in content(path)), 20, "the registration is written")
            before.extend(content(path))
            child = Child(argv, tmp_path / "shadow.log", cwd=tmp_path)
            try:
                await asyncio.to_thread(child.wait_output, "following the server", 60)
                await told(address, alice, "fresh")
            except BaseException:
                child.kill()
                raise
            return child

    child = asyncio.run(story())
    ended = child.stop(60, signal.SIGINT)
    text = child.output()
    assert ended.code == 1, text
    assert "0 exceptions" in text
    assert "was not copied" not in text
    assert "begins with 1 contacts and 1 items of hash tables" in text
    rows = {row["method"]: row for row in map(json.loads, (line for line in text.splitlines() if line.startswith("{")))}
    reply = "reply 480 sip:changed@h sip:new1@h sip:new2@h told by the candidate"
    assert [line.partition(" to ")[0] for line in rows["MESSAGE"]["live"]] == ["reply 486 Busy Here"]
    assert [line.partition(" to ")[0] for line in rows["MESSAGE"]["shadow"]] == [reply], text
    wait_until(lambda: any("fresh" in line for line in content(path)), 20, "the other registration is written")
    after = content(path)
    assert [line for line in after if "fresh" not in line and "sqlite_sequence" not in line] == [
        line for line in before if "sqlite_sequence" not in line
    ]
    (slot,) = [slot for slot in ask(data, "htable.dump", ["seen"]) if slot["slot"]]
    assert [(item["name"], item["value"]) for item in slot["slot"]] == [("alice", "by the server")]
    users = {user["Info"]["AoR"] for domain in ask(data, "ul.dump")["Domains"] for user in domain["Domain"]["AoRs"]}
    assert users == {"kept", "fresh"} or users == {"sip:kept@h", "sip:fresh@h"}, "nobody was unregistered"
