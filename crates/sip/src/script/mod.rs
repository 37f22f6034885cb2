//! The functions and pseudo-variables that scripts call for every message.
