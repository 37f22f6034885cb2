# Written by `python -m sipwright.kemi.stubs`.
"""KSR.textopsx: functions of Kamailio's module."""


def append_hf_value(field: str, value: str, /) -> int:
    """Adds a value after the one at the index of `field`, from 1 on, 0 for the last; without an index, a new header field below all others."""

def assign_hf_value(field: str, value: str, /) -> int:
    """Replaces the value at the index of `field`; or its parameter, which is added if need be and removed for an empty text."""

def assign_hf_value2(field: str, value: str, /) -> int:
    """As `assign_hf_value` for header fields with credentials, as in `Authorization.realm`."""

def bl_iterator_append(name: str, text: str, /) -> int:
    """Adds text after the current line."""

def bl_iterator_end(name: str, /) -> int:
    """Ends an iterator: 1, or -1 when there is none."""

def bl_iterator_insert(name: str, text: str, /) -> int:
    """Adds text before the current line."""

def bl_iterator_next(name: str, /) -> int:
    """Goes to the next line: 1, or -1 past the last one."""

def bl_iterator_rm(name: str, /) -> int:
    """Leaves the current line out."""

def bl_iterator_start(name: str, /) -> int:
    """Begins to go through the lines of the body, with an iterator of that name."""

def bl_iterator_value(name: str, /) -> str | int | None:
    """The current line with its line end."""

def change_reply_status(status: int, reason: str, /) -> int:
    """Changes code and reason of the response that is being forwarded; a final response cannot become a provisional one."""

def change_reply_status_code(status: int, /) -> int:
    """As `change_reply_status`, keeping the reason."""

def exclude_hf_value(field: str, value: str, /) -> int:
    """Removes a value from a list."""

def fnmatch(text: str, pattern: str, /) -> int:
    """Whether a text matches a shell pattern: 0 when it does, else -1."""

def fnmatch_ex(text: str, pattern: str, flags: str, /) -> int:
    """As `fnmatch`; with flag `i` in any case."""

def hf_iterator_append(name: str, text: str, /) -> int:
    """Adds header lines after the current header field."""

def hf_iterator_end(name: str, /) -> int:
    """Ends an iterator: 1, or -1 when there is none."""

def hf_iterator_hbody(name: str, /) -> str | int | None:
    """Value of the current header field."""

def hf_iterator_hname(name: str, /) -> str | int | None:
    """Name of the current header field."""

def hf_iterator_insert(name: str, text: str, /) -> int:
    """Adds header lines before the current header field."""

def hf_iterator_next(name: str, /) -> int:
    """Goes to the next header field: 1, or -1 past the last one."""

def hf_iterator_prev(name: str, /) -> int:
    """Goes to the header field before: 1, or -1 before the first one."""

def hf_iterator_rm(name: str, /) -> int:
    """Removes the current header field."""

def hf_iterator_start(name: str, /) -> int:
    """Begins to go through the header fields, with an iterator of that name."""

def hf_value_exists(field: str, value: str, /) -> int:
    """Whether a list has that value, in any case."""

def include_hf_value(field: str, value: str, /) -> int:
    """Adds a value to a list unless it has it."""

def insert_hf_value(field: str, value: str, /) -> int:
    """Adds a value before the one at the index of `field`; without an index, a new header field above the first of that name, or below all others."""

def keep_hf() -> int:
    """Removes all header fields that RFC 3261 does not need."""

def keep_hf_re(pattern: str, /) -> int:
    """As `keep_hf`, keeping those whose name matches the regular expression too."""

def msg_apply_changes() -> int:
    """Makes the edits so far part of the message that the script sees. Fails after `record_route`, whose lines depend on where the message goes."""

def msg_set_buffer(buffer: str, /) -> int:
    """Puts a whole new message in place of this one."""

def remove_body() -> int:
    """Removes the body."""

def remove_hf_value(field: str, /) -> int:
    """Removes the value at the index of `field`, the first without one, all with `[*]`; or their parameter, as in `Contact[2].expires`."""

def remove_hf_value2(field: str, /) -> int:
    """As `remove_hf_value` for header fields with credentials, whose parameters have commas between them."""
