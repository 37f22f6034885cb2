"""The known differences from Kamailio, each with its reason.

A difference is data: edits that turn one server's transcript into what the other's should be. A scenario that lists it
must become equal with it and must not be equal without it, so that an entry which no longer holds fails a test.
docs/reference/differences.md is made from this table by `python -m oracle.reference` in tests/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from oracle.transcript import Transcript

KAMAILIO = "kamailio"
SIPWRIGHT = "sipwright"


@dataclass(frozen=True)
class Drop:
    """Leave out the blocks of a section that the pattern matches from their beginning on."""

    side: str
    section: str
    pattern: str

    def apply(self, blocks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(block for block in blocks if not re.match(self.pattern, block, re.DOTALL))


@dataclass(frozen=True)
class Once:
    """Leave out the blocks that are in the section already, of those that the pattern matches from their beginning on."""

    side: str
    section: str
    pattern: str

    def apply(self, blocks: tuple[str, ...]) -> tuple[str, ...]:
        kept: list[str] = []
        for block in blocks:
            if block not in kept or not re.match(self.pattern, block, re.DOTALL):
                kept.append(block)
        return tuple(kept)


@dataclass(frozen=True)
class Replace:
    """Replace what the pattern matches in the blocks of a section ("" for all sections)."""

    side: str
    section: str
    pattern: str
    text: str

    def apply(self, blocks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(re.sub(self.pattern, self.text, block) for block in blocks)


Edit = Drop | Once | Replace


@dataclass(frozen=True)
class Difference:
    """What Kamailio does, what Sipwright does instead, why, and the scenarios in which it shows."""

    title: str
    kamailio: str
    sipwright: str
    why: str
    scenarios: tuple[str, ...]
    edits: tuple[Edit, ...]


def both(kind: type[Edit], *arguments: str) -> tuple[Edit, Edit]:
    """The same edit for either side."""
    return kind(KAMAILIO, *arguments), kind(SIPWRIGHT, *arguments)


FIRST_TAG = (Replace(KAMAILIO, "alice", "<tag 2>", "<tag 1>"),)
NO_ACKS = both(Drop, "script", "ksr_request_route: ACK")

UPGRADED = (
    "phone_calls_a_websocket_client",
    "websocket_among_other_protocols",
    "websocket_client_calls_a_phone",
    "websocket_pings_and_close",
    "websocket_request_and_close",
)
HTTP_SCENARIOS = (
    *UPGRADED,
    "http_get",
    "http_is_no_transaction",
    "http_post",
    "http_reply_by_sl",
    "http_reply_with_header_and_close",
    "http_requests_in_one_segment",
    "jsonrpc_of_the_script",
    "jsonrpc_that_fails",
    "websocket_version",
    "websocket_without_key",
    "websocket_without_sip",
    "websocket_without_upgrade",
)

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "Events of a dialog without a name",
        "calls `dialog.event_callback` for the first provisional response and for the ACK too, with the name `unknown`",
        "calls it for `dialog:start`, `dialog:end` and `dialog:failed`, and for what `$dlg_ctx(timeout_route)` says",
        "Kamailio's documentation knows no such event; a script would take it for one of the others.",
        (
            "dialog_from_invite_to_bye",
            "dialog_ended_by_the_callee",
            "dialog_refused",
            "dialog_cancelled",
            "dialog_with_a_second_invite",
            "dialog_profiles",
            "dialog_flags_properties_variables",
            "dialog_ended_from_here",
            "dialog_of_a_request_without_the_cookie",
            "dialog_nobody_answers",
            "dialog_whose_bye_is_refused",
            "dialog_among_other_proxies",
            "dialog_of_a_spiral",
            "dialog_answered_by_two",
            "dialog_answered_while_it_is_cancelled",
            "dialog_by_its_flag",
            "dialog_whose_timeout_passes",
            "dialog_ended_from_here_on_one_side",
        ),
        (Drop(KAMAILIO, "script", "dialog_event unknown"),),
    ),
    Difference(
        "A dialog that nobody answered",
        "runs `dialog:failed` with a made-up message when the final response was made here",
        "with that response",
        "The script sees whose call it was.",
        ("dialog_nobody_answers",),
        (
            Drop(SIPWRIGHT, "script", "dialog_event dialog:failed: INVITE 408"),
            Drop(SIPWRIGHT, "script", "  dialog:failed"),
        ),
    ),
    Difference(
        "unset_dlg_profile in the request route",
        "gives -1 and does nothing in the request route",
        "takes the dialog out of the profile there too",
        "Nothing speaks against it.",
        ("dialog_profiles",),
        both(Replace, "script", r"(  unset -1|  in(?= -?1 -1$)) -?1", r"\1"),
    ),
    Difference(
        "Order of header fields in requests of a dialog from here",
        "Content-Length, User-Agent, Max-Forwards in the BYE that it makes",
        "the other way round",
        "The order of header fields of different names has no meaning (RFC 3261 section 7.3.1).",
        (
            "dialog_ended_from_here",
            "dialog_whose_timeout_passes",
            "dialog_ended_from_here_on_one_side",
            "record_of_a_call_that_is_ended_from_here",
        ),
        (Replace(KAMAILIO, "", r"(Content-Length: <fits>\n)(User-Agent: .*\n)(Max-Forwards: .*\n)", r"\3\2\1"),),
    ),
    Difference(
        "Place of Record-Route in a request that comes through twice",
        "has both of its Record-Route above the Via of the first time",
        "has each below the Via that it added with it",
        "The order of header fields of different names has no meaning (RFC 3261 section 7.3.1).",
        ("dialog_of_a_spiral",),
        (Replace(KAMAILIO, "bob", r"(Record-Route: .*;did=.*\n)(Via: .*\n)", r"\2\1"),),
    ),
    Difference(
        "Record of a call that is ended from here",
        "writes none when its own BYE ends the call (`dlg_bye`, a timeout with BYE), and logs an error",
        "writes one, with the variables of the dialog",
        "The call was answered, and somebody pays for it.",
        ("record_of_a_call_that_is_ended_from_here",),
        (Drop(SIPWRIGHT, "script", "    caller=alice"),),
    ),
    Difference(
        "To tag of records that are made before there is a response",
        "writes the tag that a response of its own would have, also when there has been none: for `acc_db_request`, and for the "
        "missed call of a branch that has not answered",
        "writes an empty tag; the record of the response that follows has its tag",
        "No message with that tag has been sent, and after a failure route that tries somebody else none ever is.",
        ("a_call_that_nobody_answers", "records_of_the_script"),
        (
            Replace(KAMAILIO, "script", r"to tag=<tag 1> (code=404 reason=in the table)", r"to tag= \1"),
            Replace(KAMAILIO, "script", r"to tag=<tag 1> (code=408)", r"to tag= \1"),
            Replace(SIPWRIGHT, "script", r"to tag=<tag 1> (code=408)", r"to tag= \1"),
        ),
    ),
    Difference(
        "stale=true by itself",
        "writes `stale=true` into a challenge when the script's flags say so (16)",
        "also when the last check of the request found the response right and only the nonce too old or used up",
        "RFC 7616 section 3.3: the client then answers with the password that it has instead of asking its user again.",
        ("a_nonce_for_one_request", "counted_nonces"),
        (Replace(SIPWRIGHT, "alice", ", stale=true", ""),),
    ),
    Difference(
        "Responses to requests that uac_restore_from changed",
        "in mode `manual` leaves in them the From and To that the other side sees",
        "gives the sender its own From and To back, as `uac_replace_from` does",
        "From and To of a response are those of its request (RFC 3261 section 8.2.6.2).",
        ("manual_and_restored",),
        (
            Replace(
                KAMAILIO,
                "alice",
                r"(branch=z9hG4bK-alice-3\n)From: <sip:a@b.com>(.*\n)To: <sip:c@d.com>",
                r"\1From: <sip:alice@oracle.test>\2To: <sip:bob@oracle.test>",
            ),
            Replace(
                KAMAILIO,
                "bob",
                r"(SIP/2.0 200 OK\n.*\n)From: <sip:bob@oracle.test>(.*\n)To: <sip:alice@oracle.test>",
                r"\1From: <sip:c@d.com>\2To: <sip:a@b.com>",
            ),
        ),
    ),
    Difference(
        "Header fields after Content-Length",
        "adds the Reason of a CANCEL, and the Route that a strict router gets, after Content-Length; a CANCEL that had to wait for a provisional response says `cause=200` "
        "without a text",
        "before Content-Length, and always with the text",
        "The order of header fields of different names has no meaning (RFC 3261 section 7.3.1); the text is the same "
        "whenever the call was answered elsewhere.",
        (
            "a_603_ends_the_others",
            "both_pick_up",
            "branch_route_edits_its_branch",
            "cancel_with_reason",
            "next_hop_is_a_strict_router",
            "first_200_wins",
            "one_branch_is_silent_the_other_picks_up",
            "onsend_route_of_two_answers",
            "voicemail_idiom",
        ),
        (
            Replace(KAMAILIO, "", r"(Content-Length: <fits>\n)((?:Reason|Route): .*\n)", r"\2\1"),
            *both(Replace, "", r'Reason: SIP;cause=200;text="Call completed elsewhere"', "Reason: SIP;cause=200"),
        ),
    ),
    Difference(
        "Answers to a request that cannot be forwarded",
        "`t_relay` returns a negative code and answers 478 or 500 a moment later, although the script has answered "
        "with `sl_reply_error` by then: the caller gets two final responses",
        "`t_relay` answers itself and returns 1, so that the script does not answer again; where the transaction was "
        "there before, `sl_reply_error` gives that answer",
        "A request has one final response (RFC 3261 section 17.2.1).",
        ("unresolvable_next_hop", "unresolvable_next_hop_after_newtran", "branch_route_drops_the_only_branch"),
        (
            Drop(KAMAILIO, "alice", r"SIP/2.0 500 .*/SL\)"),
            *FIRST_TAG,
            *both(Replace, "alice", r"\((6/)?TM\)", "(TM)"),
            *both(Replace, "script", "t_relay -?[0-9]+", "t_relay"),
            *both(Drop, "script", "  sl_reply_error"),
            *NO_ACKS,
        ),
    ),
    Difference(
        "What sl_reply_error says after forward",
        "500 with a text on the last error of any function, or `No error`",
        "what went wrong: 478 for a destination that cannot be resolved",
        "The caller learns why.",
        ("stateless_to_nowhere",),
        both(Replace, "alice", r"SIP/2.0 (500|478) .*\n", "SIP/2.0 500\n"),
    ),
    Difference(
        "A copy of a request does not reach the script",
        "runs the request route for each copy until `t_check_trans`, `t_newtran` or `t_relay` finds its transaction",
        "the route runs once; copies are absorbed before",
        "A slow script never sees the same request twice; what the peers get is the same.",
        (
            "copies_of_a_message",
            "copies_of_an_invite_get_the_last_answer",
            "copies_of_an_invite_that_was_refused",
            "precheck_as_the_default_script_does",
        ),
        (
            Once(KAMAILIO, "script", "ksr_request_route: (INVITE|MESSAGE)"),
            *both(Drop, "script", "  (t_relay|precheck|t_newtran|t_reply)"),
        ),
    ),
    Difference(
        "No 408 for requests other than INVITE",
        "answers 408 when such a request times out",
        "does not answer",
        "The client has timed out by itself; a late 408 of every hop makes things worse (RFC 4320 section 4.2).",
        ("nobody_answers_a_message",),
        (Drop(KAMAILIO, "alice", "SIP/2.0 408"),),
    ),
    Difference(
        "A failure after a 2xx of the same branch",
        "acknowledges it",
        "ignores it",
        "An INVITE client transaction in state Accepted takes 2xx responses only (RFC 6026 section 7.2).",
        ("failure_after_a_200",),
        (Drop(KAMAILIO, "bob", "ACK "),),
    ),
    Difference(
        "The 500 in place of a 503",
        "makes a new response `500 Service Unavailable`",
        "passes the response of the best branch on as `500 Server Internal Error`, with its tag and Retry-After",
        "RFC 3261 section 16.7 step 6 asks for a 500; its reason and Retry-After (section 21.5.1) help the caller.",
        ("a_503_is_not_relayed_as_it_is", "a_503_of_the_only_branch", "failover_after_a_timeout"),
        (
            *both(Replace, "alice", r"SIP/2.0 500 .*\n", "SIP/2.0 500\n"),
            *both(Replace, "alice", r"(SIP/2.0 500\n(?:.*\n)*To: .*;tag=).*\n", r"\1tag\n"),
            Replace(KAMAILIO, "alice", r"(SIP/2.0 500\n(?:.*\n)*)Server: oracle\n", r"\1"),
            Replace(SIPWRIGHT, "alice", r"Retry-After: .*\n", ""),
        ),
    ),
    Difference(
        "Challenges of several branches",
        "makes a new response with all challenges",
        "adds the other challenges to the best response, which keeps its tag",
        "That is what RFC 3261 section 16.7 step 7 says.",
        ("challenges_are_collected", "challenges_of_three_branches"),
        (
            *both(Replace, "alice", r"(SIP/2.0 40[17] .*\n(?:.*\n)*To: .*;tag=).*\n", r"\1tag\n"),
            Replace(KAMAILIO, "alice", r"(SIP/2.0 40[17] .*\n(?:.*\n)*)Server: oracle\n", r"\1"),
            *both(Replace, "alice", r"Content-Length: <fits>\n", ""),
        ),
    ),
    Difference(
        "t_grep_status in a failure route",
        "does not see the response that ended the last branch",
        "sees the final responses of all branches",
        "A script asks whether a branch ended with that code; in which order they did is chance.",
        ("codes_of_all_branches",),
        (Replace(KAMAILIO, "script", "grep 486 -1", "grep 486 1"),),
    ),
    Difference(
        "Replies without a transaction",
        "`t_reply` fails unless the script called `t_newtran`: the request stays without an answer",
        "`t_reply` makes the transaction first",
        "The script wanted to answer.",
        ("t_reply_without_a_transaction",),
        (
            *both(Replace, "script", "t_reply -?1", "t_reply"),
            Drop(SIPWRIGHT, "alice", "SIP/2.0 488"),
        ),
    ),
    Difference(
        "Asking for the transaction that the route has made",
        "a second `t_newtran` fails with -10, `t_check_trans` gives 0 and `t_precheck_trans` -1",
        "1: the request has a transaction",
        "That is what the functions are asked.",
        ("transaction_functions_in_a_request_route",),
        (
            Replace(KAMAILIO, "script", "again -10", "again 1"),
            Replace(KAMAILIO, "script", "lookup 1 check 0 precheck -1", "lookup 1 check 1 precheck 1"),
        ),
    ),
    Difference(
        "maddr",
        "sends to the host of the URI",
        "sends to its `maddr`",
        "RFC 3261 section 19.1.1, and RFC 3263 section 4: maddr takes the place of the host.",
        ("maddr_of_the_request_uri",),
        (
            Drop(SIPWRIGHT, "bob", "MESSAGE "),
            Drop(SIPWRIGHT, "alice", "SIP/2.0 200"),
            Drop(KAMAILIO, "alice", "SIP/2.0 408"),
        ),
    ),
    Difference(
        "Responses to no request",
        "forwards any response whose top Via names the server to whom the second Via names",
        "drops those whose branch it has not made, after their route has run, unless `forward.stray_responses` is `any`",
        "Strangers choose the bytes and the receiver; RFC 6026 section 7.3 wants no stray responses forwarded.",
        ("response_made_up",),
        (Drop(KAMAILIO, "alice", "SIP/2.0 202"),),
    ),
    Difference(
        "Content-Type of a body that is removed",
        "stays after `remove_body`",
        "goes with the body",
        "There is nothing left to have a type (RFC 3261 section 20.15).",
        ("remove_body",),
        (Replace(KAMAILIO, "bob", r"Content-Type: .*\n", ""),),
    ),
    Difference(
        "Scheme of a SIP URI with user=phone",
        "`$rz` is tel",
        "`$rz` is sip",
        "The URI begins with sip.",
        ("values_of_an_invite",),
        both(Replace, "", r"\$rz = '?(tel|sip)'?", "$rz"),
    ),
    Difference(
        "Malformed requests do not reach the script",
        "runs the route for a request whose CSeq has another method, and `sanity_check` refuses it",
        "answers 400 before the route runs",
        "No script has to check what no script can use.",
        ("sanity_check_answers",),
        (
            *both(Replace, "alice", r"SIP/2.0 400 .*CSeq.*\n", "SIP/2.0 400\n"),
            *both(Once, "script", "ksr_request_route|  sanity_check"),
        ),
    ),
    Difference(
        "Routes of t_continue",
        "5.6 runs the route inside of `t_continue` and gives it the message only; newer ones give it the name of the "
        "event too",
        "the route runs after that of `t_continue`, and gets the name of the event",
        "A worker runs one route at a time; newer scripts take the second argument.",
        ("resumed_twice", "suspended_then_answered", "suspended_then_relayed"),
        (Replace(SIPWRIGHT, "script", "^resumed tmx:continue", "resumed"),),
    ),
    Difference(
        "An exception in the request route",
        "logs it, and the request stays without an answer",
        "logs it and answers 500, unless the request was answered or forwarded (`script.on_error`)",
        "The caller would wait until its timer ends.",
        ("exception_in_the_request_route",),
        (Drop(SIPWRIGHT, "alice", "SIP/2.0 500"),),
    ),
    Difference(
        "A connection that is refused",
        "`t_relay` waits for the connection; it fails, and answers 477",
        "`t_relay` does not wait for the connection; the branch fails a moment later",
        "No worker waits for the network. A branch that cannot be reached counts as a 503 (RFC 3261 section 16.9), which "
        "goes back as a 500 (section 16.7 step 6).",
        ("tcp_callee_is_not_there",),
        (
            *both(Replace, "alice", r"SIP/2.0 (477|500) .*\n", "SIP/2.0 500\n"),
            *both(Replace, "script", "t_relay (True|False)", "t_relay"),
        ),
    ),
    Difference(
        "A flow that is gone",
        "`t_relay` fails, and answers 477",
        "`t_relay` returns 1, and the branch fails with 430 a moment later",
        "RFC 5626 section 5.3.1 has 430 Flow Failed for it, after which the registrar tries the next flow of the client.",
        ("a_flow_that_is_gone",),
        (
            *both(Replace, "bob", r"SIP/2.0 (477|430) .*\n", "SIP/2.0 430\n"),
            *both(Replace, "script", r"t_relay -?1$", "t_relay"),
        ),
    ),
    Difference(
        "Lines that are no header field",
        "`KSR.hdr.append` takes any text, and the message that leaves is malformed",
        "refuses text without a colon: -1",
        "The next hop would refuse the message.",
        ("arguments_that_make_no_sense",),
        (Replace(KAMAILIO, "script", "  bad 1 -1 1", "  bad -1 -1 1"),),
    ),
    Difference(
        "Dropping in the onsend route",
        "drops the first copy only: retransmissions of the request leave, and the branch waits for its timer",
        "the branch has failed; nothing of it leaves",
        "What the script dropped must not be sent a moment later.",
        ("onsend_route_drops",),
        (
            Drop(KAMAILIO, "bob", "INVITE "),
            *both(Replace, "alice", r"SIP/2.0 (408|500) .*\n", "SIP/2.0 500\n"),
            *both(Drop, "script", "ksr_request_route: ACK"),
        ),
    ),
    Difference(
        'Disarming by t_on_failure("0")',
        "`t_is_set` goes on saying that a route is armed",
        "says that none is",
        "None will run.",
        ("routes_are_armed_and_disarmed",),
        (Replace(KAMAILIO, "script", "is_set 1$", "is_set -1"),),
    ),
    Difference(
        "Weights where the first destination has none",
        "sends everything to the first destination of a set if that has no `weight`",
        "follows the weights of the others",
        "The documentation says that a destination without a weight gets no share, not that the others' are ignored.",
        ("weight_but_not_on_the_first",),
        both(Replace, "script", r"chosen sip:127.0.0.1:614[12]", "chosen"),
    ),
    Difference(
        "Marking a destination as inactive again",
        "counts it towards `ds_inactive_threshold`, as a success",
        "begins to count successes anew",
        "A failure is no sign that the destination is back.",
        ("inactive_twice",),
        both(Replace, "script", r"(inactive twice, active once:) -?1", r"\1"),
    ),
    Difference(
        "Header field Sia in HTTP responses",
        "adds `Sia: SIP/2.0/TCP address:port`, what it makes of a Via",
        "adds no such field",
        "It means nothing to HTTP and tells nobody anything.",
        HTTP_SCENARIOS,
        (Replace(KAMAILIO, "web", r"(?m)^Sia: .*\n", ""),),
    ),
    Difference(
        "Via of a request that leaves by WebSocket",
        "writes two blanks after `SIP/2.0/WS`",
        "writes one",
        "Both are the same to a parser.",
        ("phone_calls_a_websocket_client", "websocket_client_calls_a_phone"),
        (Replace(KAMAILIO, "web", r"SIP/2.0/WS  ", "SIP/2.0/WS "),),
    ),
    Difference(
        "Place of `received` in the Via of a WebSocket client",
        "writes it before the parameters that are there",
        "writes it behind them",
        "The order of parameters has no meaning.",
        ("websocket_client_calls_a_phone",),
        (Replace(KAMAILIO, "", r"(web\.invalid);received=127\.0\.0\.1(;branch=[^;\s]+)", r"\1\2;received=127.0.0.1"),),
    ),
    Difference(
        "A WebSocket connection that the script closes",
        "sends the close frame and leaves the TCP connection to the client",
        "closes the TCP connection too",
        "RFC 6455 section 7.1.1 wants the server to close it first.",
        ("websocket_request_and_close",),
        (Replace(SIPWRIGHT, "scenario", "was closed", "stays"),),
    ),
    Difference(
        "Content-Length of a 101",
        "writes `Content-Length: 0` into it",
        "writes none",
        "RFC 9110 section 8.6 forbids it in a response to which no body belongs.",
        UPGRADED,
        (Replace(KAMAILIO, "web", r"(?s)\A(HTTP/1.1 101 .*?)Content-Length: <fits>\n", r"\1"),),
    ),
    Difference(
        "HTTP responses after which the connection is closed",
        "closes without a word",
        "says `Connection: close`",
        "RFC 9112 section 9.6: a client that was not told sends its next request into the void.",
        (
            "http_reply_with_header_and_close",
            "websocket_version",
            "websocket_without_key",
            "websocket_without_sip",
            "websocket_without_upgrade",
        ),
        (Replace(SIPWRIGHT, "web", r"(?m)^Connection: close\n", ""),),
    ),
    Difference(
        "HTTP requests that the script does not answer",
        "leaves the connection open, and answers the next request as if this one had not been",
        "closes it",
        "Answers are told apart by their order alone (RFC 9112 section 9.3.2).",
        ("http_without_an_answer",),
        (Replace(SIPWRIGHT, "scenario", "was closed", "stays"),),
    ),
    Difference(
        "Errors of JSON-RPC",
        "gives 500 and `Method Not Found` as the error and as the status line of HTTP",
        "gives the code of JSON-RPC 2.0, -32601, and says which method there is none of; HTTP's status is 500 all the same",
        "Clients of JSON-RPC know those codes.",
        ("jsonrpc_that_fails",),
        (
            *both(Replace, "web", r"500 (Method Not Found|there is no method no.such)", "500 <why>"),
            *both(Replace, "web", r'"jsonrpc":\s+', '"jsonrpc": '),
            *both(Replace, "web", r'"id":\s+', '"id": '),
            *both(Replace, "web", r'(?s)"error":.*\}', '"error": <error>}'),
        ),
    ),
    Difference(
        "A contact whose q changes",
        "keeps its place among the contacts when a REGISTER gives it another q",
        "goes where its new q belongs",
        "Contacts are tried by q (RFC 3261 section 16.6).",
        ("q_changes_the_order",),
        (
            Replace(
                KAMAILIO,
                "bob",
                r"Contact: (<sip:p@192.0.2.2[^,]*), (<sip:p@192.0.2.1:5060>;q=1;.*)\n",
                r"Contact: \2, \1\n",
            ),
        ),
    ),
    Difference(
        "Flows of an instance from several Call-IDs",
        "removes the other flows of an instance when a REGISTER with another Call-ID comes from it",
        "replaces the binding of the same instance and reg-id, and leaves the others",
        "RFC 5626 section 6: a flow ends when it is replaced, removed, expired or found dead.",
        ("flows_of_one_instance",),
        (
            Replace(
                SIPWRIGHT,
                "bob",
                r"(Contact: <sip:p@192.0.2.3>.*reg-id=1), <sip:p@192.0.2.2:5060;transport=tcp>;.*\n",
                r"\1\n",
            ),
        ),
    ),
    Difference(
        "Matching by Call-ID alone",
        "with matching_mode 3 a REGISTER with a known Call-ID and another contact prolongs the old contact",
        "the new contact takes the place of the old one",
        "The client is where it says that it is.",
        ("matched_by_call_id",),
        (
            Replace(
                KAMAILIO,
                "bob",
                r"(CSeq: [2-9] REGISTER\n(?:.*\n)*?Contact: .*)<sip:p@192.0.2.1:5060>",
                r"\1<sip:p@192.0.2.2:5060;transport=tcp>",
            ),
        ),
    ),
    Difference(
        "A registrar that requires outbound",
        "with outbound_mode 2 registers a client that does not say that it supports outbound",
        "answers 421",
        "Mode 2 is to require it, and 421 says that a request needs an extension (RFC 3261 section 21.4.15).",
        ("a_registrar_that_requires_outbound",),
        (
            Drop(KAMAILIO, "bob", r"SIP/2\.0 200 "),
            Drop(SIPWRIGHT, "bob", r"SIP/2\.0 421 "),
            Replace(KAMAILIO, "script", "save 1", "save -1"),
        ),
    ),
    Difference(
        "A Path that is refused",
        "answers 420, and keeps the binding all the same",
        "keeps nothing",
        "A request that is refused changes nothing (RFC 3261 section 10.3).",
        ("a_path_that_is_refused",),
        (
            Replace(KAMAILIO, "bob", r"(SIP/2\.0 420 (?:.*\n)*?)Contact: .*\n", r"\1"),
            Replace(KAMAILIO, "bob", r"(CSeq: 2 REGISTER\n)Contact: .*\n", r"\1"),
            Replace(KAMAILIO, "script", "save 1", "save -1"),
        ),
    ),
    Difference(
        "All contacts beside another one",
        "takes a Contact of `*` and further addresses for `*` alone, and forgets all bindings; in a header field of its own "
        "it refuses the further address",
        "answers 400 to either",
        "`*` stands alone (RFC 3261 section 10.3 step 6).",
        ("all_contacts_beside_another",),
        (
            Drop(KAMAILIO, "bob", r"SIP/2\.0 200 OK\n(?:.*\n)*?CSeq: 2 "),
            Drop(SIPWRIGHT, "bob", r"SIP/2\.0 400 .*\n(?:.*\n)*?CSeq: 2 "),
            Replace(KAMAILIO, "script", "save 3", "save -1"),
        ),
    ),
)


def applied(side: str, one: Transcript, listed: tuple[Difference, ...]) -> Transcript:
    """The transcript of one side after the edits of the differences."""
    sections = dict(one.sections)
    for difference in listed:
        for edit in difference.edits:
            if edit.side == side:
                for section in [edit.section] if edit.section else list(sections):
                    sections[section] = edit.apply(sections.get(section, ()))
    return replace(one, sections=sections)


def listed_for(scenario: str) -> tuple[Difference, ...]:
    return tuple(difference for difference in DIFFERENCES if scenario in difference.scenarios)
