# Written by `python -m sipwright.kemi.stubs`.
"""KSR.tmx: functions of Kamailio's module."""


def t_cancel_branches(which: str, /) -> int:
    """Cancels branches: `all`, `others` or `this`."""

def t_cancel_callid(call_id: str, cseq: str, flag: int, /) -> int:
    """Cancels the INVITE with this Call-ID and sequence number; message flag `flag` (0 for none) is set for its failure route. 1 or -1."""

def t_cancel_callid_reason(call_id: str, cseq: str, flag: int, code: int, /) -> int:
    """As `t_cancel_callid`, with a cause for the Reason header of the CANCELs (RFC 3326); 200 means completed elsewhere."""

def t_continue(index: int, label: int, route: str, /) -> int:
    """Has this route run with the suspended message of that index and label; 1, or -1 when none is suspended."""

def t_drop() -> int:
    """Gives the transaction up without an answer, as if it had been answered with 500; 0 (stop), -1 without a transaction."""

def t_drop_rcode(code: int, /) -> int:
    """As `t_drop`, as if it had been answered with this code."""

def t_flush_flags() -> int:
    """Copies the message flags to the transaction."""

def t_flush_xflags() -> int:
    """Copies the extended flags to the transaction."""

def t_is_branch_route() -> int:
    """Whether a branch route runs: 1 or -1."""

def t_is_failure_route() -> int:
    """Whether a failure route runs: 1 or -1."""

def t_is_reply_route() -> int:
    """Whether a reply route runs: 1 or -1."""

def t_is_request_route() -> int:
    """Whether the request route runs: 1 or -1."""

def t_precheck_trans() -> int:
    """Whether the request is being worked on or has been already: 1 yes, -1 no, 0 a retransmission that is dealt with."""

def t_reply_callid(call_id: str, cseq: str, code: int, reason: str, /) -> int:
    """Answers the INVITE with this Call-ID and sequence number, suspended or not; 1 or -1."""

def t_reuse_branch() -> int:
    """In a branch failure route: makes the destination of the branch the one to try once more; 1 or -1."""

def t_suspend() -> int:
    """Keeps the message when its route has ended, until `t_continue`; `$T(id_index)` and `$T(id_label)` name it then. In a request or failure route, or a route of `t_on_reply`; 1 or -1."""
