//! Texts with pseudo-variables in them (module xlog).
