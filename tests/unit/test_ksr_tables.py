"""Modules over tables: reloads, databases that are away, limits."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sipwright import _engine
from sipwright.control.rpc import RpcError
from sipwright.host import Host
from sipwright.kemi import domain, permissions, sqlops
from sipwright.server import install_ksr
from sipwright.settings import Settings


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in ("KSR", "Router")}
    _engine.begin_fake()
    values: dict[str, Any] = {
        "data_dir": tmp_path,
        "permissions": {"peer_tag_avp": "$avp(tag)", "reload_delta_s": 0},
        "sqlops": {"sqlcon": [f"ca=>sqlite://{tmp_path / 'sipwright.db'}"], "results_maxsize": 2},
    }
    made = Host(Settings.model_validate(values))
    install_ksr(made)
    made.database().create_tables()
    yield made
    made.close()
    _engine.end_fake()
    install_ksr(Host(Settings()))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("KSR", "Router")]:
        del sys.modules[name]
    sys.modules.update(before)


def put(host: Host, table: str, **values: Any) -> None:
    host.database().write("insert", table, values)
    assert host.database().flush(5)


def test_a_reload_shows_new_addresses(host: Host) -> None:
    assert permissions.allow_address(1, "192.0.2.1", 5060) == -1
    put(host, "address", grp=1, ip_addr="192.0.2.1", tag="carrier")
    assert permissions.allow_address(1, "192.0.2.1", 5060) == -1
    assert permissions.address_reload() == "Reload OK"
    assert permissions.allow_address(1, "192.0.2.1", 5060) == 1
    assert _engine.pv_get("$avp(tag)") == "carrier"
    assert permissions.uri_test(1, "192.0.2.1") == "Allowed, tag carrier"
    assert [row["ip"] for row in permissions.address_dump()] == ["192.0.2.1"]
    assert permissions.subnet_dump() == permissions.domain_dump() == []


def test_a_reload_that_fails_changes_nothing(host: Host) -> None:
    put(host, "address", grp=1, ip_addr="192.0.2.1")
    put(host, "domain", domain="Example.com")
    permissions.address_reload()
    assert domain.reload()
    host.database().sql("DROP TABLE address")
    host.database().sql("DROP TABLE domain")
    with pytest.raises(RpcError, match="no such table"):
        permissions.address_reload()
    with pytest.raises(RpcError, match="no such table"):
        domain.reload()
    assert permissions.allow_address(1, "192.0.2.1", 0) == 1
    assert domain.is_domain_local("EXAMPLE.COM") == 1
    assert domain.dump() == [{"domain": "example.com", "did": "Example.com", "attributes": {}}]


def test_trusted_peers_are_reloaded(host: Host) -> None:
    assert permissions.trusted_dump() == []
    put(host, "trusted", src_ip="192.0.2.1", proto="any", tag="t")
    permissions.trusted_reload()
    assert [peer["ip"] for peer in permissions.trusted_dump()] == ["192.0.2.1"]


def test_results_belong_to_their_worker_and_are_bounded(host: Host) -> None:
    assert sqlops.sql_query("ca", "SELECT 1, 'a', NULL, x'ff'", "one") == 0
    assert [sqlops.sql_result_get("one", 0, column) for column in range(4)] == [1, "a", None, "\udcff"]
    assert sqlops.sql_query("ca", "SELECT 2", "two") == 0
    assert sqlops.sql_query("ca", "SELECT 3", "three") == -1
    assert sqlops.sql_query("ca", "SELECT 4", "two") == 0
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(sqlops.sql_num_rows("one")))
    thread.start()
    thread.join()
    assert seen == [0]
    for name in ("one", "two"):
        sqlops.sql_result_free(name)


def test_queries_that_nobody_waits_for(host: Host) -> None:
    assert sqlops.sql_query_async("ca", "INSERT INTO grp (username) VALUES ('alice')") == 1
    assert sqlops.sql_query_async("nobody", "SELECT 1") == -1
    host.close()
    again = Host(host.settings)
    assert again.database().sql("SELECT username FROM grp")[1] == [("alice",)]
    again.close()


def test_connections_as_kamailio_writes_them() -> None:
    settings = Settings.model_validate({"sqlops": {"sqlcon": ["ca=>sqlite:////x.db", "cb => sqlite:////y.db"]}})
    assert settings.sqlops.connections() == {"ca": "sqlite:////x.db", "cb": "sqlite:////y.db"}
    for wrong in ("ca", "ca=>text:///x", "=>sqlite:///x"):
        with pytest.raises(ValueError):
            Settings.model_validate({"sqlops": {"sqlcon": [wrong]}})
