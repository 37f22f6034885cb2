"""What is wrong with a setting, said so that it can be put right: where it stands, its key, what is allowed."""

from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sipwright.nearest import nearest

Path = tuple[str | int, ...]


class SettingsError(Exception):
    """Settings that cannot be used; `str()` has one line for each problem."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was given: a file with a line, an environment variable or a command line option."""

    text: str

    def __str__(self) -> str:
        return self.text


def dotted(path: Path) -> str:
    """`("script", "workers")` as `script.workers`."""
    return ".".join(str(part) for part in path)


def near(name: str, candidates: list[str]) -> str:
    """`; did you mean a or b?`, or nothing when no candidate is near."""
    found = nearest(name, candidates)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """All dotted names of the settings of a model, sections left out."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += keys(inner, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def explain(model: type[BaseModel], error: ValidationError, origin_of: "dict[Path, Origin]") -> SettingsError:
    """A SettingsError with one line for each problem that pydantic found."""
    return SettingsError(*(_line(model, detail, origin_of) for detail in error.errors(include_url=False)))


def unknown(model: type[BaseModel], name: str) -> str:
    """The sentence for a name that is no setting."""
    known = keys(model)
    last = name.rpartition(".")[2]
    hint = near(name, known)
    if not hint:
        same = [key for key in known if key.rpartition(".")[2] == last]
        hint = f"; did you mean {' or '.join(same)}?" if same else ""
    return f"{name}: there is no such setting{hint}"


def _line(model: type[BaseModel], detail: ErrorDetails, origin_of: "dict[Path, Origin]") -> str:
    path = detail["loc"]
    origin = next((origin_of[path[:n]] for n in range(len(path), 0, -1) if path[:n] in origin_of), None)
    where = f"{origin}: " if origin else ""
    if detail["type"] == "extra_forbidden":
        return where + unknown(model, dotted(path))
    return f"{where}{dotted(path)}: {_what(detail)}"


def _what(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind == "literal_error":
        return f"must be one of: {context['expected'].replace(' or ', ', ')}"
    if kind == "value_error":
        return str(context["error"])
    return detail["msg"].replace("Input should be", "must be").replace("Input should have", "must have")
