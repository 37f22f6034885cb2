"""Imports a routing script and the helper modules beside it as one set that can exist several times.

Kamailio runs each worker as a process, so each has its own copy of the script's globals. A `ModuleSet` gives a
worker thread the same: its own instance of the script and of every module and package that lies in the script's
directory. All other modules are shared, as in any Python program. A reload makes a new set and leaves the old one
as it was.

How: modules of a set run with a `__builtins__` of their own whose `__import__` looks into the set first. Loading
puts the set's modules into `sys.modules` for as long as it takes, under a lock.
"""

import builtins
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, ClassVar

from sipwright.script.errors import ScriptError, place_of

_loading = threading.RLock()
_thread = threading.local()
_NEVER_LOCAL = sys.stdlib_module_names | {"KSR", "Router", "sipwright"}


class ModuleSet:
    """One instance of a script's modules."""

    # Modules that scripts import in the place of others of these names: a clock that tests turn.
    substitutes: ClassVar[dict[str, ModuleType]] = {}

    def __init__(self, script: Path) -> None:
        self.script = script
        self.directory = script.parent
        self.modules: dict[str, ModuleType] = {}
        self._is_local: dict[str, bool] = {script.stem: True}
        self._builtins = {**vars(builtins), "__import__": self._import}

    def load(self) -> ModuleType:
        """Runs the script's file as a module named after it; ScriptError when it cannot be read or compiled.

        What the script itself raises comes out unchanged.
        """
        _prepare(self.directory)
        if not self.script.is_file():
            raise ScriptError(f"{self.script}: there is no such file")
        name = self.script.stem
        with self._installed():
            try:
                spec = importlib.util.spec_from_file_location(
                    name, self.script, loader=_Loader(self, name, self.script)
                )
                assert spec is not None
                assert spec.loader is not None
                module = importlib.util.module_from_spec(spec)
                sys.modules[name] = module
                spec.loader.exec_module(module)
            except SyntaxError as error:
                raise ScriptError(f"{place_of(error)}: {error.msg}") from error
            except (OSError, UnicodeDecodeError) as error:
                if not place_of(error):
                    raise ScriptError(f"{self.script}: {error}") from error
                raise
        return module

    def publish(self) -> None:
        """Puts the set's modules into `sys.modules`, for code that looks modules up there by name."""
        with _loading:
            sys.modules.update(self.modules)

    @property
    def builtins(self) -> dict[str, Any]:
        """The `__builtins__` that the set's modules run with."""
        return self._builtins

    def is_local(self, name: str) -> bool:
        """Whether the module `name` lies in the script's directory."""
        top = name.partition(".")[0]
        known = self._is_local.get(top)
        if known is None:
            known = top not in _NEVER_LOCAL and (
                (self.directory / f"{top}.py").is_file() or (self.directory / top / "__init__.py").is_file()
            )
            self._is_local[top] = known
        return known

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0:
            if name in self.substitutes:
                return self.substitutes[name]
            if not self.is_local(name):
                return builtins.__import__(name, globals, locals, fromlist or (), level)
            loaded = self.modules.get(name)
            if loaded is not None and "." not in name and all(hasattr(loaded, item) for item in fromlist or ()):
                return loaded
        with self._installed():
            return builtins.__import__(name, globals, locals, fromlist or (), level)

    @contextmanager
    def _installed(self) -> Iterator[None]:
        if getattr(_thread, "set", None) is self:
            yield  # an import by a module of the set that is being loaded
            return
        with _loading:
            others = {name: module for name, module in sys.modules.items() if self.is_local(name)}
            for name in others:
                del sys.modules[name]
            sys.modules.update(self.modules)
            outer = getattr(_thread, "set", None)
            _thread.set = self
            try:
                yield
            finally:
                _thread.set = outer
                self.modules = {name: module for name, module in sys.modules.items() if self.is_local(name)}
                for name in self.modules:
                    del sys.modules[name]
                sys.modules.update(others)


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles from source, so that an edit within the same second is seen, and runs with the set's builtins."""

    def __init__(self, modules: ModuleSet, name: str, path: Path) -> None:
        super().__init__(name, str(path))
        self._modules = modules

    def get_code(self, fullname: str) -> CodeType:
        """The compiled source; no cache is read or written."""
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module with the set's `__builtins__`."""
        module.__dict__["__builtins__"] = self._modules.builtins
        super().exec_module(module)


class _Finder:
    """Finds modules of the script's directory while a set is being loaded by this thread."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec with a loader of the set in progress, or None for modules that are not local to it."""
        modules: ModuleSet | None = getattr(_thread, "set", None)
        if modules is None or not modules.is_local(name):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path or [str(modules.directory)], target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(modules, name, Path(spec.loader.path))
        return spec


def _prepare(directory: Path) -> None:
    """Makes modules of the script's directory importable, as Kamailio does: first in `sys.path`."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    # The directory of the built-in script is that of this package: its modules are not to be found by bare names.
    if directory != Path(__file__).parent.parent and str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
