"""`cfgutils.get_config_hash` and `cfgutils.check_config_hash`."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipwright.control.rpc import RpcError
from sipwright.host import Host
from sipwright.kemi import cfgutils
from sipwright.modules.config_hash import ConfigHash
from sipwright.settings import Settings
from sipwright.settings.errors import SettingsError
from sipwright.settings.small import CfgutilsSettings


def test_a_changed_file(tmp_path: Path) -> None:
    path = tmp_path / "kamailio.cfg"
    path.write_text("hi\n")
    made = ConfigHash(path)
    assert (made.get(), made.check()) == ("764efa883dda1e11db47671c4a3bbd9e", "Identical hash")
    path.write_text("ho\n")
    assert (made.get(), made.check()) == ("764efa883dda1e11db47671c4a3bbd9e", "Different hash")
    path.unlink()
    with pytest.raises(RpcError, match="Failed to hash the file"):
        made.check()


def test_no_file() -> None:
    made = ConfigHash(None)
    assert made.get() == ""
    with pytest.raises(RpcError, match="No hash file"):
        made.check()


def test_one_that_is_not_there(tmp_path: Path) -> None:
    settings = Settings(cfgutils=CfgutilsSettings(hash_file=tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"cfgutils\.hash_file: .*none: No such file or directory"):
        cfgutils.configure(Host(settings))
