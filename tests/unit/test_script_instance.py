"""Loading scripts: the module set, mod_init and child_init, and what is said when they fail."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipwright.script.errors import ScriptError
from sipwright.script.instance import FunctionHandler, Instance
from sipwright.script.modules import ModuleSet
from sipwright.settings.model import ScriptSettings

GOOD = """
class Handler:
    def child_init(self, rank): return 0
    def ksr_request_route(self, msg): return 1
def mod_init(): return Handler()
"""


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """Leaves sys.path and sys.modules as they were."""
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]


def load(directory: Path, text: str, **helpers: str) -> Instance:
    for name, content in {"route": text, **helpers}.items():
        (directory / f"{name}.py").write_text(content)
    return Instance.load(ScriptSettings(path=directory / "route.py"))


def test_a_good_script(tmp_path: Path) -> None:
    instance = load(tmp_path, GOOD)
    instance.check_routes()
    instance.child_init(1)
    assert instance.module.__name__ == "route"
    assert type(instance.handler).__name__ == "Handler"
    assert sys.path[0] == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = (\n", "route.py:1: '(' was never closed"),
        ("import nothing_like_this\n", "No module named 'nothing_like_this'"),
        ("x = 1\n", "has no function mod_init()"),
        ("def mod_init(): pass\n", "route.py:1: mod_init() returned None"),
        ("def mod_init():\n    return 1 / 0\n", "line 2, in mod_init"),
        ("import sys\nsys.exit(3)\n", "loading failed"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ScriptError) as error:
        load(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "route.py"))
    assert expected in str(error.value)
    assert "sipwright/script" not in str(error.value), "the traceback begins in the script"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"gone\.py: there is no such file"):
        Instance.load(ScriptSettings(path=tmp_path / "gone.py"))


def test_a_syntax_error_of_a_helper_has_the_helpers_place(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"helper\.py:2: "):
        load(tmp_path, "import helper\n" + GOOD, helper="x = 1\ndef f(:\n")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("pass", "has no method child_init(rank)"),
        ("def child_init(self, rank): return -1", "child_init(1) returned -1"),
        ("def child_init(self, rank): return 'ok'", "child_init(1) must return an int, not str"),
        ("def child_init(self, rank): pass", "child_init(1) must return an int, not NoneType"),
        ("def child_init(self, rank): raise ValueError('boom')", "ValueError: boom"),
        ("child_init = 1", "has no method child_init(rank)"),
    ],
)
def test_child_init_rules(tmp_path: Path, body: str, expected: str) -> None:
    instance = load(tmp_path, f"class Handler:\n    {body}\ndef mod_init(): return Handler()\n")
    with pytest.raises(ScriptError) as error:
        instance.child_init(1)
    assert expected in str(error.value)


def test_a_handler_without_request_route_is_refused(tmp_path: Path) -> None:
    instance = load(
        tmp_path, "class Handler:\n    def child_init(self, rank): return 0\ndef mod_init(): return Handler()"
    )
    with pytest.raises(ScriptError, match=r"has no method ksr_request_route\(msg\)"):
        instance.check_routes()


def test_functions_without_a_handler_as_in_app_python3s(tmp_path: Path) -> None:
    instance = load(
        tmp_path, "seen = []\ndef ksr_request_route(): seen.append('r')\ndef event(name): seen.append(name)\n"
    )
    assert isinstance(instance.handler, FunctionHandler)
    instance.check_routes()
    instance.child_init(1)
    instance.handler.ksr_request_route("message")
    instance.handler.event("message", "tm:x")
    assert instance.module.seen == ["r", "tm:x"]
    assert not instance.has_route("ksr_reply_route")


HELPER = "state = []\n"
WITH_HELPER = "import helper\nfrom pack import part\n" + GOOD


def test_sets_have_their_own_helpers_and_share_everything_else(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "part.py").write_text("from . import other\nimport json\n")
    (tmp_path / "pack" / "other.py").write_text("state = []\n")
    one, two = (load(tmp_path, WITH_HELPER, helper=HELPER) for _ in range(2))
    assert one.module is not two.module
    assert one.module.helper is not two.module.helper
    assert one.module.part.other is not two.module.part.other
    assert one.module.part.json is two.module.part.json
    one.module.helper.state.append(1)
    assert two.module.helper.state == []


def test_imports_inside_functions_find_the_own_set(tmp_path: Path) -> None:
    text = GOOD + "def get():\n    import helper\n    from helper import state\n    return helper, state\n"
    one, two = (load(tmp_path, text, helper=HELPER) for _ in range(2))
    assert one.module.get()[0] is one.module.get()[0]
    assert one.module.get()[0] is not two.module.get()[0]
    assert one.module.get()[1] is one.module.get()[0].state


def test_loading_leaves_no_module_of_a_set_behind(tmp_path: Path) -> None:
    instance = load(tmp_path, "import helper\n" + GOOD, helper=HELPER)
    assert "helper" not in sys.modules
    instance.modules.publish()
    assert sys.modules["helper"] is instance.module.helper
    assert sys.modules["route"] is instance.module


def test_a_change_within_the_same_second_is_seen(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD + "version = 1\n").module.version == 1
    assert load(tmp_path, GOOD + "version = 2\n").module.version == 2


def test_standard_modules_are_not_shadowed(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')\n")
    assert load(tmp_path, "import json\n" + GOOD).module.json.loads("1") == 1


def test_a_script_may_have_any_file_name(tmp_path: Path) -> None:
    (tmp_path / "my-script.v2.py").write_text("x = 1\n")
    assert ModuleSet(tmp_path / "my-script.v2.py").load().x == 1


RENAMED = {"request_route": "requests", "reply_route": "replies", "onsend_route": ""}
METHODS = """
class Handler:
    def child_init(self, rank): return 0
    def requests(self, msg): return self.ksr_request_route(msg)
    def ksr_request_route(self, msg): return "usual"
    def replies(self, msg): return print(msg)
    def ksr_onsend_route(self, msg): return print(msg)
def mod_init(): return Handler()
"""
FUNCTIONS = """
def requests(): return "usual"
def replies(): return print()
def ksr_onsend_route(): return print()
"""


@pytest.mark.parametrize("text", [METHODS, FUNCTIONS])
def test_routes_with_other_names(tmp_path: Path, text: str) -> None:
    """Kamailio's kemi.request_route_callback and its like; an empty name leaves a route out."""
    (tmp_path / "route.py").write_text(text)
    instance = Instance.load(ScriptSettings(path=tmp_path / "route.py", **RENAMED))
    instance.check_routes()
    instance.child_init(1)
    assert instance.handler.ksr_request_route(None) == "usual"
    assert instance.needs_route("ksr_reply_route")
    assert not instance.needs_route("ksr_onsend_route")
