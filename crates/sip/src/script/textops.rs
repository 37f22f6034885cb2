//! Module textops.
