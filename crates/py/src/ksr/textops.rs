//! `KSR.textops`: edits of header fields and body (Kamailio's module textops).

use sipwright_sip::script::textops;

use super::{ksr_table, on_context, read};

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
