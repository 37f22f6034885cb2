//! Module textopsx.
