# Written by `python -m sipwright.kemi.stubs`.
"""KSR.tm: functions of Kamailio's module."""


def ki_t_load_contacts_mode(mode: int, /) -> int:
    """As `t_load_contacts` (0), or in an order drawn with q as weight and one at a time (1)."""

def t_any_replied() -> int:
    """Whether any branch got a response before the one at hand."""

def t_any_timeout() -> int:
    """Whether any branch timed out."""

def t_branch_replied() -> int:
    """Whether the branch at hand got a response before the one at hand (failure and reply routes)."""

def t_branch_timeout() -> int:
    """Whether the branch that won timed out (failure route)."""

def t_check_status(pattern: str, /) -> int:
    """Whether the code of the response, or the winning one in a failure route, matches the regular expression."""

def t_check_trans() -> int:
    """Whether the message belongs to a transaction: 1 yes, -1 no, 0 a retransmission that is dealt with."""

def t_clean() -> int:
    """Nothing is left to clean: transactions end by themselves; 1."""

def t_drop_replies(mode: str, /) -> int:
    """Which failures count once this failure route is over: `"n"`one is dropped, `"a"`ll are, or those before the `"l"`ast set of branches."""

def t_drop_replies_all() -> int:
    """As `t_drop_replies("a")`."""

def t_exists() -> int:
    """Whether the message has a transaction, made or found before; nothing is looked up: 1 or -1."""

def t_get_branch_index() -> int:
    """Index of the branch that runs; 0 outside of a branch."""

def t_get_status_code() -> int:
    """Code of the current response or of the last reply sent; -1 when there is none."""

def t_grep_status(code: int, /) -> int:
    """Whether any branch got exactly this final code."""

def t_is_canceled() -> int:
    """Whether the transaction was cancelled from upstream: 1 or -1."""

def t_is_expired() -> int:
    """Whether the transaction is older than its longest life (`timers.max_inv_ms`, `timers.max_noninv_ms`)."""

def t_is_retr_async_reply() -> int:
    """Whether the response repeats one that is suspended: 1 or -1."""

def t_is_set(what: str, /) -> int:
    """Whether a route is armed: `failure_route`, `branch_route`, `onreply_route` or `branch_failure_route`."""

def t_load_contacts() -> int:
    """Puts the destinations aside for `t_next_contacts`, grouped by q; a single one stays. 1."""

def t_lookup_cancel() -> int:
    """Whether the transaction that this CANCEL is for exists: 1 or -1."""

def t_lookup_cancel_flags(flags: int, /) -> int:
    """As `t_lookup_cancel`; with flag 1 the message flags of the INVITE hold for the CANCEL too."""

def t_lookup_request() -> int:
    """Whether a transaction of the request exists: 1 or -1."""

def t_newtran() -> int:
    """Makes the transaction of the request; 1, 0 for a retransmission, -1 on failure."""

def t_next_contact_flow() -> int:
    """In a branch failure route: makes another flow of the same user agent the destination; 1, -2 when there is none."""

def t_next_contacts() -> int:
    """Makes the contacts of the highest q the destinations; 1, -2 when none is left. Of several flows of one user agent (RFC 5626) only one is."""

def t_on_branch(name: str, /) -> int:
    """Names the route to run for each branch before it leaves; `"0"` for none."""

def t_on_branch_failure(name: str, /) -> int:
    """Names the route to run when one branch has failed."""

def t_on_failure(name: str, /) -> int:
    """Names the route to run when all branches have failed."""

def t_on_reply(name: str, /) -> int:
    """Names the route to run for each response of the transaction."""

def t_relay() -> int:
    """Forwards the request with a transaction to where its URIs say; 1, 0 for a retransmission, -1 on failure."""

def t_relay_to_flags(flags: int, /) -> int:
    """As `t_relay`; the flags, added up, ask not to send 100 (1), not to reply when the request cannot be forwarded and to return -4 instead (2), to try one address only (4)."""

def t_relay_to_proto(proto: str, /) -> int:
    """As `t_relay`, over this transport."""

def t_relay_to_proto_addr(proto: str, host: str, port: int, /) -> int:
    """As `t_relay`, over this transport to this host and port."""

def t_relay_to_proxy(proxy: str, /) -> int:
    """As `t_relay`, to the next hop that the URI names."""

def t_relay_to_proxy_flags(proxy: str, flags: int, /) -> int:
    """As `t_relay_to_proxy` with the flags of `t_relay_to_flags`."""

def t_release() -> int:
    """Gives the transaction up without an answer."""

def t_replicate(uri: str, /) -> int:
    """Sends a copy of the request to where the URI says, in a transaction of its own; what comes back ends here. 1 or -1."""

def t_reply(code: int, reason: str, /) -> int:
    """Answers the request through its transaction, made first if need be; 1 or -1."""

def t_reply_error() -> int:
    """Answers with what the last failed function had to say, 500 by default."""

def t_reset_fr() -> int:
    """Timers of this transaction as configured."""

def t_reset_max_lifetime() -> int:
    """Longest life as configured."""

def t_reset_retr() -> int:
    """Retransmission intervals as configured."""

def t_retransmit_reply() -> int:
    """Sends the last reply of the transaction once more."""

def t_save_lumps() -> int:
    """Failure routes begin with the edits of the message as they are now, not as they are when it is forwarded; 1, -1 without a transaction."""

def t_send_reply(code: int, reason: str, /) -> int:
    """As `t_reply`."""

def t_set_auto_inv_100(on: int, /) -> int:
    """Whether an INVITE gets a 100 by itself (1) or not (0); to be called before the transaction is made."""

def t_set_disable_6xx(on: int, /) -> int:
    """Whether a 6xx leaves the other branches alone (1) or cancels them (0)."""

def t_set_disable_failover(on: int, /) -> int:
    """Whether further targets of a domain are left alone when one fails (1) or tried (0)."""

def t_set_disable_internal_reply(on: int, /) -> int:
    """With 1, `t_relay` does not answer a request that it cannot forward, and returns -4."""

def t_set_fr(fr_inv_ms: int, fr_ms: int, /) -> int:
    """Timers of this transaction in milliseconds: until the final response to INVITE, until any response; 0 keeps one."""

def t_set_fr_inv(fr_inv_ms: int, /) -> int:
    """As `t_set_fr` for the first timer alone."""

def t_set_max_lifetime(inv_ms: int, noninv_ms: int, /) -> int:
    """Longest life of this transaction in milliseconds, if it is an INVITE, or another request; 0 keeps one."""

def t_set_no_e2e_cancel_reason(on: int, /) -> int:
    """With 1, the Reason of a CANCEL that comes does not go into the CANCELs that are sent for it."""

def t_set_retr(t1_ms: int, t2_ms: int, /) -> int:
    """Retransmission intervals of this transaction in milliseconds: the first, and the longest (T1, T2); 0 keeps one."""

def t_uac_send(method: str, uri: str, next_hop: str, socket: str, headers: str, body: str, /) -> int:
    """Sends a request of our own: to the next hop, or where the Request-URI says (`""`), from that socket or any (`""`); the header lines end with CRLF and include From and To. 1, or -1 when it cannot be sent."""

def t_use_uac_headers() -> int:
    """CANCEL and ACK always look like the request that left, so that this changes nothing; 1."""
