"""Which routes do nothing, so that the engine need not call them.

Kamailio 5.6 looks for `ksr_reply_route` and `ksr_onsend_route` at each response and each send, and scripts for it
define both, mostly as no more than `return 1`. A call of such a route has no effect that anybody could see, but would
bring each response into a worker.
"""

import dis
import types
from collections.abc import Callable
from typing import Any

_WITHOUT_EFFECT = {"RESUME", "NOP", "CACHE", "LOAD_CONST", "LOAD_SMALL_INT", "RETURN_VALUE", "RETURN_CONST"}


def does_nothing(route: Callable[..., Any]) -> bool:
    """Whether the route is a plain method or function whose body only returns a constant, as `pass` and `return 1` do.

    Decorated routes, coroutines, generators and callables of other kinds count as doing something.
    """
    function = route.__func__ if isinstance(route, types.MethodType) else route
    if not isinstance(function, types.FunctionType):
        return False
    return all(step.opname in _WITHOUT_EFFECT for step in dis.get_instructions(function))
