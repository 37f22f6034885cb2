"""Time as a routing script and the server's modules see it in a test: it stands still until the test turns it.

The modules `time` and `datetime` are replaced for the script, its helpers and the server's own modules only. Everything
else, pytest and its plugins included, has the real ones.
"""

import datetime as real_datetime
import sys
import time as real_time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from sipwright.script.modules import ModuleSet

_PARTS: Final = ("sipwright.kemi.", "sipwright.modules.", "sipwright.control.", "sipwright.storage.")


class Clock:
    """Replaces time from `install` to `remove`; `now_us` and `wall_us` give the engine's, `sleep` turns it."""

    def __init__(self, now_us: Callable[[], int], wall_us: Callable[[], int], sleep: Callable[[float], None]) -> None:
        self._time = _time_module(now_us, wall_us, sleep)
        self._datetime = _datetime_module(wall_us)
        self._replaced: list[ModuleType] = []
        self._modules = 0

    def install(self) -> None:
        """Has the server's modules and scripts loaded from now on see this time; again for modules imported since."""
        if len(sys.modules) == self._modules:
            return
        self._modules = len(sys.modules)
        ModuleSet.substitutes.update(time=self._time, datetime=self._datetime)
        for name, module in list(sys.modules.items()):
            if name.startswith(_PARTS) and getattr(module, "time", None) is real_time:
                module.__dict__["time"] = self._time
                self._replaced.append(module)

    def remove(self) -> None:
        """Gives the modules the real time back."""
        for module in self._replaced:
            module.__dict__["time"] = real_time
        self._replaced.clear()
        for name, module in (("time", self._time), ("datetime", self._datetime)):
            if ModuleSet.substitutes.get(name) is module:
                del ModuleSet.substitutes[name]


def _time_module(now_us: Callable[[], int], wall_us: Callable[[], int], sleep: Callable[[float], None]) -> ModuleType:
    def or_now(function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of `time` whose missing last argument means now."""
        return lambda secs=None: function(wall_us() / 1e6 if secs is None else secs)

    def strftime(form: str, moment: Any = None) -> str:
        return real_time.strftime(form, real_time.localtime(wall_us() / 1e6) if moment is None else moment)

    module = ModuleType("time", real_time.__doc__)
    module.__dict__.update(
        vars(real_time),
        time=lambda: wall_us() / 1e6,
        time_ns=lambda: wall_us() * 1000,
        monotonic=lambda: now_us() / 1e6,
        monotonic_ns=lambda: now_us() * 1000,
        sleep=sleep,
        localtime=or_now(real_time.localtime),
        gmtime=or_now(real_time.gmtime),
        ctime=or_now(real_time.ctime),
        strftime=strftime,
    )
    return module


def _datetime_module(wall_us: Callable[[], int]) -> ModuleType:
    class Kind(type):
        """Makes real values instances of the replaced classes."""

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, cls.__mro__[1])

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, cls.__mro__[1])

    class date(real_datetime.date, metaclass=Kind):
        @classmethod
        def today(cls) -> Any:
            return real_datetime.date.fromtimestamp(wall_us() / 1e6)

    class datetime(real_datetime.datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real_datetime.datetime.fromtimestamp(wall_us() / 1e6, tz)

        @classmethod
        def today(cls) -> Any:
            return cls.now()

        @classmethod
        def utcnow(cls) -> Any:
            return cls.now(real_datetime.UTC).replace(tzinfo=None)

    module = ModuleType("datetime", real_datetime.__doc__)
    module.__dict__.update(vars(real_datetime), date=date, datetime=datetime)
    return module
