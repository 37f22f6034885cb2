# Written by `python -m sipwright.kemi.stubs`.
"""KSR.rtpengine: functions of Kamailio's module."""


def block_dtmf(flags: str, /) -> int:
    """Keeps DTMF events from passing: 1, or -1."""

def block_dtmf0() -> int:
    """As `block_dtmf`, without flags."""

def block_dtmf2(flags: str, via_branch: str, /) -> int:
    """As `block_dtmf`, for the branch `via_branch` of the call."""

def block_media(flags: str, /) -> int:
    """Keeps media from passing: 1, or -1."""

def block_media0() -> int:
    """As `block_media`, without flags."""

def block_media2(flags: str, via_branch: str, /) -> int:
    """As `block_media`, for the branch `via_branch` of the call."""

def play_dtmf(flags: str, /) -> int:
    """Sends a DTMF event (`code=5`) to the side that the flags name: 1, or -1."""

def play_media(flags: str, /) -> int:
    """Plays a file (`file=path`, `blob=...`, `db-id=...`) to the side that the flags name: 1, or -1."""

def play_media2(flags: str, via_branch: str, /) -> int:
    """As `play_media`, for the branch `via_branch` of the call."""

def rtpengine_answer(flags: str, /) -> int:
    """Sends the media of an answer through the instance of its offer and replaces the description: 1, or -1."""

def rtpengine_answer0() -> int:
    """As `rtpengine_answer`, without flags."""

def rtpengine_answer2(flags: str, via_branch: str, /) -> int:
    """As `rtpengine_answer`, for the branch `via_branch` of the call."""

def rtpengine_connect(flags: str, /) -> int:
    """Connects the media of two calls, those of this one and of the `to-tag` or `to-call-id` of the flags: 1, or -1."""

def rtpengine_connect0() -> int:
    """As `rtpengine_connect`, without flags."""

def rtpengine_connect2(flags: str, via_branch: str, /) -> int:
    """As `rtpengine_connect`, for the branch `via_branch` of the call."""

def rtpengine_delete(flags: str, /) -> int:
    """Ends the media session of the call: 1, or -1."""

def rtpengine_delete0() -> int:
    """As `rtpengine_delete`, without flags."""

def rtpengine_delete2(flags: str, via_branch: str, /) -> int:
    """As `rtpengine_delete`, for the branch `via_branch` of the call."""

def rtpengine_manage(flags: str, /) -> int:
    """Does what the message asks for: offers, answers, or ends the session: 1, or -1."""

def rtpengine_manage0() -> int:
    """As `rtpengine_manage`, without flags."""

def rtpengine_manage2(flags: str, via_branch: str, /) -> int:
    """As `rtpengine_manage`, for the branch `via_branch` of the call."""

def rtpengine_offer(flags: str, /) -> int:
    """Sends the media of an offer through rtpengine and replaces the description: 1, or -1."""

def rtpengine_offer0() -> int:
    """As `rtpengine_offer`, without flags."""

def rtpengine_offer2(flags: str, via_branch: str, /) -> int:
    """As `rtpengine_offer`, for the branch `via_branch` of the call."""

def rtpengine_query(flags: str, /) -> int:
    """Asks for statistics of the call and sets the variables of `mos_*_pv`: 1, or -1."""

def rtpengine_query0() -> int:
    """As `rtpengine_query`, without flags."""

def rtpengine_query2(flags: str, via_branch: str, /) -> int:
    """As `rtpengine_query`, for the branch `via_branch` of the call."""

def rtpengine_query_v(format: str, variable: str, /) -> int:
    """Puts the statistics of the call into a variable, as JSON (`j`) or as words (`r`): 1, or -1."""

def rtpengine_subscribe_answer(flags: str, /) -> int:
    """Sends the answer to the description of `rtpengine_subscribe_request`; the body holds it: 1, or -1."""

def rtpengine_subscribe_request(flags: str, sdp_pv: str, to_tag_pv: str, streams_pv: str, /) -> int:
    """Begins to listen to a call: variables get the description, the tag of the new side, and its streams as JSON: 1, or -1."""

def rtpengine_unsubscribe(flags: str, /) -> int:
    """Ends what `rtpengine_subscribe_request` began; the flags name its `to-tag`: 1, or -1."""

def set_rtpengine_set(set: int, /) -> int:
    """Chooses the set of instances for this call: 1; -1 when there is no such set."""

def set_rtpengine_set2(set: int, other: int, /) -> int:
    """Chooses a set, and another one for when it has no instance that serves: 1; -1 when there is no such set."""

def silence_media(flags: str, /) -> int:
    """Replaces media by silence: 1, or -1."""

def silence_media0() -> int:
    """As `silence_media`, without flags."""

def silence_media2(flags: str, via_branch: str, /) -> int:
    """As `silence_media`, for the branch `via_branch` of the call."""

def start_forwarding(flags: str, /) -> int:
    """Begins to send copies of the media to the recording daemon: 1, or -1."""

def start_forwarding0() -> int:
    """As `start_forwarding`, without flags."""

def start_forwarding2(flags: str, via_branch: str, /) -> int:
    """As `start_forwarding`, for the branch `via_branch` of the call."""

def start_recording() -> int:
    """Begins to record the call: 1, or -1."""

def stop_forwarding(flags: str, /) -> int:
    """Ends `start_forwarding`: 1, or -1."""

def stop_forwarding0() -> int:
    """As `stop_forwarding`, without flags."""

def stop_forwarding2(flags: str, via_branch: str, /) -> int:
    """As `stop_forwarding`, for the branch `via_branch` of the call."""

def stop_media(flags: str, /) -> int:
    """Ends `play_media`: 1, or -1."""

def stop_media0() -> int:
    """As `stop_media`, without flags."""

def stop_media2(flags: str, via_branch: str, /) -> int:
    """As `stop_media`, for the branch `via_branch` of the call."""

def stop_recording() -> int:
    """Ends the recording of the call: 1, or -1."""

def unblock_dtmf(flags: str, /) -> int:
    """Lets DTMF events pass again: 1, or -1."""

def unblock_dtmf0() -> int:
    """As `unblock_dtmf`, without flags."""

def unblock_dtmf2(flags: str, via_branch: str, /) -> int:
    """As `unblock_dtmf`, for the branch `via_branch` of the call."""

def unblock_media(flags: str, /) -> int:
    """Lets media pass again: 1, or -1."""

def unblock_media0() -> int:
    """As `unblock_media`, without flags."""

def unblock_media2(flags: str, via_branch: str, /) -> int:
    """As `unblock_media`, for the branch `via_branch` of the call."""

def unsilence_media(flags: str, /) -> int:
    """Ends `silence_media`: 1, or -1."""

def unsilence_media0() -> int:
    """As `unsilence_media`, without flags."""

def unsilence_media2(flags: str, via_branch: str, /) -> int:
    """As `unsilence_media`, for the branch `via_branch` of the call."""
