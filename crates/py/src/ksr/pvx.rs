//! `KSR.pvx`: variables by name (Kamailio's module pvx).

use sipwright_engine::log::{self, level};
use sipwright_sip::script::pvx;
use sipwright_sip::script::{Value, XavpKind};

use super::{Call, Out, caller, ksr_table, on_context, read};
use crate::{scope, xavps};

const XAVP: XavpKind = XavpKind::Plain;
const XAVI: XavpKind = XavpKind::NoCase;
const XAVU: XavpKind = XavpKind::Unique;

fn text<'a>(call: &Call<'a, '_>, index: usize) -> Value<'a> {
    Value::borrowed(call.bytes(index))
}

fn or_empty<'py>(value: Value<'_>) -> Out<'py> {
    match value {
        Value::Null => Value::borrowed(b"").into(),
        value => value.into(),
    }
}

fn or_null<'py>(value: Value<'_>) -> Out<'py> {
    match value {
        Value::Null => Value::borrowed(b"<null>").into(),
        value => value.into(),
    }
}

fn set_child<'py>(call: &Call<'_, 'py>, kind: XavpKind, value: Value<'_>) -> Out<'py> {
    on_context(call, |x| {
        pvx::xavp_child_set(x, kind, call.bytes(0), call.bytes(1), value)
    })
}

fn index(call: &Call<'_, '_>) -> i32 {
    i32::try_from(call.int(1)).unwrap_or(i32::MAX)
}

fn keys<'py>(call: &Call<'_, 'py>, kind: XavpKind) -> Out<'py> {
    xavps::keys(call.py, kind, call.str(0), index(call)).into()
}

fn dict<'py>(call: &Call<'_, 'py>, kind: XavpKind) -> Out<'py> {
    xavps::dict(call.py, kind, call.str(0), index(call)).into()
}

fn dicts<'py>(call: &Call<'_, 'py>, kind: XavpKind) -> Out<'py> {
    xavps::dicts(call.py, kind, call.str(0)).into()
}

fn print<'py>(call: &Call<'_, 'py>, kind: XavpKind) -> Out<'py> {
    let place = caller(call.py).map_or_else(String::new, |(file, line)| format!("{file}:{line}: "));
    for line in scope::with(|c| pvx::print(&c.ctx, kind)) {
        log::log(level::INFO, &format!("{place}{line}"));
    }
    1.into()
}

ksr_table! { "pvx";
    /// The value of `$var(name)`, 0 when it was never set.
    var_get(name: Str) -> Xval = |c| read(|x| pvx::var_get(x, c.bytes(0)).into());
    /// Sets `$var(name)` to a str.
    var_sets(name: Str, value: Str) -> Int = |c| on_context(c, |x| pvx::var_set(x, c.bytes(0), text(c, 1)));
    /// Sets `$var(name)` to an int.
    var_seti(name: Str, value: Int) -> Int = |c| on_context(c, |x| pvx::var_set(x, c.bytes(0), Value::Int(c.int(1))));
    /// The newest value of an AVP, None when it has none.
    avp_get(name: Str) -> Xval = |c| read(|x| pvx::avp_get(x, c.bytes(0)).into());
    /// As `avp_get`, but an empty str for None.
    avp_gete(name: Str) -> Xval = |c| read(|x| or_empty(pvx::avp_get(x, c.bytes(0))));
    /// As `avp_get`, but `"<null>"` for None.
    avp_getw(name: Str) -> Xval = |c| read(|x| or_null(pvx::avp_get(x, c.bytes(0))));
    /// Removes all values of an AVP.
    avp_rm(name: Str) -> Int = |c| on_context(c, |x| pvx::avp_rm(x, c.bytes(0)));
    /// Whether an AVP has no value: 1 or -1.
    avp_is_null(name: Str) -> Int = |c| read(|x| pvx::avp_is_null(x, c.bytes(0)).into());
    /// Adds a str to `$avp(name)`.
    avp_sets(name: Str, value: Str) -> Int = |c| on_context(c, |x| pvx::avp_set(x, c.bytes(0), text(c, 1)));
    /// Adds an int to `$avp(name)`.
    avp_seti(name: Str, value: Int) -> Int = |c| on_context(c, |x| pvx::avp_set(x, c.bytes(0), Value::Int(c.int(1))));
    /// The newest value of `$xavp(name)`: `"<<xavp>>"` for one with fields, None when there is none.
    xavp_get(name: Str) -> Xval = |c| read(|x| pvx::xavp_get(x, XAVP, c.bytes(0)).into());
    /// As `xavp_get`, but an empty str for None.
    xavp_gete(name: Str) -> Xval = |c| read(|x| or_empty(pvx::xavp_get(x, XAVP, c.bytes(0))));
    /// As `xavp_get`, but `"<null>"` for None.
    xavp_getw(name: Str) -> Xval = |c| read(|x| or_null(pvx::xavp_get(x, XAVP, c.bytes(0))));
    /// Adds a value to `$xavp(name)`, a str.
    xavp_sets(name: Str, value: Str) -> Int = |c| on_context(c, |x| pvx::xavp_set(x, XAVP, c.bytes(0), text(c, 1)));
    /// Adds a value to `$xavp(name)`, an int.
    xavp_seti(name: Str, value: Int) -> Int = |c| on_context(c, |x| pvx::xavp_set(x, XAVP, c.bytes(0), Value::Int(c.int(1))));
    /// Whether `$xavp(name)` has no value: 1 or -1.
    xavp_is_null(name: Str) -> Int = |c| read(|x| pvx::xavp_is_null(x, XAVP, c.bytes(0)).into());
    /// Removes the newest value of `$xavp(name)`.
    xavp_rm(name: Str) -> Int = |c| on_context(c, |x| pvx::xavp_rm(x, XAVP, c.bytes(0)));
    /// Removes all values of `$xavp(name)`.
    xavp_rm_all(name: Str) -> Int = |c| on_context(c, |x| pvx::xavp_rm_all(x, XAVP, c.bytes(0)));
    /// The value of `$xavp(name=>field)`, None when there is none.
    xavp_child_get(name: Str, field: Str) -> Xval = |c| read(|x| pvx::xavp_child_get(x, XAVP, c.bytes(0), c.bytes(1)).into());
    /// As `xavp_child_get`, but an empty str for None.
    xavp_child_gete(name: Str, field: Str) -> Xval = |c| read(|x| or_empty(pvx::xavp_child_get(x, XAVP, c.bytes(0), c.bytes(1))));
    /// As `xavp_child_get`, but `"<null>"` for None.
    xavp_child_getw(name: Str, field: Str) -> Xval = |c| read(|x| or_null(pvx::xavp_child_get(x, XAVP, c.bytes(0), c.bytes(1))));
    /// Sets the field of the newest value of `$xavp(name)`, which is made if need be, to a str.
    xavp_child_sets(name: Str, field: Str, value: Str) -> Int = |c| set_child(c, XAVP, text(c, 2));
    /// Sets the field of the newest value of `$xavp(name)`, which is made if need be, to an int.
    xavp_child_seti(name: Str, field: Str, value: Int) -> Int = |c| set_child(c, XAVP, Value::Int(c.int(2)));
    /// Whether `$xavp(name=>field)` has no value: 1 or -1.
    xavp_child_is_null(name: Str, field: Str) -> Int = |c| read(|x| pvx::xavp_child_is_null(x, XAVP, c.bytes(0), c.bytes(1)).into());
    /// Removes the newest value of `$xavp(name=>field)`.
    xavp_child_rm(name: Str, field: Str) -> Int = |c| on_context(c, |x| pvx::xavp_child_rm(x, XAVP, c.bytes(0), c.bytes(1)));
    /// The names of the fields of the value at `index` of `$xavp(name)`, newest first; None when it has none. Kamailio gives None to Python scripts.
    xavp_get_keys(name: Str, index: Int) -> Data = |c| keys(c, XAVP);
    /// The values of `$xavp(name)` that have fields, newest first, each as a dict of a list of values for each name; None when there are none. Kamailio gives None to Python scripts.
    xavp_getd(name: Str) -> Data = |c| dicts(c, XAVP);
    /// The value at `index` of `$xavp(name)` as a dict of a list of values for each name; None when it has no fields. Kamailio gives None to Python scripts.
    xavp_getd_p1(name: Str, index: Int) -> Data = |c| dict(c, XAVP);
    /// The newest value of `$xavi(name)`: `"<<xavp>>"` for one with fields, None when there is none.
    xavi_get(name: Str) -> Xval = |c| read(|x| pvx::xavp_get(x, XAVI, c.bytes(0)).into());
    /// As `xavi_get`, but an empty str for None.
    xavi_gete(name: Str) -> Xval = |c| read(|x| or_empty(pvx::xavp_get(x, XAVI, c.bytes(0))));
    /// As `xavi_get`, but `"<null>"` for None.
    xavi_getw(name: Str) -> Xval = |c| read(|x| or_null(pvx::xavp_get(x, XAVI, c.bytes(0))));
    /// Adds a value to `$xavi(name)`, a str.
    xavi_sets(name: Str, value: Str) -> Int = |c| on_context(c, |x| pvx::xavp_set(x, XAVI, c.bytes(0), text(c, 1)));
    /// Adds a value to `$xavi(name)`, an int.
    xavi_seti(name: Str, value: Int) -> Int = |c| on_context(c, |x| pvx::xavp_set(x, XAVI, c.bytes(0), Value::Int(c.int(1))));
    /// Whether `$xavi(name)` has no value: 1 or -1.
    xavi_is_null(name: Str) -> Int = |c| read(|x| pvx::xavp_is_null(x, XAVI, c.bytes(0)).into());
    /// Removes the newest value of `$xavi(name)`.
    xavi_rm(name: Str) -> Int = |c| on_context(c, |x| pvx::xavp_rm(x, XAVI, c.bytes(0)));
    /// Removes all values of `$xavi(name)`.
    xavi_rm_all(name: Str) -> Int = |c| on_context(c, |x| pvx::xavp_rm_all(x, XAVI, c.bytes(0)));
    /// The value of `$xavi(name=>field)`, None when there is none.
    xavi_child_get(name: Str, field: Str) -> Xval = |c| read(|x| pvx::xavp_child_get(x, XAVI, c.bytes(0), c.bytes(1)).into());
    /// As `xavi_child_get`, but an empty str for None.
    xavi_child_gete(name: Str, field: Str) -> Xval = |c| read(|x| or_empty(pvx::xavp_child_get(x, XAVI, c.bytes(0), c.bytes(1))));
    /// As `xavi_child_get`, but `"<null>"` for None.
    xavi_child_getw(name: Str, field: Str) -> Xval = |c| read(|x| or_null(pvx::xavp_child_get(x, XAVI, c.bytes(0), c.bytes(1))));
    /// Sets the field of the newest value of `$xavi(name)`, which is made if need be, to a str.
    xavi_child_sets(name: Str, field: Str, value: Str) -> Int = |c| set_child(c, XAVI, text(c, 2));
    /// Sets the field of the newest value of `$xavi(name)`, which is made if need be, to an int.
    xavi_child_seti(name: Str, field: Str, value: Int) -> Int = |c| set_child(c, XAVI, Value::Int(c.int(2)));
    /// Whether `$xavi(name=>field)` has no value: 1 or -1.
    xavi_child_is_null(name: Str, field: Str) -> Int = |c| read(|x| pvx::xavp_child_is_null(x, XAVI, c.bytes(0), c.bytes(1)).into());
    /// Removes the newest value of `$xavi(name=>field)`.
    xavi_child_rm(name: Str, field: Str) -> Int = |c| on_context(c, |x| pvx::xavp_child_rm(x, XAVI, c.bytes(0), c.bytes(1)));
    /// The names of the fields of the value at `index` of `$xavi(name)`, newest first; None when it has none. Kamailio gives None to Python scripts.
    xavi_get_keys(name: Str, index: Int) -> Data = |c| keys(c, XAVI);
    /// The values of `$xavi(name)` that have fields, newest first, each as a dict of a list of values for each name; None when there are none. Kamailio gives None to Python scripts.
    xavi_getd(name: Str) -> Data = |c| dicts(c, XAVI);
    /// The value at `index` of `$xavi(name)` as a dict of a list of values for each name; None when it has no fields. Kamailio gives None to Python scripts.
    xavi_getd_p1(name: Str, index: Int) -> Data = |c| dict(c, XAVI);
    /// The value of `$xavu(name)`: `"<<xavp>>"` for one with fields, None when there is none.
    xavu_get(name: Str) -> Xval = |c| read(|x| pvx::xavp_get(x, XAVU, c.bytes(0)).into());
    /// As `xavu_get`, but an empty str for None.
    xavu_gete(name: Str) -> Xval = |c| read(|x| or_empty(pvx::xavp_get(x, XAVU, c.bytes(0))));
    /// As `xavu_get`, but `"<null>"` for None.
    xavu_getw(name: Str) -> Xval = |c| read(|x| or_null(pvx::xavp_get(x, XAVU, c.bytes(0))));
    /// Sets `$xavu(name)` to a str.
    xavu_sets(name: Str, value: Str) -> Int = |c| on_context(c, |x| pvx::xavp_set(x, XAVU, c.bytes(0), text(c, 1)));
    /// Sets `$xavu(name)` to an int.
    xavu_seti(name: Str, value: Int) -> Int = |c| on_context(c, |x| pvx::xavp_set(x, XAVU, c.bytes(0), Value::Int(c.int(1))));
    /// Whether `$xavu(name)` has no value: 1 or -1.
    xavu_is_null(name: Str) -> Int = |c| read(|x| pvx::xavp_is_null(x, XAVU, c.bytes(0)).into());
    /// Removes `$xavu(name)`.
    xavu_rm(name: Str) -> Int = |c| on_context(c, |x| pvx::xavp_rm(x, XAVU, c.bytes(0)));
    /// The value of `$xavu(name=>field)`, None when there is none.
    xavu_child_get(name: Str, field: Str) -> Xval = |c| read(|x| pvx::xavp_child_get(x, XAVU, c.bytes(0), c.bytes(1)).into());
    /// As `xavu_child_get`, but an empty str for None.
    xavu_child_gete(name: Str, field: Str) -> Xval = |c| read(|x| or_empty(pvx::xavp_child_get(x, XAVU, c.bytes(0), c.bytes(1))));
    /// As `xavu_child_get`, but `"<null>"` for None.
    xavu_child_getw(name: Str, field: Str) -> Xval = |c| read(|x| or_null(pvx::xavp_child_get(x, XAVU, c.bytes(0), c.bytes(1))));
    /// Sets the field of the newest value of `$xavu(name)`, which is made if need be, to a str.
    xavu_child_sets(name: Str, field: Str, value: Str) -> Int = |c| set_child(c, XAVU, text(c, 2));
    /// Sets the field of the newest value of `$xavu(name)`, which is made if need be, to an int.
    xavu_child_seti(name: Str, field: Str, value: Int) -> Int = |c| set_child(c, XAVU, Value::Int(c.int(2)));
    /// Whether `$xavu(name=>field)` has no value: 1 or -1.
    xavu_child_is_null(name: Str, field: Str) -> Int = |c| read(|x| pvx::xavp_child_is_null(x, XAVU, c.bytes(0), c.bytes(1)).into());
    /// Removes the newest value of `$xavu(name=>field)`.
    xavu_child_rm(name: Str, field: Str) -> Int = |c| on_context(c, |x| pvx::xavp_child_rm(x, XAVU, c.bytes(0), c.bytes(1)));
    /// Makes the parameters of a text, `a=1;b=2`, the fields of a new `$xavp(name)`; -1 when there are none.
    xavp_params_explode(params: Str, name: Str) -> Int = |c| on_context(c, |x| pvx::params_explode(x, XAVP, c.bytes(0), c.bytes(1)));
    /// As `xavp_params_explode` with another separator than `;`.
    xavp_xparams_explode(params: Str, separator: Str, name: Str) -> Int = |c| on_context(c, |x| pvx::xparams_explode(x, c.bytes(0), c.bytes(1), c.bytes(2)));
    /// Writes the fields of `$xavp(name)` as `a=1;b=2;` into a variable; -1 when there are none.
    xavp_params_implode(name: Str, variable: Str) -> Int = |c| on_context(c, |x| pvx::params_implode(x, XAVP, c.bytes(0), c.bytes(1), false));
    /// As `xavp_params_implode` with quotes around values.
    xavp_params_implode_qval(name: Str, variable: Str) -> Int = |c| on_context(c, |x| pvx::params_implode(x, XAVP, c.bytes(0), c.bytes(1), true));
    /// Makes the parameters of a text, `a=1;b=2`, the fields of `$xavu(name)`; -1 when there are none.
    xavu_params_explode(params: Str, name: Str) -> Int = |c| on_context(c, |x| pvx::params_explode(x, XAVU, c.bytes(0), c.bytes(1)));
    /// Writes the fields of `$xavu(name)` as `a=1;b=2;` into a variable; -1 when there are none.
    xavu_params_implode(name: Str, variable: Str) -> Int = |c| on_context(c, |x| pvx::params_implode(x, XAVU, c.bytes(0), c.bytes(1), false));
    /// Makes the texts between any of the separators fields `v` of a new `$xavp(name)`, without empty ones; mode `t` takes blanks off.
    xavp_slist_explode(list: Str, separators: Str, mode: Str, name: Str) -> Int = |c| on_context(c, |x| pvx::slist_explode(x, c.bytes(0), c.bytes(1), c.bytes(2), c.bytes(3)));
    /// Adds a copy of the value at an index of `$xavp(source)` behind the values of `$xavp(target)`; -1 when there is none.
    xavp_copy(source: Str, index: Int, target: Str) -> Int = |c| on_context(c, |x| pvx::xavp_copy(x, c.bytes(0), c.int(1), c.bytes(2)));
    /// Puts a copy of the value at an index of `$xavp(source)` in place of one of `$xavp(target)`; -1 when either is missing.
    xavp_copy_dst(source: Str, index: Int, target: Str, target_index: Int) -> Int = |c| on_context(c, |x| pvx::xavp_copy_dst(x, c.bytes(0), c.int(1), c.bytes(2), c.int(3)));
    /// Turns the values of `$xavp(name)` so that the one at `index` becomes the first.
    xavp_lshift(name: Str, index: Int) -> Int = |c| on_context(c, |x| pvx::xavp_lshift(x, c.bytes(0), c.int(1)));
    /// Sets request-URI, next hop and socket to the fields `uri`, `dsturi` and `socket` of `$xavp(name)`.
    xavp_push_dst(name: Str) -> Int = |c| on_context(c, |x| pvx::xavp_push_dst(x, c.bytes(0)));
    /// Copies `$var(name)`, or all of them for `*`, into fields of `$xavp(target)`, which loses what it had; -1 when there is none.
    pv_var_to_xavp(name: Str, target: Str) -> Int = |c| on_context(c, |x| pvx::var_to_xavp(x, c.bytes(0), c.bytes(1)));
    /// Sets `$var(..)` to the fields of `$xavp(name)`; -1 when it has none.
    pv_xavp_to_var(name: Str) -> Int = |c| on_context(c, |x| pvx::xavp_to_var(x, c.bytes(0)));
    /// Logs all `$xavp(..)` at level INFO.
    pv_xavp_print() -> Int = |c| print(c, XAVP);
    /// Logs all `$xavu(..)` at level INFO.
    pv_xavu_print() -> Int = |c| print(c, XAVU);
    /// Logs all `$xavi(..)` at level INFO.
    pv_xavi_print() -> Int = |c| print(c, XAVI);
    /// The value of `$shv(name)`, which all workers share, 0 when it was never set.
    shv_get(name: Str) -> Xval = |c| read(|x| pvx::shv_get(x, c.bytes(0)).into());
    /// Sets `$shv(name)` to a str.
    shv_sets(name: Str, value: Str) -> Int = |c| on_context(c, |x| pvx::shv_set(x, c.bytes(0), text(c, 1)));
    /// Sets `$shv(name)` to an int.
    shv_seti(name: Str, value: Int) -> Int = |c| {
        on_context(c, |x| pvx::shv_set(x, c.bytes(0), Value::Int(c.int(1))))
    };
    /// Adds one to `$shv(name)` and returns the sum; None when it is a str.
    shvinc_get(name: Str) -> Xval = |c| read(|x| pvx::shvinc_get(x, c.bytes(0)).into());
    /// Adds what `$sbranch(..)` describes as a further destination; -1 without a uri.
    sbranch_append() -> Int = |c| on_context(c, pvx::sbranch_append);
    /// Makes what `$sbranch(..)` describes the main destination; -1 without a uri.
    sbranch_set_ruri() -> Int = |c| on_context(c, pvx::sbranch_set_ruri);
    /// Forgets what `$sbranch(..)` describes.
    sbranch_reset() -> Int = |c| on_context(c, pvx::sbranch_reset);
    /// Evaluates the variables in a text, and those in what comes out, into a variable.
    evalx(variable: Str, text: Str) -> Int = |c| on_context(c, |x| pvx::evalx(x, c.bytes(0), c.bytes(1)));
}
