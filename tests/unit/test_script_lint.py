"""`sipwright check` finds mistakes in scripts without running them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from sipwright.script.lint import check_script

IMPLEMENTED = [
    "info",
    "is_INVITE",
    "pv.get",
    "pv.sets",
    "pv.seti",
    "tm.t_relay",
    "tm.t_on_failure",
    "sl.send_reply",
    "x.modf",
]
NOTHING_HIDDEN: Mapping[str, str] = MappingProxyType({})


def findings(tmp_path: Path, text: str, hidden: Mapping[str, str] = NOTHING_HIDDEN, **helpers: str) -> list[str]:
    for name, content in helpers.items():
        (tmp_path / f"{name}.py").write_text(content)
    script = tmp_path / "script.py"
    script.write_text(text)
    return [str(finding).removeprefix(f"{tmp_path}/") for finding in check_script(script, IMPLEMENTED, hidden)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("KSR.tm.t_rely()", "script.py:2:1: there is no KSR.tm.t_rely; did you mean KSR.tm.t_relay?"),
        ("KSR.dispatcher.ds_select_dst(1, 4)", "is known in Kamailio, but not implemented here yet"),
        ("f = KSR.pv.gett", "script.py:2:5: there is no KSR.pv.gett; did you mean KSR.pv.get?"),
        ("KSR.sl.send_reply(404)", "KSR.sl.send_reply takes 2 argument(s) (int, str), 1 given"),
        ("KSR.sl.send_reply(404, 'a', 'b')", "KSR.sl.send_reply takes 2 argument(s) (int, str), 3 given"),
        ("KSR.sl.send_reply('404', 'a')", "script.py:2:19: KSR.sl.send_reply: argument 1 must be int, not str"),
        ("KSR.pv.sets('$var(x)', None)", "KSR.pv.sets: argument 2 must be str, not NoneType"),
        ("KSR.pv.get(name='$ru')", "KSR.pv.get takes no keyword arguments"),
        ("KSR.tm.t_on_failure('on_fail')", "KSR.tm.t_on_failure: the script has no method on_fail"),
        ("KSR.info(KSR.pv.gett('$ru'))", "there is no KSR.pv.gett"),
    ],
)
def test_mistakes(tmp_path: Path, line: str, expected: str) -> None:
    found = findings(tmp_path, f"import KSR\n{line}\n")
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "import KSR\nKSR.info('x')\nKSR.tm.t_relay()\nif KSR.is_INVITE(): pass",
        "import KSR as K\nK.pv.seti('$var(x)', True)",
        "from KSR import pv\npv.get('$ru')",
        "import KSR\nKSR.x.modf('anything', 1, 2, 3)\nKSR.pv.get(*args)\nKSR.__dict__['async']",
        "import KSR\nhasattr(KSR, 'nathelper')\nKSR.tm.t_on_failure('on_fail')\ndef on_fail(self, msg): pass",
        "KSR = 1\nother.KSR.nothing()",
    ],
)
def test_no_mistakes(tmp_path: Path, text: str) -> None:
    assert findings(tmp_path, text) == []


HIDDEN = {"rtpengine": "rtpengine"}
GUARDED = "import KSR\nif hasattr(KSR, 'rtpengine'):\n    KSR.rtpengine.{}\n"


def test_a_part_that_the_script_asks_for_need_not_be_loaded(tmp_path: Path) -> None:
    assert findings(tmp_path, GUARDED.format("rtpengine_manage('')"), hidden=HIDDEN) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import KSR\nKSR.rtpengine.rtpengine_manage('')\n", 'needs loadmodule "rtpengine.so" in the kamailio.cfg'),
        (GUARDED.format("rtpengine_manage(1)"), "argument 1 must be str, not int"),
        (GUARDED.format("rtpengine_mange('')"), "there is no KSR.rtpengine.rtpengine_mange"),
        (GUARDED.replace("KSR,", "other,").format("rtpengine_manage('')"), 'needs loadmodule "rtpengine.so"'),
    ],
)
def test_mistakes_with_a_part_that_is_not_loaded(tmp_path: Path, text: str, expected: str) -> None:
    found = findings(tmp_path, text, hidden=HIDDEN)
    assert len(found) == 1
    assert expected in found[0]


def test_other_names_for_ksr(tmp_path: Path) -> None:
    assert "KSR.pv.gett" in findings(tmp_path, "import KSR as K\nK.pv.gett('$ru')")[0]
    assert "KSR.pv.gett" in findings(tmp_path, "from KSR import pv as p\np.gett('$ru')")[0]


def test_helpers_beside_the_script_are_checked_too(tmp_path: Path) -> None:
    found = findings(
        tmp_path, "import helper\n", helper="import KSR\nimport deeper\n", deeper="import KSR\nKSR.nope()\n"
    )
    assert found == ["deeper.py:2:1: there is no KSR.nope"]


def test_a_syntax_error_has_its_place(tmp_path: Path) -> None:
    found = findings(tmp_path, "import KSR\ndef f(:\n")
    assert len(found) == 1
    assert found[0].startswith("script.py:2:7: syntax error")


def test_a_callback_in_a_helper_counts(tmp_path: Path) -> None:
    text = "import KSR\nimport helper\nKSR.tm.t_on_failure('on_fail')\n"
    assert findings(tmp_path, text, helper="class Base:\n    def on_fail(self, msg): pass\n") == []


STRICT = """
import KSR

class Handler:
    def ksr_request_route(self, msg):
        KSR.tm.t_on_failure("failure")
        KSR.tm.t_on_branch("branch")
        KSR.tm.t_on_reply("answered")
        self.both()

    def ksr_reply_route(self, msg):
        KSR.tm.t_relay()
        self.both()

    def failure(self, msg):
        KSR.sl.send_reply(404, "x")
        self.both()

    def branch(self, msg):
        self.deeper()

    def answered(self, msg):
        helper()

    def deeper(self):
        KSR.sl.send_reply(404, "x")

    def both(self):
        KSR.tm.t_relay()

    def nobody_calls_it(self):
        KSR.tm.t_relay()

def helper():
    KSR.tm.t_relay()
"""


def strict_findings(tmp_path: Path, text: str) -> list[str]:
    script = tmp_path / "script.py"
    script.write_text(text)
    found = check_script(script, [*IMPLEMENTED, "tm.t_on_branch", "tm.t_on_reply", "pv.gete"], strict=True)
    return [str(finding).removeprefix(f"{tmp_path}/") for finding in found]


def test_strict_finds_calls_that_do_nothing_in_their_routes(tmp_path: Path) -> None:
    assert strict_findings(tmp_path, STRICT) == [
        "script.py:12:9: KSR.tm.t_relay does nothing in a reply route: responses go where their Via says",
        "script.py:26:9: KSR.sl.send_reply does nothing in a branch route: there is no request to answer",
        "script.py:35:5: KSR.tm.t_relay does nothing in a t_on_reply route: responses go where their Via says",
    ]
    assert check_script(tmp_path / "script.py", [*IMPLEMENTED, "tm.t_on_branch", "tm.t_on_reply"]) == []


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ('KSR.pv.get("$ru")', "argument 2 must be str, but this may be None"),
        ("len(x)", "argument 2 must be str, not int"),
        ("[x]", "argument 2 must be str, not list"),
        ("KSR.is_INVITE()", "argument 2 must be str, not bool"),
        ("KSR.tm.t_relay()", "argument 2 must be str, not int"),
        ('KSR.pv.gete("$ru")', None),
        ('f"{x}"', None),
        ('"a" + x', None),
        ('"%s" % x', None),
        ("x", None),
        ("str(x)", None),
    ],
)
def test_strict_follows_arguments(tmp_path: Path, argument: str, expected: str | None) -> None:
    found = strict_findings(tmp_path, f"import KSR\ndef route(x):\n    KSR.sl.send_reply(404, {argument})\n")
    assert [line.partition("KSR.sl.send_reply: ")[2] for line in found] == ([expected] if expected else [])
