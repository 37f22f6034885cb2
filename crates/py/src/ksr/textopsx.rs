//! `KSR.textopsx`: more edits, iterators (Kamailio's module textopsx).

use sipwright_sip::script::textopsx;

use super::{ksr_table, on_context, read};

ksr_table! { "textopsx";
    /// Makes the edits so far part of the message that the script sees. Fails after `record_route`, whose lines depend on where the message goes.
    msg_apply_changes() -> Int = |c| on_context(c, textopsx::msg_apply_changes);
    /// Puts a whole new message in place of this one.
    msg_set_buffer(buffer: Str) -> Int = |c| on_context(c, |x| textopsx::msg_set_buffer(x, c.bytes(0)));
    /// Changes code and reason of the response that is being forwarded; a final response cannot become a provisional one.
    change_reply_status(status: Int, reason: Str) -> Int = |c| {
        on_context(c, |x| textopsx::change_reply_status(x, c.int(0), c.bytes(1)))
    };
    /// As `change_reply_status`, keeping the reason.
    change_reply_status_code(status: Int) -> Int = |c| {
        on_context(c, |x| textopsx::change_reply_status_code(x, c.int(0)))
    };
    /// Removes the body.
    remove_body() -> Int = |c| on_context(c, textopsx::remove_body);
    /// Removes all header fields that RFC 3261 does not need.
    keep_hf() -> Int = |c| on_context(c, textopsx::keep_hf);
    /// As `keep_hf`, keeping those whose name matches the regular expression too.
    keep_hf_re(pattern: Str) -> Int = |c| on_context(c, |x| textopsx::keep_hf_re(x, c.bytes(0)));
    /// Whether a text matches a shell pattern: 0 when it does, else -1.
    fnmatch(text: Str, pattern: Str) -> Int = |c| textopsx::fnmatch(c.bytes(0), c.bytes(1)).into();
    /// As `fnmatch`; with flag `i` in any case.
    fnmatch_ex(text: Str, pattern: Str, flags: Str) -> Int = |c| {
        textopsx::fnmatch_ex(c.bytes(0), c.bytes(1), c.bytes(2)).into()
    };
    /// Adds a value after the one at the index of `field`, from 1 on, 0 for the last; without an index, a new header field below all others.
    append_hf_value(field: Str, value: Str) -> Int = |c| {
        on_context(c, |x| textopsx::append_hf_value(x, c.bytes(0), c.bytes(1)))
    };
    /// Adds a value before the one at the index of `field`; without an index, a new header field above the first of that name, or below all others.
    insert_hf_value(field: Str, value: Str) -> Int = |c| {
        on_context(c, |x| textopsx::insert_hf_value(x, c.bytes(0), c.bytes(1)))
    };
    /// Removes the value at the index of `field`, the first without one, all with `[*]`; or their parameter, as in `Contact[2].expires`.
    remove_hf_value(field: Str) -> Int = |c| on_context(c, |x| textopsx::remove_hf_value(x, c.bytes(0)));
    /// Replaces the value at the index of `field`; or its parameter, which is added if need be and removed for an empty text.
    assign_hf_value(field: Str, value: Str) -> Int = |c| {
        on_context(c, |x| textopsx::assign_hf_value(x, c.bytes(0), c.bytes(1)))
    };
    /// As `remove_hf_value` for header fields with credentials, whose parameters have commas between them.
    remove_hf_value2(field: Str) -> Int = |c| on_context(c, |x| textopsx::remove_hf_value2(x, c.bytes(0)));
    /// As `assign_hf_value` for header fields with credentials, as in `Authorization.realm`.
    assign_hf_value2(field: Str, value: Str) -> Int = |c| {
        on_context(c, |x| textopsx::assign_hf_value2(x, c.bytes(0), c.bytes(1)))
    };
    /// Whether a list has that value, in any case.
    hf_value_exists(field: Str, value: Str) -> Int = |c| {
        on_context(c, |x| textopsx::hf_value_exists(x, c.bytes(0), c.bytes(1)))
    };
    /// Adds a value to a list unless it has it.
    include_hf_value(field: Str, value: Str) -> Int = |c| {
        on_context(c, |x| textopsx::include_hf_value(x, c.bytes(0), c.bytes(1)))
    };
    /// Removes a value from a list.
    exclude_hf_value(field: Str, value: Str) -> Int = |c| {
        on_context(c, |x| textopsx::exclude_hf_value(x, c.bytes(0), c.bytes(1)))
    };
    /// Begins to go through the header fields, with an iterator of that name.
    hf_iterator_start(name: Str) -> Int = |c| on_context(c, |x| textopsx::hf_iterator_start(x, c.bytes(0)));
    /// Ends an iterator: 1, or -1 when there is none.
    hf_iterator_end(name: Str) -> Int = |c| on_context(c, |x| textopsx::hf_iterator_end(x, c.bytes(0)));
    /// Goes to the next header field: 1, or -1 past the last one.
    hf_iterator_next(name: Str) -> Int = |c| on_context(c, |x| textopsx::hf_iterator_next(x, c.bytes(0)));
    /// Goes to the header field before: 1, or -1 before the first one.
    hf_iterator_prev(name: Str) -> Int = |c| on_context(c, |x| textopsx::hf_iterator_prev(x, c.bytes(0)));
    /// Name of the current header field.
    hf_iterator_hname(name: Str) -> Xval = |c| read(|x| textopsx::hf_iterator_hname(x, c.bytes(0)).into());
    /// Value of the current header field.
    hf_iterator_hbody(name: Str) -> Xval = |c| read(|x| textopsx::hf_iterator_hbody(x, c.bytes(0)).into());
    /// Removes the current header field.
    hf_iterator_rm(name: Str) -> Int = |c| on_context(c, |x| textopsx::hf_iterator_rm(x, c.bytes(0)));
    /// Adds header lines after the current header field.
    hf_iterator_append(name: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textopsx::hf_iterator_append(x, c.bytes(0), c.bytes(1)))
    };
    /// Adds header lines before the current header field.
    hf_iterator_insert(name: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textopsx::hf_iterator_insert(x, c.bytes(0), c.bytes(1)))
    };
    /// Begins to go through the lines of the body, with an iterator of that name.
    bl_iterator_start(name: Str) -> Int = |c| on_context(c, |x| textopsx::bl_iterator_start(x, c.bytes(0)));
    /// Ends an iterator: 1, or -1 when there is none.
    bl_iterator_end(name: Str) -> Int = |c| on_context(c, |x| textopsx::bl_iterator_end(x, c.bytes(0)));
    /// Goes to the next line: 1, or -1 past the last one.
    bl_iterator_next(name: Str) -> Int = |c| on_context(c, |x| textopsx::bl_iterator_next(x, c.bytes(0)));
    /// The current line with its line end.
    bl_iterator_value(name: Str) -> Xval = |c| read(|x| textopsx::bl_iterator_value(x, c.bytes(0)).into());
    /// Leaves the current line out.
    bl_iterator_rm(name: Str) -> Int = |c| on_context(c, |x| textopsx::bl_iterator_rm(x, c.bytes(0)));
    /// Adds text after the current line.
    bl_iterator_append(name: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textopsx::bl_iterator_append(x, c.bytes(0), c.bytes(1)))
    };
    /// Adds text before the current line.
    bl_iterator_insert(name: Str, text: Str) -> Int = |c| {
        on_context(c, |x| textopsx::bl_iterator_insert(x, c.bytes(0), c.bytes(1)))
    };
}
