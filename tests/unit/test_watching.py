"""Changed files are noticed once they stay as they are, and settings are told apart by whether they can change live."""

from __future__ import annotations

from pathlib import Path

from sipwright.settings.errors import keys
from sipwright.settings.live import AT_ONCE, WITH_SCRIPT, change, differences, is_live, merged
from sipwright.settings.model import Settings
from sipwright.watching import Watch


def test_a_change_counts_once_it_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("1")
    watch = Watch(lambda: [file])
    assert watch.changed() == []
    file.write_text("22")
    assert watch.changed() == [], "perhaps half written"
    file.write_text("333")
    assert watch.changed() == []
    assert watch.changed() == [file]
    assert watch.changed() == []


def test_files_that_go_and_come(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    watch = Watch(lambda: [file])
    file.write_text("1")
    assert [watch.changed(), watch.changed()] == [[], [file]]
    file.unlink()
    assert [watch.changed(), watch.changed()] == [[], [file]]


def test_a_file_that_is_named_later_is_known_from_then_on(tmp_path: Path) -> None:
    files = [tmp_path / "a.py"]
    files[0].write_text("1")
    watch = Watch(lambda: files)
    files.append(tmp_path / "b.py")
    files[1].write_text("1")
    assert [watch.changed(), watch.changed()] == [[], []]
    files[1].write_text("22")
    assert [watch.changed(), watch.changed()] == [[], [files[1]]]


def test_a_link_that_leads_elsewhere_has_changed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    link = tmp_path / "link"
    link.symlink_to("one")
    watch = Watch(lambda: [link])
    link.unlink()
    link.symlink_to("two")
    assert [watch.changed(), watch.changed()] == [[], [link]]


def test_every_live_setting_exists() -> None:
    assert set(keys(Settings)) >= AT_ONCE | WITH_SCRIPT
    assert is_live("tls.certificate")
    assert not is_live("tls.threads_mode")
    assert not is_live("script.workers")


def test_differences_and_what_is_taken_over() -> None:
    old = Settings()
    new = Settings.model_validate(
        {"log": {"level": "debug"}, "script": {"workers": 4}, "aliases": ["a"], "database": {"url": "mysql://u:p@h/d"}}
    )
    names = differences(old, new)
    assert set(names) == {"aliases", "database.url", "log.level", "script.workers"}
    taken = merged(old, new, ["log.level", "aliases"])
    assert (taken.log.level, taken.aliases, taken.script.workers) == ("debug", ["a"], 2)
    assert differences(old, taken) == ["aliases", "log.level"]
    assert change("log.level", old, new) == "log.level: info -> debug"
    assert change("aliases", old, new) == "aliases: none -> ['a']"
    assert change("database.url", old, new) == "database.url", "passwords are not logged"
