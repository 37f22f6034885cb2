# Written by `python -m sipwright.kemi.stubs`.
"""KSR.pvx: functions of Kamailio's module."""

from typing import Any

def avp_get(name: str, /) -> str | int | None:
    """The newest value of an AVP, None when it has none."""

def avp_gete(name: str, /) -> str | int | None:
    """As `avp_get`, but an empty str for None."""

def avp_getw(name: str, /) -> str | int | None:
    """As `avp_get`, but `"<null>"` for None."""

def avp_is_null(name: str, /) -> int:
    """Whether an AVP has no value: 1 or -1."""

def avp_rm(name: str, /) -> int:
    """Removes all values of an AVP."""

def avp_seti(name: str, value: int, /) -> int:
    """Adds an int to `$avp(name)`."""

def avp_sets(name: str, value: str, /) -> int:
    """Adds a str to `$avp(name)`."""

def evalx(variable: str, text: str, /) -> int:
    """Evaluates the variables in a text, and those in what comes out, into a variable."""

def pv_var_to_xavp(name: str, target: str, /) -> int:
    """Copies `$var(name)`, or all of them for `*`, into fields of `$xavp(target)`, which loses what it had; -1 when there is none."""

def pv_xavi_print() -> int:
    """Logs all `$xavi(..)` at level INFO."""

def pv_xavp_print() -> int:
    """Logs all `$xavp(..)` at level INFO."""

def pv_xavp_to_var(name: str, /) -> int:
    """Sets `$var(..)` to the fields of `$xavp(name)`; -1 when it has none."""

def pv_xavu_print() -> int:
    """Logs all `$xavu(..)` at level INFO."""

def sbranch_append() -> int:
    """Adds what `$sbranch(..)` describes as a further destination; -1 without a uri."""

def sbranch_reset() -> int:
    """Forgets what `$sbranch(..)` describes."""

def sbranch_set_ruri() -> int:
    """Makes what `$sbranch(..)` describes the main destination; -1 without a uri."""

def shv_get(name: str, /) -> str | int | None:
    """The value of `$shv(name)`, which all workers share, 0 when it was never set."""

def shv_seti(name: str, value: int, /) -> int:
    """Sets `$shv(name)` to an int."""

def shv_sets(name: str, value: str, /) -> int:
    """Sets `$shv(name)` to a str."""

def shvinc_get(name: str, /) -> str | int | None:
    """Adds one to `$shv(name)` and returns the sum; None when it is a str."""

def var_get(name: str, /) -> str | int | None:
    """The value of `$var(name)`, 0 when it was never set."""

def var_seti(name: str, value: int, /) -> int:
    """Sets `$var(name)` to an int."""

def var_sets(name: str, value: str, /) -> int:
    """Sets `$var(name)` to a str."""

def xavi_child_get(name: str, field: str, /) -> str | int | None:
    """The value of `$xavi(name=>field)`, None when there is none."""

def xavi_child_gete(name: str, field: str, /) -> str | int | None:
    """As `xavi_child_get`, but an empty str for None."""

def xavi_child_getw(name: str, field: str, /) -> str | int | None:
    """As `xavi_child_get`, but `"<null>"` for None."""

def xavi_child_is_null(name: str, field: str, /) -> int:
    """Whether `$xavi(name=>field)` has no value: 1 or -1."""

def xavi_child_rm(name: str, field: str, /) -> int:
    """Removes the newest value of `$xavi(name=>field)`."""

def xavi_child_seti(name: str, field: str, value: int, /) -> int:
    """Sets the field of the newest value of `$xavi(name)`, which is made if need be, to an int."""

def xavi_child_sets(name: str, field: str, value: str, /) -> int:
    """Sets the field of the newest value of `$xavi(name)`, which is made if need be, to a str."""

def xavi_get(name: str, /) -> str | int | None:
    """The newest value of `$xavi(name)`: `"<<xavp>>"` for one with fields, None when there is none."""

def xavi_get_keys(name: str, index: int, /) -> list[Any] | dict[str, Any] | None:
    """The names of the fields of the value at `index` of `$xavi(name)`, newest first; None when it has none. Kamailio gives None to Python scripts."""

def xavi_getd(name: str, /) -> list[Any] | dict[str, Any] | None:
    """The values of `$xavi(name)` that have fields, newest first, each as a dict of a list of values for each name; None when there are none. Kamailio gives None to Python scripts."""

def xavi_getd_p1(name: str, index: int, /) -> list[Any] | dict[str, Any] | None:
    """The value at `index` of `$xavi(name)` as a dict of a list of values for each name; None when it has no fields. Kamailio gives None to Python scripts."""

def xavi_gete(name: str, /) -> str | int | None:
    """As `xavi_get`, but an empty str for None."""

def xavi_getw(name: str, /) -> str | int | None:
    """As `xavi_get`, but `"<null>"` for None."""

def xavi_is_null(name: str, /) -> int:
    """Whether `$xavi(name)` has no value: 1 or -1."""

def xavi_rm(name: str, /) -> int:
    """Removes the newest value of `$xavi(name)`."""

def xavi_rm_all(name: str, /) -> int:
    """Removes all values of `$xavi(name)`."""

def xavi_seti(name: str, value: int, /) -> int:
    """Adds a value to `$xavi(name)`, an int."""

def xavi_sets(name: str, value: str, /) -> int:
    """Adds a value to `$xavi(name)`, a str."""

def xavp_child_get(name: str, field: str, /) -> str | int | None:
    """The value of `$xavp(name=>field)`, None when there is none."""

def xavp_child_gete(name: str, field: str, /) -> str | int | None:
    """As `xavp_child_get`, but an empty str for None."""

def xavp_child_getw(name: str, field: str, /) -> str | int | None:
    """As `xavp_child_get`, but `"<null>"` for None."""

def xavp_child_is_null(name: str, field: str, /) -> int:
    """Whether `$xavp(name=>field)` has no value: 1 or -1."""

def xavp_child_rm(name: str, field: str, /) -> int:
    """Removes the newest value of `$xavp(name=>field)`."""

def xavp_child_seti(name: str, field: str, value: int, /) -> int:
    """Sets the field of the newest value of `$xavp(name)`, which is made if need be, to an int."""

def xavp_child_sets(name: str, field: str, value: str, /) -> int:
    """Sets the field of the newest value of `$xavp(name)`, which is made if need be, to a str."""

def xavp_copy(source: str, index: int, target: str, /) -> int:
    """Adds a copy of the value at an index of `$xavp(source)` behind the values of `$xavp(target)`; -1 when there is none."""

def xavp_copy_dst(source: str, index: int, target: str, target_index: int, /) -> int:
    """Puts a copy of the value at an index of `$xavp(source)` in place of one of `$xavp(target)`; -1 when either is missing."""

def xavp_get(name: str, /) -> str | int | None:
    """The newest value of `$xavp(name)`: `"<<xavp>>"` for one with fields, None when there is none."""

def xavp_get_keys(name: str, index: int, /) -> list[Any] | dict[str, Any] | None:
    """The names of the fields of the value at `index` of `$xavp(name)`, newest first; None when it has none. Kamailio gives None to Python scripts."""

def xavp_getd(name: str, /) -> list[Any] | dict[str, Any] | None:
    """The values of `$xavp(name)` that have fields, newest first, each as a dict of a list of values for each name; None when there are none. Kamailio gives None to Python scripts."""

def xavp_getd_p1(name: str, index: int, /) -> list[Any] | dict[str, Any] | None:
    """The value at `index` of `$xavp(name)` as a dict of a list of values for each name; None when it has no fields. Kamailio gives None to Python scripts."""

def xavp_gete(name: str, /) -> str | int | None:
    """As `xavp_get`, but an empty str for None."""

def xavp_getw(name: str, /) -> str | int | None:
    """As `xavp_get`, but `"<null>"` for None."""

def xavp_is_null(name: str, /) -> int:
    """Whether `$xavp(name)` has no value: 1 or -1."""

def xavp_lshift(name: str, index: int, /) -> int:
    """Turns the values of `$xavp(name)` so that the one at `index` becomes the first."""

def xavp_params_explode(params: str, name: str, /) -> int:
    """Makes the parameters of a text, `a=1;b=2`, the fields of a new `$xavp(name)`; -1 when there are none."""

def xavp_params_implode(name: str, variable: str, /) -> int:
    """Writes the fields of `$xavp(name)` as `a=1;b=2;` into a variable; -1 when there are none."""

def xavp_params_implode_qval(name: str, variable: str, /) -> int:
    """As `xavp_params_implode` with quotes around values."""

def xavp_push_dst(name: str, /) -> int:
    """Sets request-URI, next hop and socket to the fields `uri`, `dsturi` and `socket` of `$xavp(name)`."""

def xavp_rm(name: str, /) -> int:
    """Removes the newest value of `$xavp(name)`."""

def xavp_rm_all(name: str, /) -> int:
    """Removes all values of `$xavp(name)`."""

def xavp_seti(name: str, value: int, /) -> int:
    """Adds a value to `$xavp(name)`, an int."""

def xavp_sets(name: str, value: str, /) -> int:
    """Adds a value to `$xavp(name)`, a str."""

def xavp_slist_explode(list: str, separators: str, mode: str, name: str, /) -> int:
    """Makes the texts between any of the separators fields `v` of a new `$xavp(name)`, without empty ones; mode `t` takes blanks off."""

def xavp_xparams_explode(params: str, separator: str, name: str, /) -> int:
    """As `xavp_params_explode` with another separator than `;`."""

def xavu_child_get(name: str, field: str, /) -> str | int | None:
    """The value of `$xavu(name=>field)`, None when there is none."""

def xavu_child_gete(name: str, field: str, /) -> str | int | None:
    """As `xavu_child_get`, but an empty str for None."""

def xavu_child_getw(name: str, field: str, /) -> str | int | None:
    """As `xavu_child_get`, but `"<null>"` for None."""

def xavu_child_is_null(name: str, field: str, /) -> int:
    """Whether `$xavu(name=>field)` has no value: 1 or -1."""

def xavu_child_rm(name: str, field: str, /) -> int:
    """Removes the newest value of `$xavu(name=>field)`."""

def xavu_child_seti(name: str, field: str, value: int, /) -> int:
    """Sets the field of the newest value of `$xavu(name)`, which is made if need be, to an int."""

def xavu_child_sets(name: str, field: str, value: str, /) -> int:
    """Sets the field of the newest value of `$xavu(name)`, which is made if need be, to a str."""

def xavu_get(name: str, /) -> str | int | None:
    """The value of `$xavu(name)`: `"<<xavp>>"` for one with fields, None when there is none."""

def xavu_gete(name: str, /) -> str | int | None:
    """As `xavu_get`, but an empty str for None."""

def xavu_getw(name: str, /) -> str | int | None:
    """As `xavu_get`, but `"<null>"` for None."""

def xavu_is_null(name: str, /) -> int:
    """Whether `$xavu(name)` has no value: 1 or -1."""

def xavu_params_explode(params: str, name: str, /) -> int:
    """Makes the parameters of a text, `a=1;b=2`, the fields of `$xavu(name)`; -1 when there are none."""

def xavu_params_implode(name: str, variable: str, /) -> int:
    """Writes the fields of `$xavu(name)` as `a=1;b=2;` into a variable; -1 when there are none."""

def xavu_rm(name: str, /) -> int:
    """Removes `$xavu(name)`."""

def xavu_seti(name: str, value: int, /) -> int:
    """Sets `$xavu(name)` to an int."""

def xavu_sets(name: str, value: str, /) -> int:
    """Sets `$xavu(name)` to a str."""
