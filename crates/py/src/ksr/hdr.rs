//! `KSR.hdr`: header fields of the core (Kamailio's module core).

use sipwright_sip::script::hdr;

use super::{ksr_table, on_context, read};

ksr_table! { "hdr";
    /// Value of the first header field of that name.
    get(name: Str) -> Xval = |c| read(|x| hdr::get(x, c.bytes(0)).into());
    /// As `get`, but an empty str when there is none.
    gete(name: Str) -> Xval = |c| read(|x| hdr::gete(x, c.bytes(0)).into());
    /// As `get`, but `<null>` when there is none.
    getw(name: Str) -> Xval = |c| read(|x| hdr::getw(x, c.bytes(0)).into());
    /// Value of the header field at `index`; negative counts from the end.
    get_idx(name: Str, index: Int) -> Xval = |c| read(|x| hdr::get_idx(x, c.bytes(0), c.int(1)).into());
    /// As `get_idx`, but an empty str when there is none.
    gete_idx(name: Str, index: Int) -> Xval = |c| read(|x| hdr::gete_idx(x, c.bytes(0), c.int(1)).into());
    /// As `get_idx`, but `<null>` when there is none.
    getw_idx(name: Str, index: Int) -> Xval = |c| read(|x| hdr::getw_idx(x, c.bytes(0), c.int(1)).into());
    /// Whether there is a header field of that name: 1 or -1.
    is_present(name: Str) -> Int = |c| read(|x| hdr::is_present(x, c.bytes(0)).into());
    /// Adds header lines after the last header field.
    append(line: Str) -> Int = |c| on_context(c, |x| hdr::append(x, c.bytes(0)));
    /// Adds header lines before the first header field.
    insert(line: Str) -> Int = |c| on_context(c, |x| hdr::insert(x, c.bytes(0)));
    /// Adds header lines after the first header field of that name, or after the last of all.
    append_after(line: Str, name: Str) -> Int = |c| on_context(c, |x| hdr::append_after(x, c.bytes(0), c.bytes(1)));
    /// Adds header lines before the first header field of that name, or before the first of all.
    insert_before(line: Str, name: Str) -> Int = |c| {
        on_context(c, |x| hdr::insert_before(x, c.bytes(0), c.bytes(1)))
    };
    /// Removes all header fields of that name; no error when there is none.
    remove(name: Str) -> Int = |c| on_context(c, |x| hdr::remove(x, c.bytes(0)));
    /// Removes all header fields of that name, then adds header lines after the last one.
    rmappend(name: Str, line: Str) -> Int = |c| on_context(c, |x| hdr::rmappend(x, c.bytes(0), c.bytes(1)));
    /// Removes all header fields of that name, then adds header lines before the first one.
    rminsert(name: Str, line: Str) -> Int = |c| on_context(c, |x| hdr::rminsert(x, c.bytes(0), c.bytes(1)));
    /// Adds header lines to responses that this server makes.
    append_to_reply(line: Str) -> Int = |c| on_context(c, |x| hdr::append_to_reply(x, c.bytes(0)));
    /// Whether the value compares to `text`. `op`: `eq` equal, `ne` not equal, `sw` starts with, `in` contains. `mode`: `f` first, `l` last, `a` all header fields of that name.
    match_content(name: Str, op: Str, text: Str, mode: Str) -> Bool = |c| {
        on_context(c, |x| hdr::match_content(x, c.bytes(0), c.bytes(1), c.bytes(2), c.bytes(3)))
    };
}
