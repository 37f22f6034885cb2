"""Headers of what browsers show: nothing comes from elsewhere, nothing inline runs, no text becomes markup."""

from typing import Final

_OWN: Final = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
# Trusted types: a script of ours that made markup out of text would be stopped by the browser.
_SCRIPTS: Final = "script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
_COMMON: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
PAGE: Final = {**_COMMON, "content-security-policy": f"{_OWN}; {_SCRIPTS}; form-action 'none'"}
# With no-referrer a browser would send the form with `Origin: null`.
FORM: Final = {**_COMMON, "referrer-policy": "same-origin", "content-security-policy": f"{_OWN}; form-action 'self'"}
