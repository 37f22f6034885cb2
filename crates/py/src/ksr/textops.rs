//! `KSR.textops`: edits of header fields and body (Kamailio's module textops).

use sipwright_sip::script::textops;

use super::{Out, ksr_table, on_context, read};

ksr_table! { "textops";
    /// Removes all header fields of that name; no error when there is none.
    remove_hf(name: Str) -> Int = |c| on_context(c, |x| textops::remove_hf(x, c.bytes(0)));
    /// Removes the header field at `index` of those of that name; negative counts from the end.
    remove_hf_idx(name: Str, index: Int) -> Int = |c| {
        on_context(c, |x| textops::remove_hf_idx(x, c.bytes(0), c.int(1)))
    };
    /// Removes all header fields whose name matches the regular expression; -1 when none does.
    remove_hf_re(pattern: Str) -> Int = |c| on_context(c, |x| textops::remove_hf_re(x, c.bytes(0)));
    /// Removes header fields whose name matches `remove` but not `keep`.
    remove_hf_exp(remove: Str, keep: Str) -> Int = |c| {
        on_context(c, |x| textops::remove_hf_exp(x, c.bytes(0), c.bytes(1)))
    };
    /// Removes header fields of that name whose value compares to `text` by `op` (`eq`, `ne`, `sw`, `in`, `re`).
    remove_hf_match(name: Str, op: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textops::remove_hf_match(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// Whether there is a header field of that name: 1 or -1.
    is_present_hf(name: Str) -> Int = |c| read(|x| textops::is_present_hf(x, c.bytes(0)).into());
    /// Whether the name of a header field matches the regular expression.
    is_present_hf_re(pattern: Str) -> Int = |c| on_context(c, |x| textops::is_present_hf_re(x, c.bytes(0)));
    /// Whether the message has a body: 1 or -1.
    has_body() -> Int = |_| read(|x| textops::has_body(x).into());
    /// Whether there is a body of that media type, without regard to case and parameters.
    has_body_type(media: Str) -> Int = |c| read(|x| textops::has_body_type(x, c.bytes(0)).into());
    /// Whether the regular expression matches anywhere in the message.
    search(pattern: Str) -> Int = |c| on_context(c, |x| textops::search(x, c.bytes(0)));
    /// Whether the regular expression matches in a text of the script.
    search_str(text: Str, pattern: Str) -> Int = |c| {
        on_context(c, |x| textops::search_str(x, c.bytes(0), c.bytes(1)))
    };
    /// Whether the regular expression matches in the body.
    search_body(pattern: Str) -> Int = |c| on_context(c, |x| textops::search_body(x, c.bytes(0)));
    /// Whether the regular expression matches in values of header fields of that name; `flags`: `f` the first, `l` the last, otherwise any.
    search_hf(name: Str, pattern: Str, flags: Str) -> Int = |c| {
        on_context(c, |x| textops::search_hf(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// Replaces the first match of the regular expression after the first line.
    replace(pattern: Str, text: Str) -> Int = |c| on_context(c, |x| textops::replace(x, c.bytes(0), c.bytes(1)));
    /// Replaces every match of the regular expression in header fields and in the body.
    replace_all(pattern: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textops::replace_all(x, c.bytes(0), c.bytes(1)))
    };
    /// Replaces every match of the regular expression in the header fields.
    replace_hdrs(pattern: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textops::replace_hdrs(x, c.bytes(0), c.bytes(1)))
    };
    /// Replaces the first match of the regular expression in the body.
    replace_body(pattern: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textops::replace_body(x, c.bytes(0), c.bytes(1)))
    };
    /// Replaces every match of the regular expression in the body.
    replace_body_atonce(pattern: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textops::replace_body_all(x, c.bytes(0), c.bytes(1)))
    };
    /// As `replace_body_atonce`.
    replace_body_all(pattern: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textops::replace_body_all(x, c.bytes(0), c.bytes(1)))
    };
    /// As `replace` with a plain text; mode `a` for all.
    replace_str(find: Str, text: Str, mode: Str) -> Int = |c| {
        on_context(c, |x| textops::replace_str(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// As `replace_hdrs` with a plain text; mode `a` for all, otherwise the first.
    replace_hdrs_str(find: Str, text: Str, mode: Str) -> Int = |c| {
        on_context(c, |x| textops::replace_hdrs_str(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// As `replace_body` with a plain text; mode `a` for all.
    replace_body_str(find: Str, text: Str, mode: Str) -> Int = |c| {
        on_context(c, |x| textops::replace_body_str(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// Puts text after the first match of the regular expression in the message.
    search_append(pattern: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textops::search_append(x, c.bytes(0), c.bytes(1)))
    };
    /// Puts text after the first match of the regular expression in the body.
    search_append_body(pattern: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textops::search_append_body(x, c.bytes(0), c.bytes(1)))
    };
    /// Applies `/re/text/flags` to the header fields.
    subst(expression: Str) -> Int = |c| on_context(c, |x| textops::subst(x, c.bytes(0)));
    /// Applies `/re/text/flags` to the body.
    subst_body(expression: Str) -> Int = |c| on_context(c, |x| textops::subst_body(x, c.bytes(0)));
    /// Applies `/re/text/flags` to values of header fields of that name; `flags`: `a` all, `f` the first, `l` the last.
    subst_hf(name: Str, expression: Str, flags: Str) -> Int = |c| {
        on_context(c, |x| textops::subst_hf(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// Applies `/re/text/flags` to the request-URI in force.
    subst_uri(expression: Str) -> Int = |c| on_context(c, |x| textops::subst_uri(x, c.bytes(0)));
    /// Applies `/re/text/flags` to the user of the request-URI in force.
    subst_user(expression: Str) -> Int = |c| on_context(c, |x| textops::subst_user(x, c.bytes(0)));
    /// Applies `/re/text/flags` to a text and puts the result into the variable that `target` names; -1 when nothing matches.
    subst_v(text: Str, expression: Str, target: Str) -> Int = |c| {
        on_context(c, |x| textops::subst_v(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// Puts group `index` of the first match, 0 for all of it, into the variable that `target` names; -2 when the text does not match, -1 when the group is none of the first `count`.
    regex_substring(text: Str, pattern: Str, index: Int, count: Int, target: Str) -> Int = |c| {
        on_context(c, |x| textops::regex_substring(x, c.bytes(0), c.bytes(1), (c.int(2), c.int(3)), c.bytes(4)))
    };
    /// Makes the body one of several parts (RFC 2046 section 5.1), of which the text is the first; an empty boundary stands for `unique-boundary-1`.
    set_body_multipart(text: Str, media: Str, boundary: Str) -> Int = |c| {
        on_context(c, |x| textops::set_body_multipart(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// As `set_body_multipart`, with the body that there is as the first part.
    set_body_multipart_mode() -> Int = |c| on_context(c, |x| textops::set_body_multipart(x, b"", b"", b""));
    /// As `set_body_multipart_mode` with that boundary.
    set_body_multipart_boundary(boundary: Str) -> Int = |c| {
        on_context(c, |x| textops::set_body_multipart(x, b"", b"", c.bytes(0)))
    };
    /// As `set_body_multipart` with the boundary `unique-boundary-1`; -1 for an empty text.
    set_body_multipart_content(text: Str, media: Str) -> Int = |c| match c.bytes(0) {
        b"" => Out::Int(-1),
        text => on_context(c, |x| textops::set_body_multipart(x, text, c.bytes(1), b"")),
    };
    /// Adds a part to a body of several parts; header lines may follow the media type.
    append_body_part(text: Str, media: Str) -> Int = |c| {
        on_context(c, |x| textops::append_body_part(x, c.bytes(0), c.bytes(1), b""))
    };
    /// As `append_body_part` with a Content-Disposition.
    append_body_part_cd(text: Str, media: Str, disposition: Str) -> Int = |c| {
        on_context(c, |x| textops::append_body_part(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// As `append_body_part`, with the content as pairs of hexadecimal digits.
    append_body_part_hex(digits: Str, media: Str) -> Int = |c| {
        on_context(c, |x| textops::append_body_part_hex(x, c.bytes(0), c.bytes(1), b""))
    };
    /// As `append_body_part_hex` with a Content-Disposition.
    append_body_part_hex_cd(digits: Str, media: Str, disposition: Str) -> Int = |c| {
        on_context(c, |x| textops::append_body_part_hex(x, c.bytes(0), c.bytes(1), c.bytes(2)))
    };
    /// Puts the content of the first part of that media type, from the empty line before it on, into the variable that `target` names; of a body that is not of several parts all of it.
    get_body_part(media: Str, target: Str) -> Int = |c| {
        on_context(c, |x| textops::get_body_part(x, c.bytes(0), c.bytes(1)))
    };
    /// As `get_body_part`, with the part's header lines and the boundary behind it.
    get_body_part_raw(media: Str, target: Str) -> Int = |c| {
        on_context(c, |x| textops::get_body_part_raw(x, c.bytes(0), c.bytes(1)))
    };
    /// Leaves out the first part of that media type.
    remove_body_part(media: Str) -> Int = |c| on_context(c, |x| textops::remove_body_part(x, c.bytes(0)));
    /// Makes the content of the first part of that media type the body; the script sets Content-Type.
    filter_body(media: Str) -> Int = |c| on_context(c, |x| textops::filter_body(x, c.bytes(0)));
    /// Sets a new body, from pairs of hexadecimal digits, with its media type.
    set_body_hex(digits: Str, media: Str) -> Int = |c| {
        on_context(c, |x| textops::set_body_hex(x, c.bytes(0), c.bytes(1)))
    };
    /// Sets the body of responses that this server makes, from pairs of hexadecimal digits.
    set_reply_body_hex(digits: Str, media: Str) -> Int = |c| {
        on_context(c, |x| textops::set_reply_body_hex(x, c.bytes(0), c.bytes(1)))
    };
    /// Sets a new body with its media type.
    set_body(body: Str, media: Str) -> Int = |c| on_context(c, |x| textops::set_body(x, c.bytes(0), c.bytes(1)));
    /// Sets the body of responses that this server makes.
    set_reply_body(body: Str, media: Str) -> Int = |c| {
        on_context(c, |x| textops::set_reply_body(x, c.bytes(0), c.bytes(1)))
    };
    /// Whether Privacy names that service (RFC 3323).
    is_privacy(service: Str) -> Int = |c| read(|x| textops::is_privacy(x, c.bytes(0)).into());
    /// Whether the SDP holds an audio stream: `sendonly`, `inactive`, or address 0.0.0.0 (RFC 3264 section 8.4).
    is_audio_on_hold() -> Int = |_| read(|x| textops::is_audio_on_hold(x).into());
    /// Whether two texts are equal: 1 or -1.
    cmp_str(a: Str, b: Str) -> Int = |c| textops::cmp_str(c.bytes(0), c.bytes(1)).into();
    /// Whether two texts are equal in any case: 1 or -1.
    cmp_istr(a: Str, b: Str) -> Int = |c| textops::cmp_istr(c.bytes(0), c.bytes(1)).into();
    /// Whether a text begins with another: 1, or -2 as in Kamailio.
    starts_with(text: Str, prefix: Str) -> Int = |c| textops::starts_with(c.bytes(0), c.bytes(1)).into();
    /// Whether a text ends with another: 1, or -2 as in Kamailio.
    ends_with(text: Str, suffix: Str) -> Int = |c| textops::ends_with(c.bytes(0), c.bytes(1)).into();
    /// Whether a text is one of a list's.
    in_list(text: Str, list: Str, separator: Str) -> Int = |c| {
        textops::in_list(c.bytes(0), c.bytes(1), c.bytes(2)).into()
    };
    /// Whether a text begins with one of a list's.
    in_list_prefix(text: Str, list: Str, separator: Str) -> Int = |c| {
        textops::in_list_prefix(c.bytes(0), c.bytes(1), c.bytes(2)).into()
    };
    /// One past where a text is in another, or -1.
    str_find(text: Str, what: Str) -> Int = |c| textops::str_find(c.bytes(0), c.bytes(1)).into();
    /// As `str_find`, in any case.
    str_ifind(text: Str, what: Str) -> Int = |c| textops::str_ifind(c.bytes(0), c.bytes(1)).into();
    /// Whether any byte of `set` is in the text.
    str_any_in(text: Str, set: Str) -> Int = |c| textops::str_any_in(c.bytes(0), c.bytes(1)).into();
    /// Whether all bytes of the text are of `set`.
    str_all_in(text: Str, set: Str) -> Int = |c| textops::str_all_in(c.bytes(0), c.bytes(1)).into();
}
