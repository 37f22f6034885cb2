//! Texts with pseudo-variables in them: `KSR.xlog.xinfo("$rm from $si\n")`.
//!
//! The caller caches the [`Format`] of a text and writes what [`Format::eval`] gives to
//! its log.

pub use super::pv::{Format, PvError};

/// Parses a text once; [`Format::eval`] then fills it in.
///
/// # Errors
/// When a variable in it is malformed.
pub fn parse(text: &[u8]) -> Result<Format, PvError> {
    Format::parse(text)
}
