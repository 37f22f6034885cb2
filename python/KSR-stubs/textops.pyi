# Written by `python -m sipwright.kemi.stubs`.
"""KSR.textops: functions of Kamailio's module."""


def append_body_part(text: str, media: str, /) -> int:
    """Adds a part to a body of several parts; header lines may follow the media type."""

def append_body_part_cd(text: str, media: str, disposition: str, /) -> int:
    """As `append_body_part` with a Content-Disposition."""

def append_body_part_hex(digits: str, media: str, /) -> int:
    """As `append_body_part`, with the content as pairs of hexadecimal digits."""

def append_body_part_hex_cd(digits: str, media: str, disposition: str, /) -> int:
    """As `append_body_part_hex` with a Content-Disposition."""

def cmp_istr(a: str, b: str, /) -> int:
    """Whether two texts are equal in any case: 1 or -1."""

def cmp_str(a: str, b: str, /) -> int:
    """Whether two texts are equal: 1 or -1."""

def ends_with(text: str, suffix: str, /) -> int:
    """Whether a text ends with another: 1, or -2 as in Kamailio."""

def filter_body(media: str, /) -> int:
    """Makes the content of the first part of that media type the body; the script sets Content-Type."""

def get_body_part(media: str, target: str, /) -> int:
    """Puts the content of the first part of that media type, from the empty line before it on, into the variable that `target` names; of a body that is not of several parts all of it."""

def get_body_part_raw(media: str, target: str, /) -> int:
    """As `get_body_part`, with the part's header lines and the boundary behind it."""

def has_body() -> int:
    """Whether the message has a body: 1 or -1."""

def has_body_type(media: str, /) -> int:
    """Whether there is a body of that media type, without regard to case and parameters."""

def in_list(text: str, list: str, separator: str, /) -> int:
    """Whether a text is one of a list's."""

def in_list_prefix(text: str, list: str, separator: str, /) -> int:
    """Whether a text begins with one of a list's."""

def is_audio_on_hold() -> int:
    """Whether the SDP holds an audio stream: `sendonly`, `inactive`, or address 0.0.0.0 (RFC 3264 section 8.4)."""

def is_present_hf(name: str, /) -> int:
    """Whether there is a header field of that name: 1 or -1."""

def is_present_hf_re(pattern: str, /) -> int:
    """Whether the name of a header field matches the regular expression."""

def is_privacy(service: str, /) -> int:
    """Whether Privacy names that service (RFC 3323)."""

def regex_substring(text: str, pattern: str, index: int, count: int, target: str, /) -> int:
    """Puts group `index` of the first match, 0 for all of it, into the variable that `target` names; -2 when the text does not match, -1 when the group is none of the first `count`."""

def remove_body_part(media: str, /) -> int:
    """Leaves out the first part of that media type."""

def remove_hf(name: str, /) -> int:
    """Removes all header fields of that name; no error when there is none."""

def remove_hf_exp(remove: str, keep: str, /) -> int:
    """Removes header fields whose name matches `remove` but not `keep`."""

def remove_hf_idx(name: str, index: int, /) -> int:
    """Removes the header field at `index` of those of that name; negative counts from the end."""

def remove_hf_match(name: str, op: str, text: str, /) -> int:
    """Removes header fields of that name whose value compares to `text` by `op` (`eq`, `ne`, `sw`, `in`, `re`)."""

def remove_hf_re(pattern: str, /) -> int:
    """Removes all header fields whose name matches the regular expression; -1 when none does."""

def replace(pattern: str, text: str, /) -> int:
    """Replaces the first match of the regular expression after the first line."""

def replace_all(pattern: str, text: str, /) -> int:
    """Replaces every match of the regular expression in header fields and in the body."""

def replace_body(pattern: str, text: str, /) -> int:
    """Replaces the first match of the regular expression in the body."""

def replace_body_all(pattern: str, text: str, /) -> int:
    """As `replace_body_atonce`."""

def replace_body_atonce(pattern: str, text: str, /) -> int:
    """Replaces every match of the regular expression in the body."""

def replace_body_str(find: str, text: str, mode: str, /) -> int:
    """As `replace_body` with a plain text; mode `a` for all."""

def replace_hdrs(pattern: str, text: str, /) -> int:
    """Replaces every match of the regular expression in the header fields."""

def replace_hdrs_str(find: str, text: str, mode: str, /) -> int:
    """As `replace_hdrs` with a plain text; mode `a` for all, otherwise the first."""

def replace_str(find: str, text: str, mode: str, /) -> int:
    """As `replace` with a plain text; mode `a` for all."""

def search(pattern: str, /) -> int:
    """Whether the regular expression matches anywhere in the message."""

def search_append(pattern: str, text: str, /) -> int:
    """Puts text after the first match of the regular expression in the message."""

def search_append_body(pattern: str, text: str, /) -> int:
    """Puts text after the first match of the regular expression in the body."""

def search_body(pattern: str, /) -> int:
    """Whether the regular expression matches in the body."""

def search_hf(name: str, pattern: str, flags: str, /) -> int:
    """Whether the regular expression matches in values of header fields of that name; `flags`: `f` the first, `l` the last, otherwise any."""

def search_str(text: str, pattern: str, /) -> int:
    """Whether the regular expression matches in a text of the script."""

def set_body(body: str, media: str, /) -> int:
    """Sets a new body with its media type."""

def set_body_hex(digits: str, media: str, /) -> int:
    """Sets a new body, from pairs of hexadecimal digits, with its media type."""

def set_body_multipart(text: str, media: str, boundary: str, /) -> int:
    """Makes the body one of several parts (RFC 2046 section 5.1), of which the text is the first; an empty boundary stands for `unique-boundary-1`."""

def set_body_multipart_boundary(boundary: str, /) -> int:
    """As `set_body_multipart_mode` with that boundary."""

def set_body_multipart_content(text: str, media: str, /) -> int:
    """As `set_body_multipart` with the boundary `unique-boundary-1`; -1 for an empty text."""

def set_body_multipart_mode() -> int:
    """As `set_body_multipart`, with the body that there is as the first part."""

def set_reply_body(body: str, media: str, /) -> int:
    """Sets the body of responses that this server makes."""

def set_reply_body_hex(digits: str, media: str, /) -> int:
    """Sets the body of responses that this server makes, from pairs of hexadecimal digits."""

def starts_with(text: str, prefix: str, /) -> int:
    """Whether a text begins with another: 1, or -2 as in Kamailio."""

def str_all_in(text: str, set: str, /) -> int:
    """Whether all bytes of the text are of `set`."""

def str_any_in(text: str, set: str, /) -> int:
    """Whether any byte of `set` is in the text."""

def str_find(text: str, what: str, /) -> int:
    """One past where a text is in another, or -1."""

def str_ifind(text: str, what: str, /) -> int:
    """As `str_find`, in any case."""

def subst(expression: str, /) -> int:
    """Applies `/re/text/flags` to the header fields."""

def subst_body(expression: str, /) -> int:
    """Applies `/re/text/flags` to the body."""

def subst_hf(name: str, expression: str, flags: str, /) -> int:
    """Applies `/re/text/flags` to values of header fields of that name; `flags`: `a` all, `f` the first, `l` the last."""

def subst_uri(expression: str, /) -> int:
    """Applies `/re/text/flags` to the request-URI in force."""

def subst_user(expression: str, /) -> int:
    """Applies `/re/text/flags` to the user of the request-URI in force."""

def subst_v(text: str, expression: str, target: str, /) -> int:
    """Applies `/re/text/flags` to a text and puts the result into the variable that `target` names; -1 when nothing matches."""
