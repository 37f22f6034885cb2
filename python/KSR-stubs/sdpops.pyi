# Written by `python -m sipwright.kemi.stubs`.
"""KSR.sdpops: functions of Kamailio's module."""


def keep_codecs_by_id(payloads: str, kind: str, /) -> int:
    """Leaves only these payload types in the media of a kind, in all for an empty one: 0, as in Kamailio, or -1."""

def keep_codecs_by_name(names: str, kind: str, /) -> int:
    """The same by names of codecs; -1 also when the body has none of them."""

def remove_codecs_by_id(payloads: str, kind: str, /) -> int:
    """Removes these payload types from the media of a kind, from all for an empty one: 0, as in Kamailio, or -1."""

def remove_codecs_by_name(names: str, kind: str, /) -> int:
    """The same by names of codecs; -1 also when the body has none of them."""

def remove_line_by_prefix(prefix: str, kind: str, /) -> int:
    """Removes the lines that begin so, in the media of a kind or everywhere: how many, or -1 without SDP."""

def remove_media(kind: str, /) -> int:
    """Removes the media descriptions of a kind: how many, or -1 without SDP."""

def sdp_content() -> int:
    """Whether the message has SDP: 1 or -1."""

def sdp_content_flags(flags: int, /) -> int:
    """The same; with 1, the body counts also if its type is not said: 1 or -1."""

def sdp_get(variable: str, /) -> int:
    """Writes the SDP into a variable: 1 or -1."""

def sdp_get_address_family() -> int:
    """4 or 6, as the first connection line (`c=`) says; -1 when there is none."""

def sdp_get_line_startswith(variable: str, prefix: str, /) -> int:
    """Writes the first line that begins so into a variable: 1 or -1."""

def sdp_iterator_append(name: str, text: str, /) -> int:
    """Puts text, lines with their ends, after the line that the iterator is at: 1, or -1 when it is at none."""

def sdp_iterator_end(name: str, /) -> int:
    """Ends an iterator: 1, or -1 when there is none."""

def sdp_iterator_insert(name: str, text: str, /) -> int:
    """Puts text, lines with their ends, before the line that the iterator is at: 1, or -1 when it is at none."""

def sdp_iterator_next(name: str, /) -> int:
    """Goes to the next line: 1, or -1 after the last."""

def sdp_iterator_rm(name: str, /) -> int:
    """Leaves the line that the iterator is at out of the body: 1, or -1 when it is at none."""

def sdp_iterator_start(name: str, /) -> int:
    """Begins to go through the lines of the SDP: 1, or -1 without one."""

def sdp_iterator_value(name: str, /) -> str | None:
    """The line that the iterator is at, or None."""

def sdp_print(level: int, /) -> int:
    """Logs the SDP at that level: 1 or -1."""

def sdp_transport(variable: str, /) -> int:
    """Writes the transport of the first media into a variable: 1, or -1 when there are none."""

def sdp_with_active_media(kind: str, /) -> int:
    """Whether there are media of a kind with a port and not inactive: 1, 0 for none, -1 without SDP."""

def sdp_with_codecs_by_id(payloads: str, /) -> int:
    """Whether one of these payload types is offered (`0,8`): how many media descriptions there are, 0 for no, -1 without SDP."""

def sdp_with_codecs_by_name(names: str, /) -> int:
    """The same for names of codecs (`PCMU,opus`); -1 for no."""

def sdp_with_ice() -> int:
    """Whether there are ICE candidates: 1 or -1."""

def sdp_with_media(kind: str, /) -> int:
    """Whether there are media of a kind: 1, 0 for none, -1 without SDP."""

def sdp_with_transport(transport: str, /) -> int:
    """Whether media have that transport, such as RTP/AVP: 1 or -1."""

def sdp_with_transport_like(part: str, /) -> int:
    """Whether media have a transport with that text in it: 1 or -1."""
