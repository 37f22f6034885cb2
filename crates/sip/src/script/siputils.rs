//! Module siputils.
