"""`system.*`: what methods there are and what they do."""

from functools import partial

from sipwright.control.rpc import Rpc, RpcError


def register(rpc: Rpc) -> None:
    """Adds them."""
    rpc.add("system.listMethods", rpc.names)
    rpc.add("system.methodHelp", partial(method_help, rpc))
    rpc.add("system.methodSignature", method_signature)


def method_help(rpc: Rpc, method: str = "") -> str:
    """What a method does."""
    if not method:
        raise RpcError(400, "Method Name Expected")
    text = rpc.help(method)
    if text is None:
        raise RpcError(400, "command not found")
    return text or "See docs/reference/rpc.md."


def method_signature(method: str = "") -> None:
    """Kamailio has this method and answers with this error."""
    raise RpcError(500, "Not Implemented Yet")
