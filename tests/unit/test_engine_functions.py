"""The engine's KSR functions against the facts about Kamailio's, and their stubs."""

from sipwright import _engine
from sipwright.kemi import known, stubs

# Functions that Kamailio's Python does not have.
ADDITIONS = {"alert"}
# Kamailio declares a parameter more than its function has, and fails when a script calls it.
SHORTER = {"textopsx.remove_hf_value2"}


def dotted(module: str, name: str) -> str:
    return name if module == "core" else f"{module}.{name}"


def test_builtins_have_the_parameters_and_results_of_kamailio() -> None:
    wrong = []
    for module, name, params, returns, _ in _engine.ksr_functions():
        signature = known.functions().get(dotted(module, name))
        if signature is None:
            if dotted(module, name) not in ADDITIONS:
                wrong.append(f"{dotted(module, name)}: not in Kamailio")
            continue
        kinds = tuple(kind for _, kind in params)
        expected = tuple("int" if kind == "long" else kind for kind in signature.params)
        # Lists and dicts, which Kamailio hands to Lua but not to Python.
        if dotted(module, name) in SHORTER:
            assert kinds == expected[:-1]
        elif (kinds, "xval" if returns == "data" else returns) != (expected, signature.returns):
            wrong.append(f"{dotted(module, name)}{kinds} -> {returns}, Kamailio {expected} -> {signature.returns}")
    assert wrong == []


def test_builtins_are_described() -> None:
    assert [name for _, name, _, _, doc in _engine.ksr_functions() if not doc.strip()] == []


def test_the_stub_file_is_current() -> None:
    assert stubs.current() == stubs.render(), "run: python -m sipwright.kemi.stubs"
