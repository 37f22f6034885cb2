//! `KSR.pvx`: variables by name (Kamailio's module pvx).

use sipwright_sip::script::Value;
use sipwright_sip::script::pvx;

use super::{ksr_table, on_context, read};

ksr_table! { "pvx";
    /// The value of `$var(name)`, 0 when it was never set.
    var_get(name: Str) -> Xval = |c| read(|x| pvx::var_get(x, c.bytes(0)).into());
    /// The newest value of an AVP, None when it has none.
    avp_get(name: Str) -> Xval = |c| read(|x| pvx::avp_get(x, c.bytes(0)).into());
    /// Removes all values of an AVP.
    avp_rm(name: Str) -> Int = |c| on_context(c, |x| pvx::avp_rm(x, c.bytes(0)));
    /// Whether an AVP has no value: 1 or -1.
    avp_is_null(name: Str) -> Int = |c| read(|x| pvx::avp_is_null(x, c.bytes(0)).into());
    /// Sets `$var(name)` to a str.
    var_sets(name: Str, value: Str) -> Int = |c| {
        on_context(c, |x| pvx::var_set(x, c.bytes(0), Value::borrowed(c.bytes(1))))
    };
    /// Sets `$var(name)` to an int.
    var_seti(name: Str, value: Int) -> Int = |c| on_context(c, |x| pvx::var_set(x, c.bytes(0), Value::Int(c.int(1))));
    /// Adds a str to `$avp(name)`.
    avp_sets(name: Str, value: Str) -> Int = |c| {
        on_context(c, |x| pvx::avp_set(x, c.bytes(0), Value::borrowed(c.bytes(1))))
    };
    /// Adds an int to `$avp(name)`.
    avp_seti(name: Str, value: Int) -> Int = |c| on_context(c, |x| pvx::avp_set(x, c.bytes(0), Value::Int(c.int(1))));
}
